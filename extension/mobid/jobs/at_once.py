"""The committing thread's own try: at once, in a few threads, and never waited for longer than agreed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Final

import structlog

from mobid.storage.effects import KINDS, Nudge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import timedelta

    from mobid.jobs.attempts import Attempts

_log: Final = structlog.get_logger(__name__)


class AtOnce:
    """Tries what a commit wants. What it does not come to belongs to the jobs."""

    def __init__(self, attempts: Attempts, *, threads: int, patience: timedelta) -> None:
        self._attempts: Final = attempts
        self._patience: Final = patience.total_seconds()
        self._pool: Final = ThreadPoolExecutor(threads, thread_name_prefix="effect")
        self._aside: Final = _Aside()
        self._closed = False

    def committed(self, nudges: Iterable[tuple[str, str, int]]) -> None:
        """Try these attempts now, kind after kind, and return after the agreed time at the latest.

        On a thread that is doing an effect itself they are done inline, except the very rows that
        it is working at: they would be tried in a circle. It never raises.
        """
        if self._closed or self._aside.now:
            return
        try:
            wanted = sorted((Nudge(*one) for one in nudges), key=_order)
            if self._attempts.here:
                self._inline(wanted)
            else:
                self._in_the_pool(wanted)
        except Exception:  # noqa: BLE001 - what is committed is committed; the jobs do the rest
            _log.exception("effects_not_tried_at_once")

    @contextmanager
    def left_to_jobs(self) -> Iterator[None]:
        """Let commits of this thread try nothing meanwhile, so that they do not hold it up."""
        self._aside.now = True
        try:
            yield
        finally:
            self._aside.now = False

    def close(self) -> None:
        """Try nothing any more. What is at work ends by itself; the process waits for it."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _inline(self, wanted: Sequence[Nudge]) -> None:
        for nudge in wanted:
            if (nudge.kind, nudge.id) not in self._attempts.here:
                self._attempts.make(nudge)

    def _in_the_pool(self, wanted: Sequence[Nudge]) -> None:
        """Try one kind after the other: an instance goes on when its certificates are done."""
        deadline = time.monotonic() + self._patience
        for _, of_one_kind in groupby(wanted, key=_order):
            running = [self._pool.submit(self._attempts.make, one) for one in of_one_kind]
            late = wait(running, timeout=max(0.0, deadline - time.monotonic())).not_done
            for one in late:
                one.cancel()
            if late:
                return


class _Aside(threading.local):
    """Whether commits of the current thread leave their effects to the jobs."""

    now: bool = False


def _order(nudge: Nudge) -> int:
    return KINDS.index(nudge.kind)
