"""Ours beside the peer: the same users, the same requests, in the same minutes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .client import Ask, ask_all
from .filling import fill
from .measuring import as_json, idle, measure
from .people import person
from .report import Table, figure
from .rows import COMPARED, look_round
from .servers import PostgreSQL, peer, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from .measuring import Measured, Plan, Results
    from .servers import Server

OURS: Final = {"sqlite": "mobid, SQLite", "postgresql": "mobid, PostgreSQL"}
PEER: Final = "scim2-flask"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One row of ours against the peer."""

    row: str
    ours: Measured | None
    peers: Measured
    goal: float

    @property
    def ratio(self) -> float | None:
        """Our CPU as a part of the peer's; nothing where we do not have this row."""
        return None if self.ours is None else self.ours.cpu_ms / self.peers.cpu_ms

    @property
    def rounds(self) -> str:
        """The ratio in the best and in the worst round."""
        if self.ours is None:
            return ""
        each = [ours / theirs for ours, theirs in zip(self.ours.cpu, self.peers.cpu, strict=True)]
        return f"{min(each):.2f}-{max(each):.2f}"

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.ratio is not None and self.ratio <= self.goal


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a whole run found."""

    users: int
    plan: Plan
    results: Results
    idle: Mapping[str, float]
    """CPU milliseconds per second of each server while nobody asks."""

    def verdicts(self, ours: str) -> list[Verdict]:
        """Return the rows of one of our databases."""
        return [
            Verdict(row.name, found.get(ours), found[PEER], row.goal)
            for row in COMPARED
            if row.goal is not None and PEER in (found := self.results[row.name])
        ]

    @property
    def databases(self) -> list[str]:
        """Return which of our databases were measured."""
        return [name for name in OURS.values() if any(name in one for one in self.results.values())]

    def tables(self) -> Iterator[Table]:
        """Tell it as tables, one for each of our databases."""
        for name in self.databases:
            yield Table(
                title=f"{name}, beside {PEER}, at {self.users:,} users",
                head=(
                    *("", "CPU ms", "peer's", "ratio", "rounds", "goal", "met"),
                    *("p50 ms", "p95 ms", "peer's p50", "p95"),
                ),
                rows=tuple(map(_told, self.verdicts(name))),
            )

    def as_json(self) -> Mapping[str, object]:
        """Return it for a program."""
        verdicts = {
            name: {
                one.row: {"ratio": one.ratio, "goal": one.goal, "met": one.met}
                for one in self.verdicts(name)
            }
            for name in self.databases
        }
        return {
            "users": self.users,
            "verdicts": verdicts,
            "measured": as_json(self.results),
            "idle_cpu_ms_per_second": self.idle,
        }


def compare(
    folder: Path, databases: Sequence[str], users: int, plan: Plan, told: Callable[[str], object]
) -> Comparison:
    """Start all servers, fill them, and measure them in turn."""
    with ExitStack() as stack:
        servers = []
        for name in databases:
            postgresql = None
            if name == "postgresql":
                postgresql = PostgreSQL(folder / "pgdata")
                stack.callback(postgresql.close)
            home = site(OURS[name], folder / name, postgresql)
            told(f"{OURS[name]}: {fill(home.database_url, users):.0f} s to fill in {users:,} users")
            servers.append(stack.enter_context(home.serving()))
        servers.append(stack.enter_context(peer(folder)))
        _fill_over_http(servers[-1], users, plan)
        told(f"{PEER}: filled in, over HTTP")
        populations = [(server, look_round(server, users)) for server in servers]
        results = measure(COMPARED, populations, plan, told)
        unasked = idle(servers)
        doing = (f"{name} {figure(each)}" for name, each in unasked.items())
        told(f"idle, CPU ms per second: {', '.join(doing)}")
        return Comparison(users, plan, results, unasked)


def _fill_over_http(server: Server, users: int, plan: Plan) -> None:
    asks = (Ask("POST", "/Users", person(number), statuses=(201,)) for number in range(users))
    ask_all(server, asks, connections=plan.connections)


def _told(verdict: Verdict) -> tuple[str, ...]:
    theirs = verdict.peers
    others = (figure(theirs.latency_ms(0.5)), figure(theirs.latency_ms(0.95)))
    if verdict.ours is None or verdict.ratio is None:
        missing = ("not there", figure(theirs.cpu_ms), "", "", f"{verdict.goal:.2f}", "NO", "", "")
        return (verdict.row, *missing, *others)
    return (
        verdict.row,
        figure(verdict.ours.cpu_ms),
        figure(theirs.cpu_ms),
        f"{verdict.ratio:.3f}",
        verdict.rounds,
        f"{verdict.goal:.2f}",
        "yes" if verdict.met else "NO",
        figure(verdict.ours.latency_ms(0.5)),
        figure(verdict.ours.latency_ms(0.95)),
        *others,
    )
