"""End a Get before its time: the code is burnt, the profile is given up, what was issued is revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from mobid.domain.certificates import RevocationReason
from mobid.domain.instances import InstanceState
from mobid.domain.mobile_ids import ProfileState
from mobid.processes.locking import close_code, revoke_certificates
from mobid.processes.notices import tell_outcome

if TYPE_CHECKING:
    from mobid.domain.actors import Actor
    from mobid.domain.instances import Instance
    from mobid.processes.ports import UnitOfWork

_log: Final = structlog.get_logger(__name__)


def log_reference(instance: Instance, error: str) -> None:
    """Write down what a user is told to read out to the service desk, for whoever looks it up."""
    _log.warning(
        "get_ended",
        reference=instance.reference,
        instance=instance.id,
        step=instance.step,
        why=error,
    )


def cancel_get(
    unit: UnitOfWork, instance: Instance, *, by: Actor, action: str = "cancel"
) -> Instance:
    """Cancel a running Get with its pending profile; the answer is written by the caller."""
    _give_up(unit, instance, error=None)
    unit.audit(by, f"get.{action}", "instance", instance.id, step=instance.step)
    return instance.end(InstanceState.CANCELLED, at=unit.now)


def fail_get(
    unit: UnitOfWork,
    instance: Instance,
    error: str,
    *,
    by: Actor,
    state: InstanceState = InstanceState.FAILED,
) -> Instance:
    """Fail (or let expire) a running Get with its pending profile; the caller writes the answer.

    Its owner is told, if the options say so.
    """
    _give_up(unit, instance, error=error)
    unit.audit(by, f"get.{state}", "instance", instance.id, step=instance.step, error=error)
    failed = instance.end(state, at=unit.now, error=error)
    log_reference(instance, error)
    tell_outcome(unit, failed)
    return failed


def fail_get_of(unit: UnitOfWork, mobile_id: str, error: str, *, by: Actor) -> None:
    """Fail the Get that makes this mobile ID, if it still runs."""
    instance = unit.instances.running_get(unit.mobile_ids.get(mobile_id).user_id)
    if instance is not None and instance.mobile_id == mobile_id:
        unit.save(fail_get(unit, instance, error, by=by))


def _give_up(unit: UnitOfWork, instance: Instance, *, error: str | None) -> None:
    close_code(unit, instance)
    if instance.mobile_id is None:
        return
    profile = unit.mobile_ids.get(instance.mobile_id)
    if profile.state is ProfileState.PENDING:
        gone = profile.fail(error, at=unit.now) if error else profile.cancel(at=unit.now)
        unit.save(gone)
        revoke_certificates(unit, profile.id, RevocationReason.CESSATION_OF_OPERATION)
