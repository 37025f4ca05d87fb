"""MobileIDSelfServiceProcLock: a user locks their own active mobile ID.

Nothing but the profile's state stands between a user and Lock: no user state, no fresh login, no
script, no limit.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, ClassVar, Final

from mobid.domain.instances import Instance, InstanceState, Process, StepName
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.processes.decision import new_reference
from mobid.processes.errors import MobileIDNotActive, NotFound
from mobid.processes.locking import lock_profile
from mobid.processes.steps import CANCEL, NEXT, Changes, audited, one_of
from mobid.processes.timeouts import expire
from mobid.processes.views import Choice, Field, Message, StepView

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.ports import UnitOfWork
    from mobid.processes.steps import Action, Answer, Caller, Run, Stay, Step

NAME: Final = Message("Lock mobile ID")
REASONS: Final = {
    LockReason.LOST_OR_STOLEN: Message("The phone is lost or stolen"),
    LockReason.REPLACED: Message("I have a new phone"),
    LockReason.OTHER: Message("Another reason"),
}


def start_lock(unit: UnitOfWork, caller: Caller, mobile_id: str, *, idle: timedelta) -> Instance:
    """Begin a Lock of one of the caller's own mobile IDs, or return the one that runs."""
    profile = own_profile(unit, caller, mobile_id)
    for running in unit.instances.running_locks(profile.id):
        if not running.over(unit.now):
            return running
        unit.save(expire(unit, running))
    if profile.state is not ProfileState.ACTIVE:
        raise MobileIDNotActive(profile.id, profile.state)
    instance = Instance(
        id=str(uuid.uuid4()),
        process=Process.LOCK,
        user_id=caller.user_id,
        actor=caller.actor,
        state=InstanceState.WAITING_USER,
        step=StepName.CONFIRM_LOCK,
        created_at=unit.now,
        expires_at=unit.now + idle,
        mobile_id=profile.id,
        reference=new_reference(),
    )
    unit.add(instance)
    details = {"mobile_id": profile.id, **caller.trail}
    unit.audit(caller.actor, "lock.start", "instance", instance.id, **details)
    return instance


def own_profile(unit: UnitOfWork, caller: Caller, mobile_id: str) -> MobileID:
    """Return a mobile ID of the caller as the clock has it; somebody else's is not found."""
    profile = unit.mobile_ids.get(mobile_id)
    if profile.user_id != caller.user_id:
        raise NotFound("mobile ID", mobile_id)
    return profile.as_of(unit.now)


class ConfirmLock:
    """The step that asks once more, says what stops working, and then locks."""

    name: ClassVar[StepName] = StepName.CONFIRM_LOCK

    def view(self, run: Run) -> StepView:
        """Say what Next will do."""
        count = sum(certificate.usable for certificate in run.certificates)
        return StepView(
            title=NAME,
            text=Message(
                "%(name)s stops working at once and cannot be unlocked. "
                "%(count)d certificates will be revoked.",
                {"name": run.mobile_id.profile_name, "count": count},
            ),
            form=(
                Field(
                    name="reason",
                    kind="one_of",
                    label=Message("Reason (optional)"),
                    choices=tuple(Choice(value, label) for value, label in REASONS.items()),
                ),
            ),
        )

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """Go on, or leave everything as it is."""
        return {NEXT: self.lock, CANCEL: self.cancel}

    def lock(self, run: Run, answer: Answer) -> Changes | Stay:
        """Lock the mobile ID (L1); it is `locked` once the CA has confirmed."""
        reason = LockReason(one_of(answer, "reason", list(REASONS), default=LockReason.OTHER))
        seen = run.mobile_id.as_of(run.now)
        if seen.state is not ProfileState.ACTIVE:
            raise MobileIDNotActive(seen.id, seen.state)
        lock_profile(
            run.unit,
            run.mobile_id,
            by=run.instance.actor,
            reason=reason,
            except_for=run.instance.id,
        )
        return Changes(
            instance=run.instance.to(
                StepName.LOCKING, InstanceState.WAITING_CA, expires_at=None, at=run.now
            )
        )

    def cancel(self, run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG002  # takes no input
        """End the run; the mobile ID stays as it is."""
        return Changes(
            instance=run.instance.end(InstanceState.CANCELLED, at=run.now),
            audit=(audited("lock.cancel", run.instance),),
        )


class Locking:
    """The mobile ID is unusable; the CA is being told, and has the last word."""

    name: ClassVar[StepName] = StepName.LOCKING

    def view(self, run: Run) -> StepView:
        """Say truthfully how far it is."""
        confirmed = sum(certificate.gone for certificate in run.certificates)
        return StepView(
            title=Message("Locked here"),
            text=Message(
                "%(name)s cannot be used any more. The CA has confirmed %(confirmed)d of "
                "%(count)d revocations; we go on until it has confirmed all.",
                {
                    "name": run.mobile_id.profile_name,
                    "confirmed": confirmed,
                    "count": len(run.certificates),
                },
            ),
        )

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """Nobody can stop a revocation."""
        return {}


STEPS: Final[tuple[Step, ...]] = (ConfirmLock(), Locking())
