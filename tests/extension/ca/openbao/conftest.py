"""What the tests of the connector to OpenBao share: a mount in a real one, and a server that misbehaves."""

from __future__ import annotations

import re
import select
import socket
import socketserver
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from mobid.ca import Surroundings
from mobid.ca.openbao import OpenBaoSettings, create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from examples.openbao.openbao_dev import DevServer
    from tests.conftest import StandingClock

    from mobid.ca.openbao.authority import OpenBaoCA


@pytest.fixture
def clock(clock: StandingClock) -> StandingClock:
    """The time of day, standing still: OpenBao looks at its own clock."""
    clock.now = datetime.now(UTC)
    return clock


@dataclass
class Mount:
    """A mount in a real OpenBao, set up by an operator."""

    server: DevServer
    settings: dict[str, Any]
    clock: Callable[[], datetime]

    @property
    def name(self) -> str:
        """Its path."""
        return str(self.settings["mount"])

    @property
    def token_file(self) -> Path:
        """Where our token is."""
        return Path(self.settings["token_file"])

    def ca(self, **changed: object) -> OpenBaoCA:
        """Return the CA with these settings, or with some changed."""
        surroundings = Surroundings(
            clock=self.clock, key_folder=self.server.folder, public_url="http://mobid.example.org"
        )
        return create(self.settings | changed, surroundings)

    def change_role(self, kind: str, **changed: object) -> None:
        """Let an operator change some of a role."""
        path = f"{self.name}/roles/mobid-{kind}"
        self.server.call("POST", path, {**self.server.call("GET", path), **changed})


@pytest.fixture
def mount_on(clock: StandingClock) -> Callable[[DevServer], Mount]:
    """Make a mount of its own for this test, for authentication and signature."""

    def make(server: DevServer) -> Mount:
        return Mount(server, server.make_pki(f"pki-{uuid.uuid4().hex}"), clock)

    return make


@pytest.fixture
def mount(openbao: DevServer, mount_on: Callable[[DevServer], Mount]) -> Mount:
    """A mount on the server of the run."""
    return mount_on(openbao)


@pytest.fixture
def ca(mount: Mount) -> OpenBaoCA:
    """The CA in that mount."""
    return mount.ca()


# --- a server that misbehaves -------------------------------------------------------------------------


@dataclass
class Mute:
    """A server on a loopback port that answers every request with the same bytes, and may hang then."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    says: bytes = b""
    repeats: bytes = b""
    """What it says again and again after that."""
    hangs: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def mute() -> Iterator[Mute]:
    """A server that closes the connection without a word, unless it is told to say something."""

    class Handler(socketserver.StreamRequestHandler):
        @override
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n") and (line := self.rfile.readline()):
                head += line
            length = re.search(rb"(?i)content-length: (\d+)", head)
            self.rfile.read(int(length[1]) if length else 0)
            script.requests.append(head)
            self.wfile.write(script.says)
            while script.repeats and not script.ended.wait(0.05):
                self.wfile.write(script.repeats)
            if script.hangs:
                script.ended.wait(20)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        @override
        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever asked has gone, which is what they are to do."""

    with Server(("127.0.0.1", 0), Handler) as server:
        script = Mute(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield script
        script.ended.set()
        server.shutdown()
        thread.join()


# --- a wire that can be cut ----------------------------------------------------------------------------


@dataclass
class Relay:
    """A wire to a server. What is said in answer to a request that has `cuts` in it does not come back."""

    upstream: tuple[str, int]
    url: str = ""
    cuts: bytes = b"\0"
    arrives: bool = True
    """Whether such a request arrives itself."""


@pytest.fixture
def relay(openbao: DevServer) -> Iterator[Relay]:
    """A wire to the real server."""

    class Handler(socketserver.BaseRequestHandler):
        @override
        def handle(self) -> None:
            with socket.create_connection(wire.upstream) as there:
                cut = False
                while True:
                    for ready in select.select([self.request, there], [], [])[0]:
                        data = ready.recv(65_536)
                        cut = cut or wire.cuts in data
                        if not data or (cut and not wire.arrives) or (cut and ready is there):
                            return
                        (there if ready is self.request else self.request).sendall(data)

    host, _, port = openbao.public_url.removeprefix("http://").partition(":")
    wire = Relay((host, int(port)))
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        wire.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield wire
        server.shutdown()
        thread.join()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A private file with a token."""
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text("s.of-nobody\n")
    return path


@pytest.fixture
def at(token_file: Path) -> Callable[..., OpenBaoSettings]:
    """Return the settings for a server at an address."""

    def settings(url: str, **more: object) -> OpenBaoSettings:
        return OpenBaoSettings.read({"url": url, "token_file": str(token_file), **more})

    return settings
