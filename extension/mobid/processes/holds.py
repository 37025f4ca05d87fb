"""Place and lift holds: the one way in which a mobile ID is suspended and comes back.

Holds are a set, and each is lifted by its own kind only. What is on hold here is wanted held in the
CA; the last lift wants it valid again, and the CA's word on every certificate makes it active.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from mobid.domain.certificates import Wanted
from mobid.domain.instances import StepName
from mobid.processes.ending import fail_get
from mobid.processes.errors import AlreadyHeld, MobileIDSuspended, NotHeld
from mobid.processes.expiry import expire_if_over

if TYPE_CHECKING:
    from mobid.domain.actors import Actor
    from mobid.domain.mobile_ids import Hold, MobileID
    from mobid.processes.ports import UnitOfWork
    from mobid.processes.settlement import Settlement

_log = structlog.get_logger(__name__)


def place(unit: UnitOfWork, profile: MobileID, hold: Hold, *, by: Actor, why: str) -> MobileID:
    """Suspend an active or inactive mobile ID for one more reason; the user must be locked already.

    Its owner's Get at *has_active* fails: what stood in its way cannot be locked by them any more.
    Where a CA cannot hold, its certificates stay valid there, which is said in the log. Raise
    `AlreadyHeld`, or `IllegalTransition` for one in another state.
    """
    if hold in profile.holds:
        raise AlreadyHeld(profile, hold)
    held = expire_if_over(unit, profile).hold(hold, by=by, why=why, at=unit.now)
    unit.save(held)
    unit.audit(by, "mobile_id.hold", "mobile_id", held.id, hold=hold, why=why)
    _want(unit, held, Wanted.HELD)
    _warn_of_what_stays_valid(unit, held)
    instance = unit.instances.running_get(held.user_id)
    if instance is not None and instance.step is StepName.HAS_ACTIVE:
        unit.save(fail_get(unit, instance, MobileIDSuspended.code, by=by))
    return held


def lift(
    unit: UnitOfWork, profile: MobileID, hold: Hold, settlement: Settlement, *, by: Actor, why: str
) -> MobileID:
    """Take one reason back; the last one releases the certificates. The user must be locked already.

    It is active again once the CA has confirmed every release: at once, where there is nothing to
    confirm. One that has reached its end expires instead. Raise `NotHeld`.
    """
    if hold not in profile.holds:
        raise NotHeld(profile, hold)
    if (seen := expire_if_over(unit, profile)) is not profile:
        return seen
    lifted = profile.lift(hold, at=unit.now)
    unit.save(lifted)
    unit.audit(by, "mobile_id.lift", "mobile_id", lifted.id, hold=hold, why=why)
    if not lifted.holds:
        _want(unit, lifted, Wanted.VALID)
        settlement.settle(unit, lifted.id)
    return unit.mobile_ids.get(lifted.id)


def _want(unit: UnitOfWork, profile: MobileID, wanted: Wanted) -> None:
    for certificate in unit.certificates.of_mobile_id(profile.id):
        changed = certificate.want(wanted, at=unit.now)
        if changed is not certificate:
            unit.save(changed)


def _warn_of_what_stays_valid(unit: UnitOfWork, profile: MobileID) -> None:
    """Say which certificates others still take for good, because their CA cannot hold."""
    still_valid = [one for one in unit.certificates.of_mobile_id(profile.id) if one.held_here_only]
    if still_valid:
        _log.warning(
            "suspended_here_still_valid_in_the_ca",
            mobile_id=profile.id,
            cas=sorted({one.ca for one in still_valid}),
            serials=[one.serial for one in still_valid],
        )
