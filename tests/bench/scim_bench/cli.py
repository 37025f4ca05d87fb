"""The command line: comparing with the peer, growing, or profiling."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .compare import OURS, PEER, Comparison, compare
from .measuring import Plan
from .plot import Bars, Group
from .profiling import profiles
from .report import markdown, notes, surroundings
from .rows import COMPARED, SCALED
from .scale import DATABASES, Growth, grow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .report import Table

FULL: Final = Plan(rounds=7, requests=200, connections=4)
QUICK: Final = Plan(rounds=3, requests=60, connections=4)
FEW_USERS: Final = 1_000
GOALS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found, in every form in which it is told."""

    title: str
    tables: Sequence[Table]
    data: Mapping[str, object]
    bars: Bars | None = None


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return 0 if it could be measured, whatever the goals say."""
    options = _parser().parse_args(arguments)
    plan = QUICK if options.quick else FULL
    plan = Plan(
        rounds=options.rounds or plan.rounds,
        requests=options.requests or plan.requests,
        connections=options.connections,
    )
    with tempfile.TemporaryDirectory(prefix="mobid-bench-", dir=options.folder) as folder:
        found = _run(options, plan, Path(folder))
    for table in found.tables:
        _say("\n" + "\n".join(table.lines()))
    _write(options, plan, found)
    return 0


def _run(options: argparse.Namespace, plan: Plan, folder: Path) -> Found:
    users = options.users or (FEW_USERS if options.quick else GOALS)
    if options.profile:
        seen = list(profiles(folder, users, plan, _say))
        return Found("SCIM: where the time goes", [one.table() for one in seen], {})
    if options.scale:
        growth = grow(folder, options.databases, options.scale, plan, _say)
        title = "SCIM queries by the number of users"
        return Found(title, list(growth.tables()), growth.as_json(), _growth_bars(growth))
    found = compare(folder, options.databases, users, plan, _say)
    title = f"SCIM beside {PEER}"
    return Found(title, list(found.tables()), found.as_json(), _comparison_bars(found))


def _comparison_bars(found: Comparison) -> Bars:
    servers = [*found.databases, PEER]
    groups = []
    for row in COMPARED:
        measured = found.results[row.name]
        if PEER in measured and row.goal is not None:
            values = [measured[one].cpu_ms if one in measured else None for one in servers]
            groups.append(Group(row.name, values, row.goal * measured[PEER].cpu_ms))
    title = f"Server CPU per SCIM request, {found.users:,} users"
    return Bars(title, "milliseconds of CPU, logarithmic", servers, groups)


def _growth_bars(growth: Growth) -> Bars:
    groups = [
        Group(row.name, [growth.ratio(row.name, one) for one in growth.databases], goal)
        for row in SCALED
        for goal in ([1.5] if row.indexed else [None])
    ]
    title = f"Cost at {growth.sizes[-1]:,} users against {growth.sizes[0]:,}"
    return Bars(title, "times, logarithmic", [DATABASES[one] for one in growth.databases], groups)


def _write(options: argparse.Namespace, plan: Plan, found: Found) -> None:
    plot = None
    if options.plot and found.bars is not None:
        options.plot.write_text(found.bars.svg() + "\n", "utf-8")
        plot = options.plot.name
    if options.markdown:
        page = markdown(found.title, found.tables, notes(plan), plot)
        options.markdown.write_text(page, "utf-8")
    if options.json:
        whole = {"surroundings": surroundings(), **found.data}
        options.json.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scim.py", description="SCIM beside scim2-flask, by size, or under a profiler."
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--scale", type=_sizes, metavar="N,N", help="databases of these sizes instead of a peer"
    )
    mode.add_argument("--profile", action="store_true", help="where our own time goes")
    parser.add_argument("--quick", action="store_true", help="few users, requests and rounds")
    parser.add_argument("--users", type=_positive, help=f"default {GOALS:,}; quick {FEW_USERS:,}")
    parser.add_argument(
        "--rounds", type=_positive, help=f"default {FULL.rounds}; quick {QUICK.rounds}"
    )
    parser.add_argument(
        "--requests", type=_positive, help="per round, of the rows that cost little"
    )
    parser.add_argument("--connections", type=_positive, default=FULL.connections)
    parser.add_argument(
        "--databases", type=_databases, default=list(OURS), metavar="D,D", help="default: both"
    )
    parser.add_argument("--folder", type=Path, help="where databases are put while it runs")
    for name in ("markdown", "plot", "json"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _sizes(text: str) -> list[int]:
    return sorted(_positive(one) for one in text.split(","))


def _databases(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in OURS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]}: choose from {', '.join(OURS)}")
    return names
