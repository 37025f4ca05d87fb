"""The commands: a table of figures, or the soak."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from typing import TYPE_CHECKING

from scripts_bench.measuring import measured  # type: ignore[import-not-found]  # found beside scripts.py
from scripts_bench.soak import soak  # type: ignore[import-not-found]  # the same

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Measure, or soak; return 1 if the soak was not clean. Goals that are not met are told, no more."""
    parser = argparse.ArgumentParser(description="What option scripts cost behind their walls.")
    parser.add_argument("--rounds", type=int, default=300, help="how many runs of each way")
    parser.add_argument("--quick", action="store_true", help="few rounds: where about one is")
    parser.add_argument("--soak", type=int, metavar="RUNS", help="run hostile scripts instead")
    parser.add_argument("--threads", type=int, default=8, help="of the soak")
    asked = parser.parse_args(arguments)
    if asked.soak:
        return _soak(asked.soak, asked.threads)
    return _table(30 if asked.quick else asked.rounds)


def _soak(runs: int, threads: int) -> int:
    soaked = soak(runs, threads)
    ends = ", ".join(f"{name} {count}" for name, count in sorted(soaked.outcomes.items()) if count)
    _say(
        f"{runs} hostile runs on {threads} threads with {soaked.honest} honest ones, {soaked.seconds:.1f} s"
    )
    _say(f"hostile ones ended: {ends}")
    _say(f"wrong honest answers: {soaked.wrong}; goals reached: {soaked.reached}")
    _say(f"same fork server: {soaked.same_server}; children left: {soaked.children}")
    _say(f"descriptors before and after: {soaked.descriptors[0]}, {soaked.descriptors[1]}")
    _say("clean" if soaked.clean else "NOT CLEAN")
    return 0 if soaked.clean else 1


def _table(rounds: int) -> int:
    load = os.getloadavg()[0]
    python = platform.python_version()
    _say(f"CPython {python}, {os.cpu_count()} processors, load {load:.1f}, {rounds} rounds, ms\n")
    _say("| | p50 | p95 | processor time | goal (p50) | met |\n|---|---|---|---|---|---|")
    for row in measured(rounds):
        goal = "" if row.goal is None else f"{row.goal:g}"
        met = {None: "", True: "yes", False: "no"}[row.met]
        cpu = f"{row.cpu_each:.1f}" if row.cpu else ""
        figures = f"{row.median:.1f} | {row.at(0.95):.1f} | {cpu}"
        _say(f"| {row.name} | {figures} | {goal} | {met} |")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
