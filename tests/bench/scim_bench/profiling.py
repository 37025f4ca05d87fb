"""Where our time goes: each row alone at a server that is profiled, and the functions that take the most."""

from __future__ import annotations

import pstats
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from .client import ask_all
from .filling import fill
from .report import Table, figure
from .rows import COMPARED, look_round
from .servers import PROFILED, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .measuring import Plan

SHOWN: Final = 18

Function = tuple[str, int, str]
Costs = dict[Function, tuple[int, int, float, float, Any]]
"""Primitive calls, calls, own and whole seconds, and who called."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What one row made our server do."""

    row: str
    requests: int
    costs: Costs

    def table(self) -> Table:
        """Tell the functions with the most time of their own, and the most with what they call."""
        by_own = sorted(self.costs.items(), key=lambda one: -one[1][2])[:SHOWN]
        by_whole = sorted(self.costs.items(), key=lambda one: -one[1][3])[: 3 * SHOWN]
        shown = [self._cells("own", *one) for one in by_own]
        shown += [self._cells("whole", *one) for one in by_whole if _is_ours(one[0])]
        return Table(
            title=f"{self.row}: CPU ms per request under the profiler, {self.requests} requests",
            head=("function", "by", "own", "whole", "calls"),
            rows=shown,
        )

    def _cells(
        self, by: str, where: Function, cost: tuple[int, int, float, float, Any]
    ) -> tuple[str, ...]:
        _, calls, own, whole, _ = cost
        each = 1000 / self.requests
        return (
            _name(where),
            by,
            figure(own * each),
            figure(whole * each),
            f"{calls / self.requests:.1f}",
        )


def profiles(
    folder: Path, users: int, plan: Plan, told: Callable[[str], object]
) -> Iterator[Profile]:
    """Fill a SQLite, and ask each row at a server of its own."""
    home = site("mobid, SQLite", folder / "sqlite", None)
    fill(home.database_url, users)
    for number, row in enumerate(COMPARED):
        statistics = folder / f"{number}.prof"
        told(row.name)
        with home.serving([sys.executable, str(PROFILED), str(statistics)]) as server:
            population = look_round(server, users, pages=1)
            if row.by_cursor and not population.cursors:
                continue
            # A created user is created once, however many servers there were.
            for _ in range(number * plan.requests):
                next(population.fresh)
            asks = replace(row, weight=1).asks(population, plan.requests, seed=number)
            ask_all(server, asks, connections=plan.connections)
        costs = cast("Costs", pstats.Stats(str(statistics)).stats)  # type: ignore[attr-defined]  # typeshed has it not
        yield Profile(row.name, len(asks), costs)


def _is_ours(where: Function) -> bool:
    return "mobid" in where[0]


def _name(where: Function) -> str:
    path, line, function = where
    if path == "~":
        return function
    parts = Path(path).parts
    return f"{'/'.join(parts[-2:])}:{line} {function}"


def tables(found: Sequence[Profile]) -> list[Table]:
    """Tell all of them."""
    return [one.table() for one in found]
