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

from mobid.cli.demo.actors import FrontEnd, Phone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import PostgreSQL

DATABASES: Final = ("sqlite", "postgresql")
PATIENCE: Final = 30.0
PHONE: Final = Path(__file__).parents[2] / "examples" / "phone" / "phone.py"
GET: Final = "MobileIDSelfServiceProcGet"
_PORTS: Final = range(20_000, 32_000)


@dataclass(frozen=True)
class Site:
    """A home, made with the commands that a site engineer has; `served` runs it."""

    folder: Path
    url: str
    environ: dict[str, str]

    def command(self, *words: str) -> Any:
        """Run a command of `mobid`, and return what it answers."""
        command = [sys.executable, "-m", "mobid.cli", "--home", str(self.folder / "home"), *words]
        done = subprocess.run(
            [*command, "-o", "json"],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

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

    @contextmanager
    def client(self, name: str) -> Iterator[SyncSCIMClient]:
        """Give a client that may do everything; it checks every answer against the RFC."""
        scopes = ("scim:read", "scim:write", "mobile-ids:write")
        words = [word for scope in scopes for word in ("--scope", scope)]
        token = self.command("token", "create", "--client", name, *words)["token"]
        with httpx2.Client(
            base_url=f"{self.url}/scim/v2",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        ) as connection:
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
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A site that is served, on a database of each kind."""
    folder = tmp_path_factory.mktemp(f"site-{request.param}")
    port = str(_free_port())
    environ = {
        **os.environ,
        "MOBID_LISTEN_PORT": port,
        "MOBID_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    if request.param == "postgresql":
        postgresql: PostgreSQL = request.getfixturevalue("postgresql_server")
        environ["MOBID_DATABASE_URL"] = postgresql.url(postgresql.create())
    made = Site(folder, f"http://127.0.0.1:{port}", environ)
    made.command("init")
    with made.served():
        yield made


def _free_port() -> int:
    for _ in range(100):
        port = secrets.choice(_PORTS)
        with closing(socket.socket()) as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    pytest.fail("There is no free port.")
