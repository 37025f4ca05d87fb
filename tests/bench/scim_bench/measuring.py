"""Measuring: rounds in which every server gets the same requests, one server right after the other.

What disturbs the machine for a while disturbs all of them; the median of the rounds leaves out what
disturbed one.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from .client import ask_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .people import Population
    from .rows import Row
    from .servers import Server

SEED: Final = 7


@dataclass(slots=True)
class Measured:
    """What one row took at one server."""

    cpu: list[float] = field(default_factory=list)
    """CPU milliseconds per request, one figure per round."""
    latency: list[float] = field(default_factory=list)
    """Milliseconds of every request."""

    @property
    def cpu_ms(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.cpu)

    def latency_ms(self, part: float) -> float:
        """Return what this part of the requests did not exceed."""
        ordered = sorted(self.latency)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


Results = dict[str, dict[str, Measured]]
"""By row, and by server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    rounds: int
    requests: int
    connections: int


def measure(
    rows: Sequence[Row],
    servers: Sequence[tuple[Server, Population]],
    plan: Plan,
    told: Callable[[str], object],
) -> Results:
    """Measure every row at every server that has it; raise WrongAnswer."""
    results: Results = {row.name: defaultdict(Measured) for row in rows}
    _warm_up(rows, servers, plan)
    for number in range(plan.rounds):
        told(f"round {number + 1} of {plan.rounds}")
        # Who comes first changes with every round.
        turns = [*servers[number % len(servers) :], *servers[: number % len(servers)]]
        for row in rows:
            for server, population in turns:
                if _has(row, population):
                    into = results[row.name][server.name]
                    _measure_one(row, server, population, plan, into, seed=SEED + number)
    return results


def _warm_up(rows: Sequence[Row], servers: Sequence[tuple[Server, Population]], plan: Plan) -> None:
    """Let every thread of every server have seen every row, so that caches and pools are full."""
    for row in rows:
        for server, population in servers:
            if _has(row, population):
                asks = row.asks(population, 4 * plan.connections, seed=SEED)
                ask_all(server, asks, connections=plan.connections)


def _measure_one(
    row: Row, server: Server, population: Population, plan: Plan, into: Measured, *, seed: int
) -> None:
    asks = row.asks(population, plan.requests, seed=seed)
    before = server.cpu_seconds()
    seconds = ask_all(server, asks, connections=plan.connections)
    into.cpu.append((server.cpu_seconds() - before) * 1000 / len(asks))
    into.latency += [1000 * each for each in seconds]


def idle(servers: Sequence[Server], *, seconds: float = 5.0) -> Mapping[str, float]:
    """Return the CPU milliseconds per second of each server that is asked nothing."""
    before = [server.cpu_seconds() for server in servers]
    time.sleep(seconds)
    used = (server.cpu_seconds() - begun for server, begun in zip(servers, before, strict=True))
    return {server.name: 1000 * each / seconds for server, each in zip(servers, used, strict=True)}


def _has(row: Row, population: Population) -> bool:
    return bool(population.cursors) or not row.by_cursor


def as_json(results: Results) -> Mapping[str, object]:
    """Return the figures for a program."""
    return {
        row: {
            server: {
                "cpu_ms": round(one.cpu_ms, 4),
                "cpu_ms_by_round": [round(each, 4) for each in one.cpu],
                "p50_ms": round(one.latency_ms(0.5), 3),
                "p95_ms": round(one.latency_ms(0.95), 3),
                "requests": len(one.latency),
            }
            for server, one in servers.items()
        }
        for row, servers in results.items()
    }
