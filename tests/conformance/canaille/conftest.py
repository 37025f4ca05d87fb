"""Canaille, an identity server that is not ours: a real process that pushes its people to a site.

It needs older libraries than we do, so it lives in an environment of its own, with exactly the files
of `requirements.txt`. The first run on a machine makes it; whoever comes later finds it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.conformance.conftest import Site

HERE: Final = Path(__file__).parent
PINS: Final = HERE / "requirements.txt"
PATIENCE: Final = 60.0
"""Seconds for a page, a command, or a start."""
INSTALLING: Final = 420.0
ADMIN: Final = "admin"
LIFETIME: Final = timedelta(days=1)

DISCOVERY: Final = """
import sys
from httpx import Client
from scim2_client import SCIMClientError
from scim2_client.engines.httpx import SyncSCIMClient

authorization = f"Bearer {sys.stdin.read()}"
try:
    SyncSCIMClient(Client(base_url=sys.argv[1], headers={"Authorization": authorization})).discover()
except SCIMClientError as error:
    print(error.__cause__)
"""
"""What Canaille does before each push, and why it may give up, which it does not log."""


class Form(HTMLParser):
    """What a form of a page holds before anybody fills it in."""

    def __init__(self, page: str, form_id: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._form_id = form_id
        self._is_inside = False
        self._select = ""
        self.feed(page)
        assert self.values, f'There is no form "{form_id}" in this page:\n{page}'

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._is_inside = given.get("id") == self._form_id
        elif self._is_inside and tag == "input":
            self._input(given)
        elif self._is_inside and tag == "select":
            self._select = given["name"]
        elif self._is_inside and tag == "option" and "selected" in given:
            self.values[self._select] = given["value"]

    def _input(self, given: Mapping[str, str]) -> None:
        kind = given.get("type")
        if kind != "file" and (kind != "checkbox" or "checked" in given):
            self.values[given["name"]] = given.get("value", "")


@dataclass(frozen=True)
class Canaille:
    """An identity server with a database of its own, and with its administrator signed in to its pages."""

    programs: Path
    folder: Path
    url: str
    token: str = field(repr=False)
    """Of the site that it keeps in step, for clients that know RFC 7643 only."""
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    pages: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        pages = httpx2.Client(base_url=self.url, follow_redirects=True, timeout=PATIENCE)
        object.__setattr__(self, "pages", pages)

    @property
    def log(self) -> str:
        """What the server has said."""
        return (self.folder / "server.log").read_text("utf-8")

    @property
    def environ(self) -> dict[str, str]:
        """Its settings beside the file."""
        return {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CANAILLE_CONFIG": str(HERE / "canaille.toml"),
            "SECRET_KEY": self.key,
            "SERVER_NAME": self.url.removeprefix("http://"),
        }

    @contextmanager
    def served(self) -> Iterator[None]:
        """Run the server while the block runs; it makes its database."""
        address = self.url.removeprefix("http://")
        command = [str(self.programs / "canaille"), "run", "--bind", address]
        with (
            (self.folder / "server.log").open("wb") as said,
            subprocess.Popen(
                command, cwd=self.folder, env=self.environ, stdout=said, stderr=said
            ) as server,
        ):
            try:
                self._wait(server)
                yield
            finally:
                server.terminate()
                with suppress(subprocess.TimeoutExpired):
                    server.wait(PATIENCE)
                server.kill()

    def run(self, *command: str, said: str) -> str:
        """Run a program of its environment that reads what is said, and return what it answers."""
        done = subprocess.run(
            [str(self.programs / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environ,
            input=said,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def keep_in_step(
        self, name: str, base_url: str, token: str, *, users: list[dict[str, Any]] | None = None
    ) -> None:
        """Tell it of a SCIM service and the token that this has given out, and of people it has already.

        To Canaille a service is an OIDC client. It sends the first valid token of a client that is
        nobody's in particular, and would make one that nobody knows if there were none. Its own command
        brings it there, which reads its standard input; people are told to the service at once.
        """
        kept = {
            "id": name,
            "token_id": name,
            "access_token": token,
            "client": name,
            "type": "access_token",
            "scope": ["openid"],
            "issue_date": datetime.now(UTC).isoformat(),
            "lifetime": int(LIFETIME.total_seconds()),
        }
        client = {"id": name, "client_id": name, "client_name": name, "client_uri": base_url}
        models = {"client": [client], "token": [kept], "user": users or []}
        self.run("canaille", "restore", said=json.dumps(models))

    @property
    def admin(self) -> dict[str, Any]:
        """Its administrator, who was there before any service."""
        return {
            "id": secrets.token_hex(8),
            "user_name": ADMIN,
            "family_name": "Admin",
            "formatted_name": "Admin",
            "emails": ["admin@canaille.example"],
            "password": self.password,
        }

    def sign_in(self) -> None:
        """Sign the administrator in, in two steps."""
        self.fill("/login", "loginform", login=ADMIN)
        self.fill("/auth/password", "passwordform", password=self.password)

    def create(self, user_name: str, **values: str) -> str:
        """Create a person, and return what Canaille calls them."""
        needed = {"family_name": "Example", "emails-0": f"{user_name}@example.org"}
        given = {"user_name": user_name, **needed, **values}
        self.fill("/profile", action="create-profile", **given)
        return self.user_id(user_name)

    def fill(self, path: str, form_id: str = "baseform", **values: str) -> httpx2.Response:
        """Fill in a form of a page, and send it; what the page shows already is left as it is."""
        page = self.pages.get(path).raise_for_status()
        answer = self.pages.post(path, data=Form(page.text, form_id).values | values)
        assert answer.is_success, f"{answer.status_code}: {self.log[-4000:]}"
        assert 'aria-invalid="true"' not in answer.text, answer.text
        return answer

    def user_id(self, user_name: str) -> str:
        """Return what it calls a person, from its own database."""
        return self._asked("SELECT id FROM user WHERE user_name = ?", user_name)

    def group_id(self, display_name: str) -> str:
        """Return what it calls a group."""
        return self._asked('SELECT id FROM "group" WHERE display_name = ?', display_name)

    def discovers(self, base_url: str, token: str) -> str:
        """Let its SCIM client read discovery, and return why it gives up, if it does."""
        return self.run("python", "-c", DISCOVERY, base_url, said=token)

    def _asked(self, question: str, name: str) -> str:
        with closing(sqlite3.connect(self.folder / "canaille.sqlite")) as database:
            (found,) = database.execute(question, [name]).fetchone()
        return str(found)

    def _wait(self, server: subprocess.Popen[bytes]) -> None:
        pause = threading.Event()
        for _ in range(int(PATIENCE / 0.1)):
            with suppress(httpx2.TransportError):
                if self.pages.get("/login").is_success:
                    return
            assert server.poll() is None, self.log
            pause.wait(0.1)
        pytest.fail(f"Canaille does not answer: {self.log}")


@pytest.fixture(scope="session")
def programs() -> Path:
    """The programs of the environment, which is made where nobody has made it yet."""
    python = f"{sys.version_info[:3]} {sys.base_prefix}"
    key = hashlib.sha256(PINS.read_bytes() + python.encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mobid-tests")
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"canaille-{key}"
    # Of several workers of a run, and of several runs, the first one makes it.
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            _make_environment(place)
    return place / "bin"


def _make_environment(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    trust = ["--require-hashes", "--no-deps", "--only-binary", ":all:"]
    network = ["--retries", "1", "--timeout", "30"]
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(place)],
        [*pip, *trust, *network, "--requirement", str(PINS)],
    ):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALLING, check=False
        )
        if done.returncode != 0:
            why = done.stderr.strip().rpartition("\n")[2]
            pytest.fail(
                f"Canaille is not installed in {place}, and could not be: {why}\n"
                "The first run on a machine needs the index that pip takes packages from; "
                "later ones do without.",
                pytrace=False,
            )
    (place / "complete").touch()


@pytest.fixture(scope="session")
def canaille(
    programs: Path,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
    site: Site,
) -> Iterator[Canaille]:
    """Canaille that keeps the site in step, with its administrator signed in."""
    folder = tmp_path_factory.mktemp(f"canaille-for-{site.folder.name}")
    token = site.token("canaille", dialect="rfc7643")
    made = Canaille(programs, folder, f"http://127.0.0.1:{free_port()}", token)
    with made.served(), closing(made.pages):
        made.keep_in_step("mobid", site.base_url, token, users=[made.admin])
        made.sign_in()
        yield made
