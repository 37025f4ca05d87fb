"""A clock that stands still until a test lets time go by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class StandingClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """Return what it shows."""
        return self.now

    def pass_by(self, time: timedelta) -> None:
        """Let time go by, backwards if negative."""
        self.now += time
