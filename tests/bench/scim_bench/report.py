"""How figures are told: tables for a terminal and in Markdown, and what machine they are from."""

from __future__ import annotations

import os
import platform
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .measuring import Plan

_ASKED: Final = ("mobid", "scim2-flask", "scim2-server", "flask", "waitress", "sqlalchemy")
_LARGE: Final = 100.0
_SMALL: Final = 10.0


@dataclass(frozen=True, slots=True)
class Table:
    """Cells under a title; the first column is text, the others are figures."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def lines(self) -> Iterator[str]:
        """Tell it to a terminal."""
        cells = [self.head, *self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        yield self.title
        for row in cells:
            first, *others = (
                cell.rjust(width) if number else cell.ljust(width)
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            yield "  ".join(["", first, *others]).rstrip()

    def markdown(self) -> Iterator[str]:
        """Tell it to a reader of a file."""
        yield f"## {self.title}"
        yield ""
        yield _line(self.head)
        yield _line(["---", *["---:"] * (len(self.head) - 1)])
        yield from map(_line, self.rows)
        yield ""


def figure(value: float) -> str:
    """Return milliseconds with the digits that mean something."""
    if value >= _LARGE:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= _SMALL else f"{value:.2f}"


def markdown(title: str, tables: Sequence[Table], notes: Sequence[str], plot: str | None) -> str:
    """Return a whole page."""
    lines = [f"# {title}", "", *(f"- {note}" for note in notes), ""]
    if plot is not None:
        lines += [f"![The figures as bars]({plot})", ""]
    for table in tables:
        lines += table.markdown()
    return "\n".join(lines)


def surroundings() -> Mapping[str, object]:
    """Return what a figure depends on besides the code."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "load": [round(each, 1) for each in os.getloadavg()],
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": _packages(),
    }


def notes(plan: Plan) -> list[str]:
    """Return what a reader has to know about the figures."""
    where = surroundings()
    machine = (
        f"{where['at']}, {where['cores']} cores ({where['cpu']}), load {where['load']}, "
        f"Python {where['python']}, SQLite {where['sqlite']}"
    )
    how = (
        f"{plan.rounds} rounds, {plan.requests} requests per round (fewer of the slow ones), "
        f"{plan.connections} connections; the figure is the median of the rounds"
    )
    what = (
        "CPU is that of the server, and with PostgreSQL of the database, too. Ours authenticates, "
        "audits, logs and is durable; the peer keeps all in memory and knows no caller."
    )
    packages = ", ".join(f"{name} {number}" for name, number in _packages().items())
    return [machine, packages, how, what]


def _packages() -> Mapping[str, str]:
    return {name: _version(name) for name in _ASKED}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not there"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
