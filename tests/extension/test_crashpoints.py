"""Crash points kill or hold a real process where it was told to, and do nothing otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mobid.crashpoints import CrashPoint, Gates, InvalidCrashPoint, Trap, armed, crashpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASS_EVERY_POINT_TWICE = """
from mobid.crashpoints import CrashPoint, crashpoint
for point in [*CrashPoint, *CrashPoint]:
    print(point, flush=True)
    crashpoint(point)
print("survived", flush=True)
"""

PASS_ONE_POINT_IN_EIGHT_THREADS = """
import threading
from mobid.crashpoints import CrashPoint, crashpoint
def passes():
    for _ in range(100):
        crashpoint(CrashPoint.ISSUE_CALLED)
threads = [threading.Thread(target=passes) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("survived", flush=True)
"""

ARM_TOO_LATE = """
import os
from mobid.crashpoints import CrashPoint, crashpoint
os.environ["MOBID_CRASHPOINT"] = "get.approved"
crashpoint(CrashPoint.GET_APPROVED)
print("survived", flush=True)
"""


def run(program: str, armed: str | None) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, with a crash point armed or none."""
    environ = {name: value for name, value in os.environ.items() if name != "MOBID_CRASHPOINT"}
    if armed is not None:
        environ["MOBID_CRASHPOINT"] = armed
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class TestAnArmedProcess:
    """What `MOBID_CRASHPOINT` does to the process that was started with it."""

    @pytest.mark.parametrize("point", CrashPoint)
    def test_dies_of_sigkill_at_its_point(self, point: CrashPoint) -> None:
        """It passes what comes before, says where it dies, and does nothing after."""
        done = run(PASS_EVERY_POINT_TWICE, armed=point)
        assert done.returncode == -signal.SIGKILL
        assert done.stderr == f"MOBID_CRASHPOINT: killed at {point}\n"
        before = list(CrashPoint)[: list(CrashPoint).index(point) + 1]
        assert done.stdout.split() == [*before]

    def test_dies_at_the_nth_pass(self) -> None:
        """A number after the name lets the earlier passes live."""
        done = run(PASS_EVERY_POINT_TWICE, armed="get.approved:2")
        assert done.returncode == -signal.SIGKILL
        assert done.stdout.split() == [*CrashPoint, "get.approved"]

    def test_survives_when_the_pass_never_comes(self) -> None:
        """Fewer passes than the number harm nobody."""
        done = run(PASS_EVERY_POINT_TWICE, armed="get.approved:3")
        assert (done.returncode, done.stdout.split()[-1]) == (0, "survived")

    @pytest.mark.parametrize(("nth", "code"), [(800, -signal.SIGKILL), (801, 0)])
    def test_counts_the_passes_of_all_threads(self, nth: int, code: int) -> None:
        """Eight threads with a hundred passes each make eight hundred."""
        done = run(PASS_ONE_POINT_IN_EIGHT_THREADS, armed=f"issue.called:{nth}")
        assert done.returncode == code

    def test_does_not_start_with_a_name_that_is_none(self) -> None:
        """A misspelt point must not look like a process that survived."""
        done = run(PASS_EVERY_POINT_TWICE, armed="get.aproved")
        assert (done.returncode, done.stdout) == (1, "")
        assert 'MOBID_CRASHPOINT="get.aproved" arms no crash point' in done.stderr


@contextmanager
def gate(folder: Path, point: CrashPoint) -> Iterator[None]:
    """Keep a gate closed while the block runs."""
    os.mkfifo(folder / point)
    held = os.open(folder / point, os.O_RDWR)
    try:
        yield
    finally:
        (folder / point).unlink()
        os.close(held)


class TestAProcessWithGates:
    """What `MOBID_CRASHPOINT=pause:<folder>` does to the process that was started with it."""

    def test_waits_where_a_gate_is_closed_and_goes_on(self, tmp_path: Path) -> None:
        """It says where it waits, and has not gone on by then; opened, it passes every point."""
        command = [sys.executable, "-u", "-c", PASS_EVERY_POINT_TWICE]
        environ = os.environ | {"MOBID_CRASHPOINT": f"pause:{tmp_path}"}
        with gate(tmp_path, CrashPoint.ISSUE_CALLED):
            process = subprocess.Popen(
                command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            assert process.stderr is not None
            assert process.stderr.readline() == "MOBID_CRASHPOINT: waits at issue.called\n"
            assert process.poll() is None
        said, complained = process.communicate(timeout=60)
        assert (process.returncode, complained) == (0, "")
        assert said.split() == [*CrashPoint, *CrashPoint, "survived"]

    def test_passes_where_there_is_no_gate(self, tmp_path: Path) -> None:
        """A gate at another point, and one whose keeper has died, hold nobody."""
        os.mkfifo(tmp_path / CrashPoint.GET_ACTIVE)
        done = run(PASS_EVERY_POINT_TWICE, armed=f"pause:{tmp_path}")
        assert (done.returncode, done.stdout.split()[-1]) == (0, "survived")
        assert done.stderr == "MOBID_CRASHPOINT: waits at get.active\n" * 2

    def test_does_not_start_without_its_folder(self, tmp_path: Path) -> None:
        """A misspelt folder must not look like a race that nobody lost."""
        done = run(PASS_EVERY_POINT_TWICE, armed=f"pause:{tmp_path / 'gates'}")
        assert (done.returncode, done.stdout) == (1, "")
        assert "or pause:<folder that is there>" in done.stderr


class TestAnUnarmedProcess:
    """Everybody else's process."""

    def test_passes_every_point(self) -> None:
        """Without the variable nothing happens and nothing is written."""
        done = run(PASS_EVERY_POINT_TWICE, armed=None)
        assert (done.returncode, done.stderr) == (0, "")

    def test_cannot_be_armed_later(self) -> None:
        """Only the environment at the start counts."""
        done = run(ARM_TOO_LATE, armed=None)
        assert (done.returncode, done.stdout) == (0, "survived\n")

    @pytest.mark.parametrize("point", CrashPoint)
    def test_returns_at_once(self, point: CrashPoint) -> None:
        """The process of this very test is unarmed, and goes on."""
        crashpoint(point)


class TestTheVariable:
    """How `MOBID_CRASHPOINT` is read."""

    def test_absent_sets_no_trap(self) -> None:
        """No variable, no trap."""
        assert armed({}) is None

    def test_a_trap_lets_the_other_points_pass(self) -> None:
        """Only its own point springs it."""
        trap = armed({"MOBID_CRASHPOINT": "ca.signed:2"})
        assert isinstance(trap, Trap)
        assert trap.point is CrashPoint.CA_SIGNED
        for point in set(CrashPoint) - {CrashPoint.CA_SIGNED}:
            trap.passed(point)

    def test_names_the_folder_of_gates(self, tmp_path: Path) -> None:
        """Whatever the folder is called."""
        gates = armed({"MOBID_CRASHPOINT": f"pause:{tmp_path}"})
        assert isinstance(gates, Gates)
        assert gates.folder == tmp_path

    @pytest.mark.parametrize(
        "text", ["", "issue", "ISSUE.CALLED", "pause:", "pause:.", "pause:/no/such/folder",
                 "issue.called:", "issue.called:0", "issue.called:-1", "issue.called:two",
                 "issue.called:1:2", "issue.called:²", " issue.called"]
    )  # fmt: skip
    def test_anything_else_is_refused_with_the_names(self, text: str) -> None:
        """The message shows what was read and every name that would be right."""
        with pytest.raises(InvalidCrashPoint) as refused:
            armed({"MOBID_CRASHPOINT": text})
        message = str(refused.value)
        assert message.startswith(f'MOBID_CRASHPOINT="{text}" arms no crash point; it is <name> or')
        assert message.endswith("is one of get.approved, issue.intent, ca.intent, ca.signed, "
                                "issue.called, issue.stored, get.issued, get.active, "
                                "lock.committed, revoke.called, revoke.stored.")  # fmt: skip
