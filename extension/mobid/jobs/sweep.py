"""The sweep: finds rows that want work and have nobody at work, and revocations that take too long.

It depends on nothing that it guards: it runs in a plain thread, not as a job.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

from mobid.storage.effects import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mobid.jobs.attempts import Attempts
    from mobid.jobs.nudges import Nudges
    from mobid.jobs.timing import Timing
    from mobid.storage.effects import Nudge, WorkRows
    from mobid.storage.engine import Transactions

_AT_ONCE: Final = 200
_OVERDUE_LOOKED_AT: Final = 1000
_OVERDUE_NAMED: Final = 20

_log: Final = structlog.get_logger(__name__)


class Sweep:
    """Looks for lost attempts of all kinds."""

    def __init__(
        self,
        *,
        transactions: Transactions,
        rows: WorkRows,
        nudges: Nudges,
        attempts: Attempts,
        timing: Timing,
    ) -> None:
        self._transactions: Final = transactions
        self._rows: Final = rows
        self._nudges: Final = nudges
        self._attempts: Final = attempts
        self._stale: Final = timing.stale

    def __call__(self) -> int:
        """Give every lost attempt a fresh one; return how many there were."""
        return sum(self._one_kind(kind) for kind in KINDS)

    def _one_kind(self, kind: str) -> int:
        with self._transactions.reading() as connection:
            since = self._rows.now(connection) - self._stale
            quiet = self._rows.quiet(connection, kind, since=since, limit=_AT_ONCE)
        if not quiet:
            return 0
        jobs = self._nudges.jobs(quiet)
        self._wait_on([one for one in quiet if jobs[one].waits])
        # A job that a worker took a moment ago may not have come to its claim yet.
        suspects = [
            one for one in quiet if not jobs[one].waits and not jobs[one].taken_after(since)
        ]
        lost = self._replace(kind, suspects, since)
        self._nudges.cancel([one for one in lost if jobs[one].at_work])
        if lost:
            _log.warning("effects_lost", kind=kind, count=len(lost))
        return len(lost)

    def _wait_on(self, waiting: Sequence[Nudge]) -> None:
        """Jobs that wait their turn are never superseded: under load that would never end."""
        if waiting:
            with self._transactions.writing() as connection:
                for one in waiting:
                    self._rows.wait_on(connection, one)

    def _replace(self, kind: str, suspects: Sequence[Nudge], since: datetime) -> list[Nudge]:
        if not suspects:
            return []
        with self._transactions.writing() as connection:
            still = self._rows.lock_quiet(connection, kind, suspects, since=since)
            return [one for one in still if self._attempts.lost(connection, one)]


class OverdueRevocations:
    """The alarm: a revocation is never dead, but somebody must hear when it takes too long."""

    def __init__(
        self,
        *,
        transactions: Transactions,
        rows: WorkRows,
        timing: Timing,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transactions: Final = transactions
        self._rows: Final = rows
        self._overdue: Final = timing.overdue
        self._monotonic: Final = monotonic
        self._alarmed: dict[str, float] = {}

    def __call__(self) -> int:
        """Log `revocation_overdue` for those not named within the last hour; return how many."""
        with self._transactions.reading() as connection:
            overdue = self._rows.overdue_revocations(
                connection, after=self._overdue, limit=_OVERDUE_LOOKED_AT
            )
        now = self._monotonic()
        again = self._overdue.total_seconds()
        known = {one: at for one, at in self._alarmed.items() if one in set(overdue)}
        fresh = [one for one in overdue if one not in known or now - known[one] >= again]
        self._alarmed = known | dict.fromkeys(fresh, now)
        if fresh:
            _log.error("revocation_overdue", count=len(fresh), certificates=fresh[:_OVERDUE_NAMED])
        return len(fresh)
