"""How a process begins: what a signed-in user may start now, and what stands in the way.

An option script may take seconds, and a unit of work holds its user's lock. So a Get is decided between
two units: one looks whether it may start, the other starts it, unless its user has changed meanwhile.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

from mobid.domain.instances import Instance, InstanceState, Process, StepName
from mobid.domain.mobile_ids import ProfileState
from mobid.processes import get, lock
from mobid.processes.decision import basis_of, new_reference
from mobid.processes.errors import (
    MobileIDNotActive,
    MobileIDSuspended,
    NotFound,
    ProcessError,
    UserNotActive,
)
from mobid.processes.expiry import expire_if_over
from mobid.processes.ordering import is_unopened, opened
from mobid.processes.timeouts import expire
from mobid.processes.views import Message, Obstacle, Startable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.domain.mobile_ids import MobileID
    from mobid.domain.users import User
    from mobid.processes.decision import Decision
    from mobid.processes.get import Parts
    from mobid.processes.limits import Attempts
    from mobid.processes.ports import UnitOfWork, Units
    from mobid.processes.steps import Caller


class Started(NamedTuple):
    """The instance that a start led to, and whether it is new."""

    instance_id: str
    is_new: bool


class Starting:
    """Starts Get and Lock, opens what was ordered, and says beforehand what can be started."""

    def __init__(self, units: Units, parts: Parts, attempts: Attempts) -> None:
        self._units = units
        self._parts = parts
        self._attempts = attempts

    def offers(self, caller: Caller) -> Sequence[Startable]:
        """Say what the caller can start or continue now, and why not the rest; nothing is written.

        For Get the option script runs, so that nobody is offered what it would refuse.
        """
        return self._offer_get(caller), self._offer_lock(caller)

    def get(self, caller: Caller) -> Started:
        """Start a Get, or find the running one; raise what stands in the way.

        A start counts for its user before the option script runs; to come back to a running Get does not.
        """
        with self._units.reading() as unit:
            ordered = _waiting(unit, caller.user_id)
        if ordered is not None:
            return Started(ordered.id, is_new=False)
        counted = False
        while True:
            user = self._may_get(caller)
            if user is not None and not counted:
                self._attempts.start(user.id)
                counted = True
            decision = None if user is None else self._parts.decision.decide(user)
            started = self._try_get(caller, decision)
            if started is not None:
                return started

    def open(self, caller: Caller, instance_id: str) -> None:
        """Decide what an ordered Get is for, now that its owner is there; raise what is in the way."""
        with self._units.reading() as unit:
            user = self._ready(unit, caller)
        self._attempts.start(user.id)
        decision = self._parts.decision.decide(user)
        with self._units() as unit:
            user = unit.users.lock(caller.user_id)
            instance = own_instance(unit, caller, instance_id)
            if is_unopened(instance) and decision.basis == basis_of(user):
                unit.save(opened(instance, decision, by=caller.actor))
                unit.audit(caller.actor, "get.open", "instance", instance.id, **caller.trail)
                unit.commit()

    def lock(self, caller: Caller, mobile_id: str) -> Started:
        """Start a Lock of one of the caller's own mobile IDs, or find the one that runs."""
        with self._units() as unit:
            unit.users.lock(caller.user_id)
            known = {instance.id for instance in unit.instances.running_locks(mobile_id)}
            instance = lock.start_lock(unit, caller, mobile_id, idle=self._parts.times.form_idle)
            unit.commit()
        return Started(instance.id, is_new=instance.id not in known)

    def _offer_get(self, caller: Caller) -> Startable:
        try:
            user = self._may_get(caller)
            if user is not None:
                self._parts.decision.decide(user)
        except NotFound:
            raise
        except ProcessError as error:
            obstacle = Obstacle(error.code, Message(str(error)))
            return Startable(process=Process.GET, name=get.NAME, obstacle=obstacle)
        return Startable(process=Process.GET, name=get.NAME)

    def _offer_lock(self, caller: Caller) -> Startable:
        with self._units.reading() as unit:
            live = _seen_live(unit, unit.users.get(caller.user_id).id)
        if live is not None and live.state is ProfileState.ACTIVE:
            return Startable(process=Process.LOCK, name=lock.NAME, mobile_id=live.id)
        why = Message("You have no active mobile ID.")
        if live is not None:
            why = Message(str(MobileIDNotActive(live.id, live.state)))
        obstacle = Obstacle(MobileIDNotActive.code, why)
        return Startable(process=Process.LOCK, name=lock.NAME, obstacle=obstacle)

    def _may_get(self, caller: Caller) -> User | None:
        """Return who can start a Get, or nobody if one runs already; raise what is in the way."""
        with self._units.reading() as unit:
            user = self._ready(unit, caller)
            running = unit.instances.running_get(user.id)
            live = _seen_live(unit, user.id)
        if running is not None:
            return None
        if live is not None and live.state is ProfileState.INACTIVE:
            raise MobileIDSuspended
        return user

    def _ready(self, unit: UnitOfWork, caller: Caller) -> User:
        """Return the caller, signed in freshly and active; raise what is in the way."""
        caller.must_be_fresh(unit.now, self._parts.times.fresh_login)
        user = unit.users.get(caller.user_id)
        if not user.active:
            raise UserNotActive(user.state)
        return user

    def _try_get(self, caller: Caller, decision: Decision | None) -> Started | None:
        """Start on a decision, unless the user has changed since it was made."""
        with self._units() as unit:
            user = unit.users.lock(caller.user_id)
            running = unit.instances.running_get(user.id)
            if running is not None and not running.over(unit.now):
                return Started(running.id, is_new=False)
            if running is not None:
                unit.save(expire(unit, running))
                unit.commit()
                return None
            if decision is None or decision.basis != basis_of(user) or not user.active:
                return None
            instance = self._new_get(unit, caller, decision)
            unit.add(instance)
            details = {"step": instance.step, **caller.trail}
            unit.audit(caller.actor, "get.start", "instance", instance.id, **details)
            unit.commit()
        return Started(instance.id, is_new=True)

    def _new_get(self, unit: UnitOfWork, caller: Caller, decision: Decision) -> Instance:
        live = unit.mobile_ids.live_of(caller.user_id)
        if live is not None and expire_if_over(unit, live).state is ProfileState.EXPIRED:
            live = None
        if live is not None and live.state is ProfileState.INACTIVE:
            raise MobileIDSuspended
        return Instance(
            id=str(uuid.uuid4()),
            process=Process.GET,
            user_id=caller.user_id,
            actor=caller.actor,
            state=InstanceState.WAITING_USER,
            step=StepName.CONFIRM if live is None else StepName.HAS_ACTIVE,
            created_at=unit.now,
            expires_at=unit.now + self._parts.times.form_idle,
            options=decision.options,
            script=decision.script,
            basis=decision.basis,
            decided=decision.digest,
            reference=new_reference(),
        )


def own_instance(unit: UnitOfWork, caller: Caller, instance_id: str) -> Instance:
    """Return a process of the caller; somebody else's is not found."""
    instance = unit.instances.get(instance_id)
    if instance.user_id != caller.user_id:
        raise NotFound("process", instance_id)
    return instance


def _waiting(unit: UnitOfWork, user_id: str) -> Instance | None:
    """Return the Get that was ordered for a user and waits to be opened."""
    running = unit.instances.running_get(user_id)
    waits = running is not None and is_unopened(running) and not running.over(unit.now)
    return running if waits else None


def _seen_live(unit: UnitOfWork, user_id: str) -> MobileID | None:
    """Return what holds the user's slot; one whose end is reached holds it no more."""
    live = unit.mobile_ids.live_of(user_id)
    return live if live is not None and live.as_of(unit.now).live else None
