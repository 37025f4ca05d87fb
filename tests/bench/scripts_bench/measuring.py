"""The ways to run a script, side by side: each measured in turn, round by round."""

from __future__ import annotations

import json
import logging
import os
import resource
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mobid_scripts import execution
from mobid_scripts.answer import outcome_of
from mobid_scripts.development import DevelopmentServer
from mobid_scripts.limits import LAYERS, Limits
from mobid_scripts.sandbox import Sandbox
from scripts_bench.words import (  # type: ignore[import-not-found]  # found beside scripts.py
    BOMB,
    DECIDED,
    DECLARATION,
    DEFAULTS,
    LOOP,
    NOW,
    TYPICAL,
    USER,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_WALL_LIMIT: Final = 0.3


@dataclass(slots=True)
class Row:
    """One way to run, and how long its runs took, in milliseconds."""

    name: str
    goal: float | None = None
    times: list[float] = field(default_factory=list)
    cpu: float = 0.0
    """What all runs together took of processors, ours and those of servers and children."""

    @property
    def cpu_each(self) -> float:
        """What one run took of processors."""
        return self.cpu / len(self.times)

    def at(self, part: float) -> float:
        """Return the time that this part of the runs did not exceed."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    @property
    def median(self) -> float:
        """The time of the run in the middle."""
        return statistics.median(self.times)

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the goal, if there is one."""
        return None if self.goal is None else self.median <= self.goal


def measured(rounds: int) -> list[Row]:
    """Measure every way in turn, `rounds` times."""
    walls = Row("all walls: one run", 10.0)
    inside = Row("in this process, no wall: one run")
    fresh = Row("a fresh interpreter, no wall: one run")
    late = Row(f"endless loop: answer after its limit of {_WALL_LIMIT:g} s", 50.0)
    bomb = Row("memory bomb of 64 MiB: answer after its start")
    with (
        Sandbox(DECLARATION, Limits()) as sandbox,
        Sandbox(DECLARATION, Limits(cpu_seconds=60, wall_seconds=_WALL_LIMIT)) as short,
    ):
        _through(sandbox)
        _through(short)
        server = sandbox.server_pid
        for number in range(rounds):
            _timed(walls, lambda: _through(sandbox), server)
            _timed(inside, _in_process)
            if number % 10 == 0:
                _timed(fresh, _in_fresh_interpreter)
                _timed(bomb, lambda: _killed(sandbox, BOMB), server)
                _timed(late, lambda: _killed(short, LOOP), short.server_pid)
                late.times[-1] -= _WALL_LIMIT * 1000
                late.cpu = 0.0  # the loop is at work until its limit; that says nothing
    return [walls, inside, fresh, late, bomb]


def _timed(row: Row, run: Callable[[], None], server: int | None = None) -> None:
    before, started = _cpu(server), time.perf_counter()
    run()
    row.times.append((time.perf_counter() - started) * 1000)
    row.cpu += (_cpu(server) - before) * 1000


def _cpu(server: int | None) -> float:
    """Return the seconds of processors that we, our children and a fork server with its own have had."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = time.process_time() + children.ru_utime + children.ru_stime
    if server is not None:
        stat = Path(f"/proc/{server}/stat").read_text("ascii").rpartition(")")[2].split()
        # utime, stime, cutime and cstime in ticks: coarse for one run, right for hundreds.
        used += sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")
    return used


def _through(sandbox: Sandbox) -> None:
    outcome = sandbox.run(TYPICAL, USER, defaults=DEFAULTS, now=NOW)
    if outcome.options != DECIDED or outcome.layers != LAYERS:
        raise SystemExit(f"A run went wrong, or not behind all walls: {outcome}")


def _killed(sandbox: Sandbox, source: str) -> None:
    outcome = sandbox.run(source, USER, defaults=DEFAULTS, now=NOW)
    if outcome.outcome != "killed_by_limit":
        raise SystemExit(f"A limit did not hold: {outcome}")


def _request() -> dict[str, object]:
    now = NOW.isoformat()
    return {"only_check": False, "source": TYPICAL, "user": USER, "defaults": DEFAULTS, "now": now}


def _in_process() -> None:
    _checked(json.dumps(execution.run(_request(), DECLARATION)).encode())


def _in_fresh_interpreter() -> None:
    reply = _FRESH.exchange(json.dumps(_request()).encode())
    _checked(reply.answer or b"")


def _checked(answer: bytes) -> None:
    if outcome_of(answer, DECLARATION, NOW, TYPICAL).options != DECIDED:
        raise SystemExit("A run went wrong.")


logging.disable()  # development mode, with which we compare, is loud on purpose
_FRESH: Final = DevelopmentServer(DECLARATION, Limits())
