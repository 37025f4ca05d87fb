"""Work that a row wants done outside its transaction: which attempt it is at, and how the last one went.

The row is the truth and a job is only a nudge: a lost, stuck or doubled job can delay, never lose.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The effect of a row: wanted or not, and its newest attempt."""

    wanted: bool = False
    attempt: int = 0
    nudged_at: datetime | None = None
    wanted_since: datetime | None = None
    error: str | None = None
    dead: bool = False

    def want(self, at: datetime) -> Work:
        """Return this work wanted (again), at a fresh attempt that no earlier job may do."""
        return Work(
            wanted=True,
            attempt=self.attempt + 1,
            nudged_at=at,
            wanted_since=self.wanted_since if self.wanted else at,
            error=self.error if self.wanted else None,
        )

    def done(self) -> Work:
        """Return this work with nothing left to do."""
        return replace(self, wanted=False, wanted_since=None, error=None, dead=False)
