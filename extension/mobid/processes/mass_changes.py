"""The guard against an identity manager's mistake: so many deletions at once that they may not be meant.

One client may delete so many users in a window, whichever is more: a number, or a share of all
users. What it deletes beyond that suspends mobile IDs instead of locking them for good, and an
operator decides. Deactivations can be taken back anyway: there the same count only alarms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from mobid.domain.actors import ActorKind

if TYPE_CHECKING:
    from datetime import datetime

    from mobid.config import Guard
    from mobid.domain.actors import Actor
    from mobid.processes.ports import Count, UnitOfWork

_DELETION: Final = "deletion"
_DEACTIVATION: Final = "deactivation"

_log: Final = structlog.get_logger(__name__)


class MassChangeGuard:
    """Counts what clients do to users, in the transaction in which they do it."""

    def __init__(self, limits: Guard) -> None:
        self._limits = limits
        self._users: Final[dict[tuple[str, str], tuple[datetime, int]]] = {}
        """Of each change by each client: until when its window lasts, and how many users there were."""

    def stops_deletion(self, unit: UnitOfWork, by: Actor) -> bool:
        """Count the deletion of a user, who is a tombstone already; say whether it is beyond the limit."""
        return self._beyond(unit, by, _DELETION)

    def deactivation(self, unit: UnitOfWork, by: Actor) -> None:
        """Count the deactivation of a user; one beyond the limit alarms, and nothing more."""
        self._beyond(unit, by, _DEACTIVATION)

    def _beyond(self, unit: UnitOfWork, by: Actor, change: str) -> bool:
        if by.kind is not ActorKind.SCIM_CLIENT:
            return False
        window = self._limits.window
        count = unit.counters.add(f"user.{change}", by.id, window=window)
        if count.number <= self._limits.deletions or not self._is_large_share(
            unit, by, change, count
        ):
            return False
        if unit.counters.add(f"alarm.{change}", by.id, window=window).number == 1:
            _log.error("mass_change_alarm", client=by.id, change=change, number=count.number)
            unit.audit(by, "mass_change.alarm", "client", by.id, change=change, number=count.number)
        return True

    def _is_large_share(self, unit: UnitOfWork, by: Actor, change: str, count: Count) -> bool:
        """Tell whether it is more than the share of all users, who are counted once in a window."""
        ends_at, users = self._users.get((by.id, change), (None, 0))
        if ends_at != count.ends_at:
            # Those who were deleted in this window are still counted among all.
            users = unit.users.count() + (count.number if change == _DELETION else 0)
            self._users[by.id, change] = (count.ends_at, users)
        return count.number * 100 > users * self._limits.percent
