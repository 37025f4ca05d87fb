"""The run: request after request, each judged, and the server looked at as a whole before and after."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from . import bodies
from .judging import faults_of
from .line import Line, Sent
from .world import ENDPOINTS, World
from .writing import next_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .line import Answer

MORE_MEMORY: Final = 96 * 2**20
"""Bytes by which a server may grow after its first tenth of requests: caches fill, and no more."""
_SHOWN: Final = 1_500
_FIRST: Final = 12
_BAD_LINE: Final = re.compile(r"Traceback|\b(?:error|critical|exception)\b", re.IGNORECASE)
# A client that deletes as many as this one is to be looked at.
_ALARM: Final = "mass_change_alarm"


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs: where, as which process, and what it says."""

    port: int
    pid: int
    log: Path
    tokens: Mapping[str, str]
    host: str = "127.0.0.1"

    def memory(self) -> int:
        """Return the bytes that the process has in memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * 4096


@dataclass
class Found:
    """What a run has found."""

    seed: int
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    compared: int = 0
    grown: int = 0

    def __str__(self) -> str:
        """Return what a person reads."""
        counts = ", ".join(
            f"{status}: {number}" for status, number in sorted(self.statuses.items())
        )
        shown = "\n".join(self.faults[:_FIRST])
        return (
            f"seed {self.seed}: {self.statuses.total()} requests, {len(self.faults)} faults; {counts}; "
            f"{self.compared} refusals compared with what was there; grown by {self.grown >> 20} MiB\n{shown}"
        )


def run(
    target: Target,
    *,
    requests: int,
    seed: int,
    tell: Callable[[Found, int], None] = lambda *_: None,
) -> Found:
    """Send so many requests, and return what was found; the seed makes the same ones again."""
    found, line = Found(seed), Line(target.host, target.port)
    rng, world = Random(seed), World(target.tokens)  # noqa: S311  # it is to come again
    said = len(_said(target))
    for sent in _first_of_all(rng, world):
        _exchange(line, world, sent, found, 0)
    memory = 0
    for number in range(1, requests + 1):
        sent = next_request(rng, world)
        before = _looked_at(line, world, sent) if rng.random() < 0.15 else None
        answer = _exchange(line, world, sent, found, number)
        if before is not None and answer is not None and 400 <= answer.status < 500:
            found.compared += 1
            if _looked_at(line, world, sent) != before:
                found.faults.append(
                    _told("is refused, and changes something", number, sent, answer)
                )
        if number == max(1, requests // 10):
            memory = target.memory()
        tell(found, number)
    line.close()
    found.grown = target.memory() - memory
    found.faults += _faults_of_server(target, found, said)
    return found


def _first_of_all(rng: Random, world: World) -> Iterator[Sent]:
    """Give the requests that put somebody there to speak of."""
    for endpoint in (*ENDPOINTS[:1] * 12, *ENDPOINTS[1:2] * 5, *ENDPOINTS[2:] * 5):
        yield _plain(world, "POST", endpoint, bodies.resource(rng, world, endpoint))


def _plain(world: World, method: str, path: str, body: dict[str, Any] | None = None) -> Sent:
    data = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} /scim/v2{path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {world.tokens['strict']}\r\n"
        f"Content-Type: application/scim+json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return Sent(kind="plain", method=method, endpoint=path, raw=head.encode() + data)


def _exchange(line: Line, world: World, sent: Sent, found: Found, number: int) -> Answer | None:
    try:
        answer = line.ask(sent)
    except TimeoutError:
        line.close()
        answer = None
    status = 0 if answer is None else answer.status
    found.statuses[status] += 1
    found.kinds[sent.kind, status] += 1
    found.faults += [_told(fault, number, sent, answer) for fault in faults_of(sent, answer)]
    if answer is not None:
        world.learn(sent, answer)
    return answer


def _looked_at(line: Line, world: World, sent: Sent) -> object:
    """Return what must stay as it is if a request is refused: a resource, or how many there are."""
    if sent.touches is not None:
        answer = line.ask(_plain(world, "GET", sent.touches))
        return None if answer is None else (answer.status, answer.body)
    if sent.method in {"GET", "HEAD"}:
        return None
    counts = (line.ask(_plain(world, "GET", f"{one}?count=0")) for one in ENDPOINTS)
    return [None if answer is None else answer.body for answer in counts]


def _told(fault: str, number: int, sent: Sent, answer: Answer | None) -> str:
    request = re.sub(rb"mid_scim_\S+", b"TOKEN", sent.raw)
    body = b"" if answer is None else answer.body
    return f"#{number} {sent.kind} {fault}\n    {request[:_SHOWN]!r}\n    -> {body[:600]!r}"


def _said(target: Target) -> str:
    return target.log.read_text("utf-8", "replace")


def _faults_of_server(target: Target, found: Found, said: int) -> Iterator[str]:
    if not Path(f"/proc/{target.pid}").exists():
        yield "the server is gone"
    if found.grown > MORE_MEMORY:
        yield f"the server has grown by {found.grown >> 20} MiB"
    bad = [
        line
        for line in _said(target)[said:].splitlines()
        if _BAD_LINE.search(line) and _ALARM not in line
    ]
    yield from (f"the log says: {line[:500]}" for line in bad[:5])
