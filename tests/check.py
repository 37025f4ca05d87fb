"""The one check command: format, lint, imports, types, tests, coverage. Exits with 1 if any of them failed.

    .venv/bin/python tests/check.py

The linters run beside the tests; each says how it went as soon as it is done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
PYTHON: Final = sys.executable
LINT_IMPORTS: Final = str(Path(PYTHON).with_name("lint-imports"))

LINTERS: Final = {
    "format": [PYTHON, "-m", "ruff", "format", "--check"],
    "lint": [PYTHON, "-m", "ruff", "check"],
    "imports": [LINT_IMPORTS],
    "types": [PYTHON, "-m", "mypy"],
}
TESTS: Final = [
    *[PYTHON, "-m", "coverage", "run", "-m", "pytest", "-n", "3", "--dist", "worksteal"],
    *["-o", "tmp_path_retention_policy=failed"],
]
COMBINE: Final = [PYTHON, "-m", "coverage", "combine", "--quiet"]
REPORT: Final = [PYTHON, "-m", "coverage", "report"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one check went."""

    name: str
    seconds: float
    passed: bool
    output: str

    def __str__(self) -> str:
        return f"{self.name:<10} {self.seconds:6.1f} s  {'ok' if self.passed else 'FAILED'}"


MEMORY: Final = Path("/dev/shm")  # noqa: S108  # only below folders of pytest's own, which are private
ROOM: Final = 4 * 2**30
"""Bytes that must be free there."""


def main() -> int:
    """Run everything, print each outcome, and return the exit code."""
    # Tests start many processes; each of them would compile all of mobid anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM:
        # Databases of tests write through to the disk like any other; a disk in memory is quick at that.
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    with tempfile.TemporaryDirectory(prefix="mobid-coverage-") as data:
        os.environ["COVERAGE_FILE"] = str(Path(data, "coverage"))
        with ThreadPoolExecutor(max_workers=1) as beside:
            linting = [beside.submit(run, name, command) for name, command in LINTERS.items()]
            tests = run("tests", TESTS, show=True)
            outcomes = [lint.result() for lint in linting]
        outcomes += [run("coverage", COMBINE, REPORT), tests]
    print("\n" + "\n".join(map(str, outcomes)))
    # What pytest said last is the last line here, too: it counts what was run.
    print(tests.output.rstrip().rpartition("\n")[2])
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def run(name: str, *commands: Sequence[str], show: bool = False) -> Outcome:
    """Run commands until one fails; show their output as it comes, or only when one has failed."""
    begun = time.monotonic()
    output = ""
    passed = True
    for command in commands:
        said, passed = follow(command, show=show)
        output += said
        if not passed:
            break
    outcome = Outcome(name, time.monotonic() - begun, passed, output)
    if not show:
        print(outcome if passed else f"{outcome}\n{output}", flush=True)
    return outcome


def follow(command: Sequence[str], *, show: bool) -> tuple[str, bool]:
    """Run one command from the root; return what it said, and whether it succeeded."""
    said = []
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            said.append(line)
            if show:
                print(line, end="", flush=True)
    return "".join(said), process.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
