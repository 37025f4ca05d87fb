"""The client: one connection that is kept, and every answer checked."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .servers import Server

TIMEOUT: Final = 120.0


class WrongAnswer(Exception):
    """A server did not answer as the row expects; its figure would be about something else."""

    def __init__(self, server: str, ask: Ask, status: int, body: bytes) -> None:
        self.status = status
        said = body[:300].decode(errors="replace")
        super().__init__(
            f"{server}: {ask.method} {ask.path} answered {status}, and not "
            f"{' or '.join(map(str, ask.statuses))} with at least {ask.least} resources: {said}"
        )


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and the least that its answer must have to count."""

    method: str
    path: str
    body: object = None
    statuses: tuple[int, ...] = (200,)
    least: int = 0
    """Resources in a list."""

    def is_met_by(self, status: int, body: bytes) -> bool:
        """Tell whether the answer is the one that is measured."""
        if status not in self.statuses:
            return False
        return not self.least or len(json.loads(body).get("Resources", ())) >= self.least


class Line:
    """One connection to a server."""

    def __init__(self, server: Server) -> None:
        self._server: Final = server
        self._connection: Final = HTTPConnection(server.host, server.port, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def asked(self, ask: Ask) -> float:
        """Return the seconds until the whole answer was here; raise WrongAnswer."""
        body = None if ask.body is None else json.dumps(ask.body).encode()
        begun = time.perf_counter()
        status, answer = self._exchange(ask, body)
        seconds = time.perf_counter() - begun
        if not ask.is_met_by(status, answer):
            raise WrongAnswer(self._server.name, ask, status, answer)
        return seconds

    def read(self, path: str) -> dict[str, Any]:
        """Return what a GET answers; raise WrongAnswer."""
        ask = Ask("GET", path)
        status, answer = self._exchange(ask, None)
        if not ask.is_met_by(status, answer):
            raise WrongAnswer(self._server.name, ask, status, answer)
        found: dict[str, Any] = json.loads(answer)
        return found

    def _exchange(self, ask: Ask, body: bytes | None) -> tuple[int, bytes]:
        headers = dict(self._server.headers)
        if body is not None:
            headers["Content-Type"] = "application/scim+json"
        self._connection.request(ask.method, self._server.base + ask.path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()


def ask_all(server: Server, asks: Iterable[Ask], *, connections: int) -> list[float]:
    """Ask everything over so many connections at once; return the seconds of each."""
    waiting, lock = iter(asks), threading.Lock()
    seconds: list[float] = []
    faults: list[Exception] = []

    def work() -> None:
        with Line(server) as line:
            while not faults:
                with lock:
                    ask = next(waiting, None)
                if ask is None:
                    return
                try:
                    seconds.append(line.asked(ask))
                except Exception as fault:  # noqa: BLE001  # it is raised where they are waited for
                    faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return seconds
