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
    from mobid.config import Guard
    from mobid.domain.actors import Actor
    from mobid.processes.ports import UnitOfWork

_DELETION: Final = "deletion"
_DEACTIVATION: Final = "deactivation"

_log: Final = structlog.get_logger(__name__)


class MassChangeGuard:
    """Counts what clients do to users, in the transaction in which they do it."""

    def __init__(self, limits: Guard) -> None:
        self._limits = limits

    def stops_deletion(self, unit: UnitOfWork, by: Actor) -> bool:
        """Count the deletion of a user, who is a tombstone already; say whether it is beyond the limit."""
        # Those who were deleted in this window are still counted among all.
        return self._beyond(unit, by, _DELETION, others=100 - self._limits.percent)

    def deactivation(self, unit: UnitOfWork, by: Actor) -> None:
        """Count the deactivation of a user; one beyond the limit alarms, and nothing more."""
        self._beyond(unit, by, _DEACTIVATION, others=100)

    def _beyond(self, unit: UnitOfWork, by: Actor, change: str, *, others: int) -> bool:
        if by.kind is not ActorKind.SCIM_CLIENT:
            return False
        number = unit.counters.add(f"user.{change}", by.id, window=self._limits.window).number
        if number <= self._limits.deletions or self._is_small_share(unit, number * others):
            return False
        if unit.counters.add(f"alarm.{change}", by.id, window=self._limits.window).number == 1:
            _log.error("mass_change_alarm", client=by.id, change=change, number=number)
            unit.audit(by, "mass_change.alarm", "client", by.id, change=change, number=number)
        return True

    def _is_small_share(self, unit: UnitOfWork, hundredfold: int) -> bool:
        """Tell whether there are users enough. Only as many are counted as it takes to know."""
        if self._limits.percent == 0:
            return False
        return unit.users.at_least(-(-hundredfold // self._limits.percent))
