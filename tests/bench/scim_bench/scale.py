"""What a query costs at ten thousand users, and at many more: indexed ones are to stay flat."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .filling import fill
from .measuring import as_json, measure
from .report import Table, figure
from .rows import SCALED, look_round
from .servers import PostgreSQL, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from .measuring import Plan, Results

GOAL: Final = 1.5
"""The most that an indexed query may cost at the largest size, against the smallest."""
DATABASES: Final = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass(frozen=True, slots=True)
class Growth:
    """What a whole run found."""

    databases: Sequence[str]
    sizes: Sequence[int]
    results: Results

    def ratio(self, row: str, database: str) -> float | None:
        """Return the cost at the largest size against that at the smallest; none where it is not there."""
        found = self.results[row]
        least, most = (_name(database, size) for size in (self.sizes[0], self.sizes[-1]))
        return found[most].cpu_ms / found[least].cpu_ms if most in found else None

    def tables(self) -> Iterator[Table]:
        """Tell it as tables, one for each database."""
        for database in self.databases:
            sizes = [f"{size:,}" for size in self.sizes]
            yield Table(
                title=f"{DATABASES[database]}: CPU ms per request, by number of users",
                head=("", *sizes, "ratio", "goal", "met", f"p95 ms at {sizes[-1]}"),
                rows=tuple(self._rows(database)),
            )

    def as_json(self) -> Mapping[str, object]:
        """Return it for a program."""
        ratios = {
            database: {row.name: self.ratio(row.name, database) for row in SCALED}
            for database in self.databases
        }
        return {"sizes": self.sizes, "ratios": ratios, "measured": as_json(self.results)}

    def _rows(self, database: str) -> Iterator[tuple[str, ...]]:
        for row in SCALED:
            ratio = self.ratio(row.name, database)
            if ratio is None:
                yield (row.name, *["not there"] * len(self.sizes), "", "", "NO", "")
                continue
            found = [self.results[row.name][_name(database, size)] for size in self.sizes]
            goal, met = ("", "no index") if not row.indexed else (f"{GOAL:.1f}", _met(ratio))
            cpu = [figure(one.cpu_ms) for one in found]
            yield (row.name, *cpu, f"{ratio:.2f}", goal, met, figure(found[-1].latency_ms(0.95)))


def grow(
    folder: Path,
    databases: Sequence[str],
    sizes: Sequence[int],
    plan: Plan,
    told: Callable[[str], object],
) -> Growth:
    """Fill a database of each size, run a server on each, and measure them in turn."""
    with ExitStack() as stack:
        servers = []
        for database in databases:
            postgresql = None
            if database == "postgresql":
                postgresql = PostgreSQL(folder / "pgdata")
                stack.callback(postgresql.close)
            for size in sizes:
                name = _name(database, size)
                home = site(name, folder / f"{database}{size}", postgresql)
                told(f"{name}: {fill(home.database_url, size):.0f} s to fill in")
                server = stack.enter_context(home.serving())
                servers.append((server, look_round(server, size)))
        return Growth(databases, sizes, measure(SCALED, servers, plan, told))


def _name(database: str, size: int) -> str:
    return f"{DATABASES[database]}, {size:,} users"


def _met(ratio: float) -> str:
    return "yes" if ratio <= GOAL else "NO"
