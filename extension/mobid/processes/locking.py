"""Lock a profile: one transaction, whoever asks. What it takes with it is decided here, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.crashpoints import CrashPoint
from mobid.domain.actors import Actor, ActorKind
from mobid.domain.certificates import RevocationReason, Wanted
from mobid.domain.instances import InstanceState, Process, StepName
from mobid.domain.mails import MailEvent
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.processes.notices import notify, tell_outcome

if TYPE_CHECKING:
    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.ports import UnitOfWork

REVOKED_FOR: Final = {
    LockReason.LOST_OR_STOLEN: RevocationReason.KEY_COMPROMISE,
    LockReason.REPLACED: RevocationReason.SUPERSEDED,
    LockReason.REMOVED: RevocationReason.CESSATION_OF_OPERATION,
    LockReason.USER_DELETED: RevocationReason.CESSATION_OF_OPERATION,
    LockReason.CA_REVOKED: RevocationReason.UNSPECIFIED,
    LockReason.OTHER: RevocationReason.UNSPECIFIED,
}


def lock_profile(
    unit: UnitOfWork, mobile_id: MobileID, *, by: Actor, reason: LockReason, except_for: str = ""
) -> MobileID:
    """Lock a live profile: unusable at once, its certificates wanted revoked, all in this unit.

    A pending one is cancelled with the Get that makes it. The owner's Get at *has_active* goes on
    to *confirm*, and Locks of the same profile at *confirm_lock* go on to *locking*. The instance
    named by `except_for` is left alone: its own action writes it. The user must be locked already,
    and is told if neither they nor their phone did it, whatever the options of a script say.
    """
    locked = mobile_id.lock(by=by, reason=reason, at=unit.now)
    unit.save(locked)
    revoke_certificates(unit, mobile_id.id, REVOKED_FOR[reason])
    unit.audit(by, "mobile_id.lock", "mobile_id", mobile_id.id, reason=reason, state=locked.state)
    unit.passes(CrashPoint.LOCK_COMMITTED)
    by_other = by.kind is not ActorKind.DEVICE and by != Actor(ActorKind.USER, mobile_id.user_id)
    if by_other and locked.state is ProfileState.LOCKING:
        user = unit.users.get(mobile_id.user_id)
        notify(unit, MailEvent.LOCKED_BY_OTHER, user=user, subject_id=mobile_id.id)
    for instance in unit.instances.running_of(mobile_id.user_id):
        if instance.id != except_for:
            _go_on_after_lock(unit, instance, locked, tell=by_other)
    return locked


def revoke_certificates(unit: UnitOfWork, mobile_id: str, reason: RevocationReason) -> None:
    """Want every certificate of a profile revoked, whether issued, in flight, or only ordered."""
    for certificate in unit.certificates.of_mobile_id(mobile_id):
        wanted = certificate.want(Wanted.REVOKED, at=unit.now, reason=reason)
        if wanted is not certificate:
            unit.save(wanted)


def _go_on_after_lock(
    unit: UnitOfWork, instance: Instance, locked: MobileID, *, tell: bool
) -> None:
    if instance.mobile_id == locked.id and instance.process is Process.LOCK:
        unit.save(
            instance.to(StepName.LOCKING, InstanceState.WAITING_CA, expires_at=None, at=unit.now)
        )
    elif instance.mobile_id == locked.id and locked.state is ProfileState.CANCELLED:
        close_code(unit, instance)
        cancelled = instance.end(InstanceState.CANCELLED, at=unit.now)
        unit.save(cancelled)
        if tell:
            tell_outcome(unit, cancelled)
    elif instance.step is StepName.HAS_ACTIVE:
        unit.save(
            instance.to(
                StepName.CONFIRM,
                InstanceState.WAITING_USER,
                expires_at=instance.expires_at,
                at=unit.now,
            )
        )


def close_code(unit: UnitOfWork, instance: Instance) -> None:
    """Burn the code of a Get, if it has come that far."""
    enrolment = unit.enrolments.of_instance(instance.id)
    if enrolment is not None and not enrolment.closed:
        unit.save(enrolment.close())
