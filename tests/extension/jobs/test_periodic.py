"""Periodic tasks come round whatever happens to them, and the irreversible ones not after a jump."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from mobid.jobs import Periodic
from mobid.jobs.periodic import Clocks, Ticker

FIVE_MINUTES = timedelta(minutes=5)
HOUR = timedelta(hours=1)


class TwoClocks:
    """Wall and monotonic clock, moved by hand."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.monotonic = 50.0

    def pass_by(self, seconds: float, *, jump: float = 0) -> None:
        """Let time go by, and the wall clock jump meanwhile."""
        self.monotonic += seconds
        self.wall += seconds + jump

    def clocks(self) -> Clocks:
        """Return them as a ticker reads them."""
        return Clocks(wall=lambda: self.wall, monotonic=lambda: self.monotonic)


class TestARun:
    """One run of one task."""

    def test_that_fails_is_logged_with_its_name(self) -> None:
        """The next one comes as if nothing had happened."""
        task = Periodic(name="audit seal", every=HOUR, run=lambda: 1 / 0)
        ticker = Ticker(task, drift=FIVE_MINUTES, clocks=TwoClocks().clocks())
        with capture_logs() as logs:
            assert ticker.tick() == HOUR
        assert [(one["event"], one["task"]) for one in logs] == [
            ("periodic_task_failed", "audit seal")
        ]

    @pytest.mark.parametrize("jump", [301, -301, 86_400 * 365])
    def test_of_an_irreversible_task_is_refused_after_a_jump(self, jump: float) -> None:
        """What would end for good by a wrong clock waits for the next run, within a minute."""
        time, runs = TwoClocks(), [0]
        task = Periodic(
            name="time-outs",
            every=HOUR,
            run=lambda: runs.__setitem__(0, runs[0] + 1),
            irreversible=True,
        )
        ticker = Ticker(task, drift=FIVE_MINUTES, clocks=time.clocks())
        time.pass_by(3600, jump=jump)
        with capture_logs() as logs:
            assert ticker.tick() == timedelta(minutes=1)
        assert runs == [0]
        assert [(one["event"], one["task"], one["seconds"], one["skipped"]) for one in logs] == [
            ("clock_jumped", "time-outs", jump, True)
        ]
        time.pass_by(60)
        assert ticker.tick() == HOUR
        assert runs == [1]

    def test_of_any_other_task_is_not(self) -> None:
        """A reversible task runs, and the jump is in the log all the same."""
        time, runs = TwoClocks(), [0]
        task = Periodic(name="purge", every=HOUR, run=lambda: runs.__setitem__(0, 1))
        ticker = Ticker(task, drift=FIVE_MINUTES, clocks=time.clocks())
        time.pass_by(3600, jump=-7200)
        with capture_logs() as logs:
            ticker.tick()
        assert runs == [1]
        assert [(one["event"], one["skipped"]) for one in logs] == [("clock_jumped", False)]

    def test_bears_a_clock_that_is_set_right(self) -> None:
        """Less than five minutes is what a time server may correct."""
        time, runs = TwoClocks(), [0]
        task = Periodic(
            name="time-outs", every=HOUR, run=lambda: runs.__setitem__(0, 1), irreversible=True
        )
        ticker = Ticker(task, drift=FIVE_MINUTES, clocks=time.clocks())
        time.pass_by(3600, jump=299)
        with capture_logs() as logs:
            ticker.tick()
        assert (runs, logs) == ([1], [])


class TestATicker:
    """A task in its thread."""

    def test_comes_round_until_it_is_stopped(self) -> None:
        """It runs at the start, again after failures, and not after the stop."""
        thrice = threading.Event()
        runs: list[int] = []

        def run() -> None:
            runs.append(1)
            if len(runs) == 3:
                thrice.set()
            raise RuntimeError("never mind")

        task = Periodic(name="busy", every=timedelta(milliseconds=1), run=run)
        ticker = Ticker(task, drift=FIVE_MINUTES, clocks=Clocks())
        with capture_logs():
            ticker.start()
            assert thrice.wait(5)
            ticker.stop()
            ticker.join(timedelta(seconds=5))
            after = len(runs)
        assert after >= 3
        assert not [one for one in threading.enumerate() if one.name == "periodic-busy"]
