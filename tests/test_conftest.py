"""A run that tests the two databases differently fails, and says what it missed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

PARTS: Final = Path(__file__).with_name("parts")

ALIKE = """
import pytest

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_alike(database, n):
    assert n
"""
SKIPPED_ON_ONE = """
import pytest

@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_skipped(database):
    if database == "postgresql":
        pytest.skip("no server")
"""
ON_ONE_ONLY = """
import pytest

@pytest.mark.parametrize("database", ["sqlite"])
def test_lonely(database):
    assert database
"""


def run(folder: Path, tests: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run tests in a folder of their own, with the very plugin of this suite, and without its imports."""
    folder.joinpath("test_inner.py").write_text(ALIKE + tests, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir=.", "-c", "/dev/null"]
    return subprocess.run(
        [*command, "-p", "both_databases", *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(PARTS)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class TestTheCountOfBothDatabases:
    """The check at the end of a run."""

    def test_passes_when_all_ran_on_both(self, tmp_path: Path) -> None:
        """Nothing is said about it."""
        done = run(tmp_path, "")
        assert (done.returncode, "not tested alike" in done.stdout) == (0, False)

    @pytest.mark.parametrize(
        ("tests", "missed"),
        [
            (SKIPPED_ON_ONE, "test_inner.py::test_skipped[*]"),
            (ON_ONE_ONLY, "test_inner.py::test_lonely[*]"),
        ],
    )
    def test_fails_when_one_missed_a_test(self, tmp_path: Path, tests: str, missed: str) -> None:
        """All tests passed, and still the run fails, with the counts and the name."""
        done = run(tmp_path, tests)
        assert done.returncode == pytest.ExitCode.TESTS_FAILED
        assert "Tests with a database: 3 on sqlite, 2 on postgresql." in done.stdout
        assert missed in done.stdout

    def test_counts_the_workers_of_a_parallel_run(self, tmp_path: Path) -> None:
        """The controller hears of every worker's tests."""
        done = run(tmp_path, SKIPPED_ON_ONE, "-n", "2")
        assert done.returncode == pytest.ExitCode.TESTS_FAILED
        assert "Tests with a database: 3 on sqlite, 2 on postgresql." in done.stdout

    @pytest.mark.parametrize("cache", ["cacheprovider", "no:cacheprovider"])
    def test_leaves_a_narrowed_run_alone(self, tmp_path: Path, cache: str) -> None:
        """Who asks for one database gets it, also where pytest keeps nothing from run to run."""
        done = run(tmp_path, SKIPPED_ON_ONE, "-k", "sqlite", "-p", cache)
        assert (done.returncode, "not tested alike" in done.stdout) == (0, False)
