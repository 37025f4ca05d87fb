"""A client orders a mobile ID for somebody: a pending one, whose Get waits for its owner.

Nobody has decided anything yet: no script has run, and nothing is frozen. That happens when the
owner opens it, signed in freshly, as if they had started the Get themselves.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from mobid.domain.instances import Instance, InstanceState, Process, StepName
from mobid.domain.mails import MailEvent
from mobid.domain.mobile_ids import MobileID, ProfileState
from mobid.domain.options import MOST_USER_ID, Options
from mobid.processes.decision import new_reference
from mobid.processes.errors import AlreadyHasMobileID, ProcessRunning, UserNotActive
from mobid.processes.expiry import expire_if_over
from mobid.processes.notices import notify
from mobid.processes.timeouts import expire

if TYPE_CHECKING:
    from datetime import timedelta

    from mobid.domain.actors import Actor
    from mobid.domain.users import User
    from mobid.processes.decision import Decision
    from mobid.processes.ports import UnitOfWork


def order(unit: UnitOfWork, user: User, *, by: Actor, lapses_after: timedelta) -> MobileID:
    """Order a mobile ID for a user, and invite them; the user must be locked already.

    Raise `UserNotActive`, `ProcessRunning`, or `AlreadyHasMobileID`.
    """
    _must_be_free(unit, user)
    profile = _pending(unit, user)
    instance = Instance(
        id=str(uuid.uuid4()),
        process=Process.GET,
        user_id=user.id,
        actor=by,
        state=InstanceState.WAITING_USER,
        step=StepName.CONFIRM,
        created_at=unit.now,
        expires_at=unit.now + lapses_after,
        mobile_id=profile.id,
        reference=new_reference(),
    )
    unit.add(profile, instance)
    unit.audit(by, "mobile_id.order", "mobile_id", profile.id, instance=instance.id)
    notify(
        unit,
        MailEvent.INVITATION,
        user=user,
        subject_id=instance.id,
        give_up_at=instance.expires_at,
    )
    return profile


def is_unopened(instance: Instance) -> bool:
    """Tell whether a Get was ordered, and its owner has not yet seen what they would get."""
    return instance.running and instance.process is Process.GET and instance.options is None


def opened(instance: Instance, decision: Decision, *, by: Actor) -> Instance:
    """Return an ordered Get as its owner's own, with what was decided frozen into it.

    It keeps its time: whoever looks and goes away again has not lost what was ordered for them.
    """
    return replace(
        instance,
        actor=by,
        step_seq=instance.step_seq + 1,
        options=decision.options,
        script=decision.script,
        basis=decision.basis,
        decided=decision.digest,
    )


def _must_be_free(unit: UnitOfWork, user: User) -> None:
    if not user.active:
        raise UserNotActive(user.state)
    running = unit.instances.running_get(user.id)
    if running is not None:
        if not running.over(unit.now):
            raise ProcessRunning(running)
        unit.save(expire(unit, running))
    live = unit.mobile_ids.live_of(user.id)
    if live is not None and expire_if_over(unit, live).live:
        raise AlreadyHasMobileID(live)


def _pending(unit: UnitOfWork, user: User) -> MobileID:
    """Return the profile under the names that it has until options are decided."""
    names = Options.for_user(user)
    return MobileID(
        id=str(uuid.uuid4()),
        user_id=user.id,
        state=ProfileState.PENDING,
        profile_name=names.profile_name,
        server_name=names.server_name,
        user_label=names.user_id[:MOST_USER_ID],
        created_at=unit.now,
        changed_at=unit.now,
    )
