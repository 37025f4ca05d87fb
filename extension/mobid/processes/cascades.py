"""What a change of a user's state does to their mobile ID, in the transaction that changes the state.

A cascade concerns live profiles only, and ends the user's running Get.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.domain.certificates import Wanted
from mobid.domain.mobile_ids import Hold, LockReason
from mobid.processes.ending import fail_get
from mobid.processes.locking import lock_profile

if TYPE_CHECKING:
    from mobid.domain.actors import Actor
    from mobid.processes.ports import UnitOfWork
    from mobid.processes.settlement import Settlement


def user_deactivated(unit: UnitOfWork, user_id: str, *, by: Actor) -> None:
    """Suspend the live mobile ID by the hold *user state*; a pending one fails."""
    _fail_running_get(unit, user_id, by=by)
    profile = unit.mobile_ids.live_of(user_id)
    if profile is None:
        return
    unit.save(profile.hold(Hold.USER_STATE, at=unit.now))
    for certificate in unit.certificates.of_mobile_id(profile.id):
        unit.save(certificate.want(Wanted.HELD, at=unit.now))
    unit.audit(by, "mobile_id.hold", "mobile_id", profile.id, hold=Hold.USER_STATE)


def user_reactivated(unit: UnitOfWork, user_id: str, settlement: Settlement, *, by: Actor) -> None:
    """Lift that hold; the mobile ID is active again once the CA has confirmed every release."""
    profile = unit.mobile_ids.live_of(user_id)
    if profile is None or Hold.USER_STATE not in profile.holds:
        return
    lifted = profile.lift(Hold.USER_STATE, at=unit.now)
    unit.save(lifted)
    unit.audit(by, "mobile_id.lift", "mobile_id", profile.id, hold=Hold.USER_STATE)
    if not lifted.holds:
        for certificate in unit.certificates.of_mobile_id(profile.id):
            unit.save(certificate.want(Wanted.VALID, at=unit.now))
        settlement.settle(unit, profile.id)


def user_deleted(unit: UnitOfWork, user_id: str, *, by: Actor) -> None:
    """Lock the live mobile ID; a pending one fails."""
    _fail_running_get(unit, user_id, by=by)
    profile = unit.mobile_ids.live_of(user_id)
    if profile is not None:
        lock_profile(unit, profile, by=by, reason=LockReason.USER_DELETED)


def _fail_running_get(unit: UnitOfWork, user_id: str, *, by: Actor) -> None:
    instance = unit.instances.running_get(user_id)
    if instance is not None:
        unit.save(fail_get(unit, instance, "USER_NOT_ACTIVE", by=by))
