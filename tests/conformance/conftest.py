"""A real server on a database of each kind, as a site has it, for clients and suites that are not ours."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from scim2_client.engines.httpx2 import SyncSCIMClient
from tests.parts.commands import forked_commands

from mobid.cli.demo.actors import FrontEnd, Phone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import PostgreSQL

DATABASES: Final = ("sqlite", "postgresql")
PATIENCE: Final = 60.0
PHONE: Final = Path(__file__).parents[2] / "examples" / "phone" / "phone.py"
GET: Final = "MobileIDSelfServiceProcGet"
SCOPES: Final = ("scim:read", "scim:write", "mobile-ids:write")
_PORTS: Final = range(20_000, 32_000)


@dataclass(frozen=True)
class Site:
    """A home, made with the commands that a site engineer has; `served` runs it."""

    folder: Path
    url: str
    database_url: str
    environ: dict[str, str]

    def command(self, *words: str) -> Any:
        """Run a command of `mobid`, and return what it answers."""
        command = ["--home", str(self.folder / "home"), *words, "-o", "json"]
        done = forked_commands().run(command, self.environ, seconds=PATIENCE)
        assert done.code == 0, done.complaints
        return json.loads(done.said)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Run the server while the block runs."""
        command = [sys.executable, "-m", "mobid.cli", "--home", str(self.folder / "home"), "serve"]
        log = self.folder / "server.log"
        with (
            log.open("wb") as said,
            subprocess.Popen(command, env=self.environ, stdout=said, stderr=said) as server,
        ):
            try:
                self._wait(server, log)
                yield
            finally:
                server.terminate()
                with suppress(subprocess.TimeoutExpired):
                    server.wait(PATIENCE)
                server.kill()

    @property
    def base_url(self) -> str:
        """Where SCIM is."""
        return f"{self.url}/scim/v2"

    def token(self, client: str, *, dialect: str = "strict") -> str:
        """Make a token that may do everything over SCIM."""
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        words = ("--client", client, "--dialect", dialect, *scopes)
        return str(self.command("token", "create", *words)["token"])

    @contextmanager
    def connection(self, token: str) -> Iterator[httpx2.Client]:
        """Connect to SCIM with a token."""
        headers = {"Authorization": f"Bearer {token}"}
        with httpx2.Client(base_url=self.base_url, headers=headers, timeout=PATIENCE) as connection:
            yield connection

    @contextmanager
    def client(self, name: str) -> Iterator[SyncSCIMClient]:
        """Give a client that may do everything; it checks every answer against the RFC."""
        with self.connection(self.token(name)) as connection:
            yield SyncSCIMClient(connection)

    def get_mobile_id(self, user_id: str) -> str:
        """Let a user get a mobile ID with a phone, and return its id."""
        person = FrontEnd.of(self._front_end(), user_id)
        shown = person.act(person.start(GET), "next")
        picture = self.folder / f"{user_id}.png"
        picture.write_bytes(person.picture(shown))
        phone = Phone(PHONE, self.folder / user_id, [str(picture)], "A phone")
        try:
            number = str(phone.hears("claimed")["number"])
            phone.hears("keys_sent")
            person.act(person.wait_for(shown, step="approve"), "next", number=number)
            phone.hears("active")
        finally:
            phone.stop()
        return str(shown["mobile_id"])

    def _front_end(self) -> dict[str, str]:
        name = f"front-end-{secrets.token_hex(4)}"
        key = ec.generate_private_key(ec.SECP256R1())
        public = self.folder / f"{name}.pem"
        public.write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        self.command("frontend", "add", name, "--public-key", str(public))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {"base_url": self.url, "frontend": name, "frontend_key": private.decode()}

    def _wait(self, server: subprocess.Popen[bytes], log: Path) -> None:
        pause = threading.Event()
        for _ in range(int(PATIENCE / 0.1)):
            with suppress(httpx2.TransportError):
                if httpx2.get(f"{self.url}/readyz", timeout=PATIENCE).is_success:
                    return
            assert server.poll() is None, log.read_text("utf-8")
            pause.wait(0.1)
        pytest.fail(f"The server does not answer: {log.read_text('utf-8')}")


@pytest.fixture(scope="session", params=DATABASES)
def site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Site]:
    """A site that is served, on a database of each kind."""
    folder = tmp_path_factory.mktemp(f"site-{request.param}")
    port = str(free_port())
    database_url = f"sqlite:///{folder / 'home' / 'mobid.db'}"
    if request.param == "postgresql":
        postgresql: PostgreSQL = request.getfixturevalue("postgresql_server")
        database_url = postgresql.url(postgresql.create())
    environ = {
        **os.environ,
        "MOBID_LISTEN_PORT": port,
        "MOBID_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "MOBID_DATABASE_URL": database_url,
    }
    made = Site(folder, f"http://127.0.0.1:{port}", database_url, environ)
    made.command("init")
    with made.served():
        yield made


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """What finds a port that nobody listens at."""
    return _free_port


def _free_port() -> int:
    for _ in range(100):
        port = secrets.choice(_PORTS)
        with closing(socket.socket()) as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    pytest.fail("There is no free port.")
