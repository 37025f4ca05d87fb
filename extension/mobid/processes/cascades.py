"""What a change of a user's state does to their mobile ID, in the transaction that changes the state.

A cascade concerns live profiles only, and ends the user's running Get.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mails import MailEvent
from mobid.domain.mobile_ids import Hold, LockReason, ProfileState
from mobid.processes.ending import fail_get
from mobid.processes.expiry import expire_if_over
from mobid.processes.holds import lift, place
from mobid.processes.locking import close_code, lock_profile
from mobid.processes.notices import notify

if TYPE_CHECKING:
    from mobid.domain.actors import Actor
    from mobid.domain.mobile_ids import MobileID
    from mobid.domain.users import User
    from mobid.processes.mass_changes import MassChangeGuard
    from mobid.processes.ports import UnitOfWork
    from mobid.processes.settlement import Settlement

_CODE_IS_OUT: Final = frozenset({StepName.QR, StepName.MAIL, StepName.APPROVE})


def user_deactivated(
    unit: UnitOfWork, user_id: str, *, by: Actor, guard: MassChangeGuard | None = None
) -> None:
    """Suspend the live mobile ID by the hold *user state*; a pending one fails.

    The guard of mass changes counts it, and only alarms: a suspension can be taken back.
    """
    if guard is not None:
        guard.deactivation(unit, by)
    _fail_running_get(unit, user_id, by=by)
    profile = _live(unit, user_id)
    if profile is not None and Hold.USER_STATE not in profile.holds:
        place(unit, profile, Hold.USER_STATE, by=by, why="The user is inactive.")


def user_reactivated(unit: UnitOfWork, user_id: str, settlement: Settlement, *, by: Actor) -> None:
    """Lift that hold; the mobile ID is active again once the CA has confirmed every release."""
    profile = _live(unit, user_id)
    if profile is not None and Hold.USER_STATE in profile.holds:
        lift(unit, profile, Hold.USER_STATE, settlement, by=by, why="The user is active again.")


def user_deleted(
    unit: UnitOfWork, user_id: str, *, by: Actor, guard: MassChangeGuard | None = None
) -> None:
    """Lock the live mobile ID; a pending one fails.

    Where the guard of mass changes finds one deletion too many, it is suspended instead, by the
    hold *mass change*: an operator decides what was meant.
    """
    stopped = guard is not None and guard.stops_deletion(unit, by)
    _fail_running_get(unit, user_id, by=by)
    profile = _live(unit, user_id)
    if profile is None:
        return
    if stopped:
        unit.users.keep_names(user_id)
        place(unit, profile, Hold.MASS_CHANGE, by=by, why="Its user was deleted with many others.")
    else:
        lock_profile(unit, profile, by=by, reason=LockReason.USER_DELETED)


def email_changed(unit: UnitOfWork, user: User, old_address: str | None, *, by: Actor) -> None:
    """Burn the code that is out, and tell the old address; `user` is as they are now.

    Who reads the old mailbox must not go on, and its owner learns of a change that may not be
    theirs. A Get that waits for its phone, or for the approval of it, goes back to *confirm*.
    """
    instance = unit.instances.running_get(user.id)
    if instance is not None and instance.step in _CODE_IS_OUT:
        close_code(unit, instance)
        unit.save(
            instance.to(
                StepName.CONFIRM,
                InstanceState.WAITING_USER,
                expires_at=instance.expires_at,
                at=unit.now,
            )
        )
        unit.audit(by, "get.code_burnt", "instance", instance.id, why="the e-mail address changed")
    if old_address is not None:
        notify(
            unit,
            MailEvent.ADDRESS_CHANGED,
            user=user,
            subject_id=user.id,
            number=unit.mails.last_number(MailEvent.ADDRESS_CHANGED, user.id) + 1,
            to=old_address,
        )


def _live(unit: UnitOfWork, user_id: str) -> MobileID | None:
    """Return what a cascade concerns: the live mobile ID, unless its end is reached."""
    profile = unit.mobile_ids.live_of(user_id)
    if profile is None or expire_if_over(unit, profile).state is ProfileState.EXPIRED:
        return None
    return profile


def _fail_running_get(unit: UnitOfWork, user_id: str, *, by: Actor) -> None:
    instance = unit.instances.running_get(user_id)
    if instance is not None:
        unit.save(fail_get(unit, instance, "USER_NOT_ACTIVE", by=by))
