"""The step of Get for a user who has an active mobile ID: lock it and go on, or leave it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from mobid.domain.instances import InstanceState, Process, StepName
from mobid.domain.mobile_ids import LockReason, MobileID, ProfileState
from mobid.processes.ending import fail_get
from mobid.processes.errors import MobileIDSuspended
from mobid.processes.expiry import expire_if_over
from mobid.processes.get.moves import cancel, confirm_again
from mobid.processes.locking import lock_profile
from mobid.processes.steps import (
    CANCEL,
    LOCK,
    Changes,
    Stay,
)
from mobid.processes.views import Message, StepView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.domain.instances import Instance
    from mobid.processes.get.parts import Parts
    from mobid.processes.steps import Action, Answer, Run


@dataclass(frozen=True, slots=True)
class HasActive:
    """The user has an active mobile ID: lock it and go on, or leave it."""

    parts: Parts
    name: ClassVar[StepName] = StepName.HAS_ACTIVE

    def view(self, run: Run) -> StepView:
        """Show the active mobile ID, and what Lock would do."""
        profile = run.active
        values = {"name": profile.profile_name if profile else ""}
        return StepView(
            title=Message("You already have an active mobile ID"),
            text=Message(
                "To get a new one, lock %(name)s first. It stops working at once and cannot be "
                "unlocked. If you cancel after that, you will have no mobile ID.",
                values,
            ),
            data={
                "device": profile.device.name if profile and profile.device else None,
                "valid_to": profile.valid_to if profile else None,
            },
        )

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """There is no Next here: a Lock is a decision of its own."""
        return {LOCK: self.lock, CANCEL: cancel}

    def lock(self, run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG002  # takes no input
        """Lock the active mobile ID by a Lock of its own, and go straight on.

        Locked or expired meanwhile, it is out of the way; suspended meanwhile, it is in the way.
        """
        run.must_be_active_user()
        active = None if run.active is None else expire_if_over(run.unit, run.active)
        if active is not None and active.state is ProfileState.INACTIVE:
            by = run.instance.actor
            return Changes(instance=fail_get(run.unit, run.instance, MobileIDSuspended.code, by=by))
        new: tuple[Instance, ...] = ()
        if active is not None and active.state is ProfileState.ACTIVE:
            if not run.unit.instances.running_locks(active.id):
                new = (self._child_lock(run, active),)
            lock_profile(
                run.unit,
                active,
                by=run.instance.actor,
                reason=LockReason.REPLACED,
                except_for=run.instance.id,
            )
        return Changes(instance=confirm_again(run, self.parts.times), new=new)

    @staticmethod
    def _child_lock(run: Run, profile: MobileID) -> Instance:
        return replace(
            run.instance,
            id=str(uuid.uuid4()),
            process=Process.LOCK,
            parent_id=run.instance.id,
            mobile_id=profile.id,
            options=None,
            script=None,
            created_at=run.now,
            step_seq=0,
        ).to(StepName.LOCKING, InstanceState.WAITING_CA, expires_at=None, at=run.now)
