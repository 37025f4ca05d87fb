"""Tasks that come round again, each in a plain thread of its own, so that none can hold up another."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

_JITTER: Final = (0.8, 1.2)
_AGAIN_AFTER_A_JUMP: Final = timedelta(minutes=1)

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """A task and how often it runs, in every worker; runs of several workers may overlap."""

    name: str
    every: timedelta
    run: Callable[[], object]
    irreversible: bool = False
    """Whether it ends what nobody can bring back, and so must not believe a clock that jumped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """The two clocks of a process, in seconds."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


class Ticker:
    """Runs one task again and again until it is told to stop; an exception is logged, and it goes on."""

    def __init__(self, task: Periodic, *, drift: timedelta, clocks: Clocks) -> None:
        self._task: Final = task
        self._drift: Final = drift.total_seconds()
        self._clocks: Final = clocks
        self._last = (clocks.wall(), clocks.monotonic())
        self._stop: Final = threading.Event()
        self._thread: Final = threading.Thread(
            target=self._loop, name=f"periodic-{task.name}", daemon=True
        )

    def start(self) -> None:
        """Run the task now, and then in its rhythm."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it was started and still goes on."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Begin no further run."""
        self._stop.set()

    def join(self, timeout: timedelta) -> None:
        """Wait for the run in progress."""
        self._thread.join(timeout.total_seconds())

    def tick(self) -> timedelta:
        """Run the task once, if its clock can be believed; return when to come again."""
        jumped = self._jump()
        if abs(jumped) > self._drift:
            _log.warning(
                "clock_jumped",
                task=self._task.name,
                seconds=round(jumped),
                skipped=self._task.irreversible,
            )
            if self._task.irreversible:
                return min(self._task.every, _AGAIN_AFTER_A_JUMP)
        try:
            self._task.run()
        except Exception:  # noqa: BLE001 - the next run may succeed
            _log.exception("periodic_task_failed", task=self._task.name)
        return self._task.every

    def _jump(self) -> float:
        """Return by how many seconds the wall clock left the monotonic one since the last time."""
        wall, monotonic = self._last
        self._last = (self._clocks.wall(), self._clocks.monotonic())
        return (self._last[0] - wall) - (self._last[1] - monotonic)

    def _loop(self) -> None:
        pause = timedelta(0)
        while not self._stop.wait(pause.total_seconds()):
            pause = self.tick() * random.uniform(*_JITTER)  # noqa: S311 - to spread load
