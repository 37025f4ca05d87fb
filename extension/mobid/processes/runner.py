"""The one runner: loads an instance, checks owner, state and step, calls the action, commits all together."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mobid.domain.instances import Instance, InstanceState, Process, StepName
from mobid.domain.mobile_ids import ProfileState
from mobid.processes import get, lock
from mobid.processes.decision import basis_of, new_reference
from mobid.processes.ended import Done, Ended, failure_of
from mobid.processes.ending import fail_get
from mobid.processes.errors import (
    IllegalAction,
    InvalidInput,
    MissingUserAttribute,
    MobileIDNotActive,
    MobileIDSuspended,
    NotFound,
    OptionScriptFailed,
    ProcessError,
    RefusedByScript,
    StaleStep,
    UserNotActive,
)
from mobid.processes.expiry import expire_if_over
from mobid.processes.ordering import is_unopened, opened
from mobid.processes.steps import Changes, Run, Stay, UserChanged
from mobid.processes.timeouts import expire
from mobid.processes.views import InstanceView, Message, Obstacle, Startable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mobid.domain.mobile_ids import MobileID
    from mobid.domain.users import User
    from mobid.processes.decision import Decision
    from mobid.processes.get import Parts
    from mobid.processes.limits import Attempts
    from mobid.processes.ports import UnitOfWork, Units
    from mobid.processes.steps import Act, Caller, Step
    from mobid.processes.views import StepView

NAMES: Final = {Process.GET: get.NAME, Process.LOCK: lock.NAME}


class Runner:
    """Get and Lock for signed-in users: what can be started, start, show, act."""

    def __init__(self, units: Units, parts: Parts, attempts: Attempts) -> None:
        self._units = units
        self._parts = parts
        self._attempts = attempts
        ends: tuple[Step, ...] = (Done(), Ended())
        self._steps: Final[Mapping[Process, Mapping[StepName, Step]]] = {
            Process.GET: {step.name: step for step in (*get.steps(parts), *ends)},
            Process.LOCK: {step.name: step for step in (*lock.STEPS, *ends)},
        }

    def startable(self, caller: Caller) -> Sequence[Startable]:
        """Say what the caller can start or continue now, and why not the rest; nothing is written.

        For Get the option script runs, so that nobody is offered what it would refuse.
        """
        return self._startable_get(caller), self._startable_lock(caller)

    def _startable_get(self, caller: Caller) -> Startable:
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

    def _startable_lock(self, caller: Caller) -> Startable:
        with self._units.reading() as unit:
            live = _seen_live(unit, unit.users.get(caller.user_id).id)
        if live is not None and live.state is ProfileState.ACTIVE:
            return Startable(process=Process.LOCK, name=lock.NAME, mobile_id=live.id)
        why = Message("You have no active mobile ID.")
        if live is not None:
            why = Message(str(MobileIDNotActive(live.id, live.state)))
        obstacle = Obstacle(MobileIDNotActive.code, why)
        return Startable(process=Process.LOCK, name=lock.NAME, obstacle=obstacle)

    def start_get(self, caller: Caller) -> tuple[InstanceView, bool]:
        """Start a Get, or return the running one; say whether it is new.

        A start counts for its user before the option script runs; to come back to a running Get does not.
        One that was ordered for the caller is opened by this.
        """
        with self._units.reading() as unit:
            running = unit.instances.running_get(caller.user_id)
            waits = running is not None and is_unopened(running) and not running.over(unit.now)
        if running is not None and waits:
            return self.show(caller, running.id), False
        counted = False
        while True:
            user = self._may_get(caller)
            if user is not None and not counted:
                self._attempts.start(user.id)
                counted = True
            decision = None if user is None else self._parts.decision.decide(user)
            started = self._try_start(caller, decision)
            if started is not None:
                view, is_new = started
                # One that was ordered meanwhile is opened by being shown.
                return view if is_new else self.show(caller, view.id), is_new

    def _open(self, caller: Caller, instance_id: str) -> None:
        """Decide what an ordered Get is for, now that its owner is there; raise what is in the way."""
        with self._units.reading() as unit:
            user = self._ready(unit, caller)
        self._attempts.start(user.id)
        decision = self._parts.decision.decide(user)
        with self._units() as unit:
            user = unit.users.lock(caller.user_id)
            instance = self._own(unit, caller, instance_id)
            if is_unopened(instance) and decision.basis == basis_of(user):
                unit.save(opened(instance, decision, by=caller.actor))
                unit.audit(caller.actor, "get.open", "instance", instance.id, **caller.trail)
                unit.commit()

    def _ready(self, unit: UnitOfWork, caller: Caller) -> User:
        """Return the caller, signed in freshly and active; raise what is in the way."""
        caller.must_be_fresh(unit.now, self._parts.times.fresh_login)
        user = unit.users.get(caller.user_id)
        if not user.active:
            raise UserNotActive(user.state)
        return user

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

    def _try_start(
        self, caller: Caller, decision: Decision | None
    ) -> tuple[InstanceView, bool] | None:
        """Start on a decision, unless the user has changed since it was made."""
        with self._units() as unit:
            user = unit.users.lock(caller.user_id)
            running = unit.instances.running_get(user.id)
            if running is not None and not running.over(unit.now):
                return self._view(Run(unit=unit, instance=running, user=user, caller=caller)), False
            if running is not None:
                unit.save(expire(unit, running))
                unit.commit()
                return None
            if decision is None or decision.basis != basis_of(user) or not user.active:
                return None
            run = Run(
                unit=unit, instance=self._new_get(unit, caller, decision), user=user, caller=caller
            )
            unit.add(run.instance)
            unit.audit(
                caller.actor,
                "get.start",
                "instance",
                run.instance.id,
                step=run.instance.step,
                **caller.trail,
            )
            unit.commit()
            return self._view(run), True

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

    def start_lock(self, caller: Caller, mobile_id: str) -> tuple[InstanceView, bool]:
        """Start a Lock of one of the caller's own mobile IDs, or return the one that runs."""
        with self._units() as unit:
            user = unit.users.lock(caller.user_id)
            known = {instance.id for instance in unit.instances.running_locks(mobile_id)}
            instance = lock.start_lock(unit, caller, mobile_id, idle=self._parts.times.form_idle)
            unit.commit()
            return self._view(
                Run(unit=unit, instance=instance, user=user)
            ), instance.id not in known

    def show(self, caller: Caller, instance_id: str) -> InstanceView:
        """Return an instance as it is now; one whose time is over has ended.

        One that was ordered for the caller is opened by this, with the guards of a start.
        """
        with self._units.reading() as unit:
            instance = self._own(unit, caller, instance_id)
            unopened = is_unopened(instance) and not instance.over(unit.now)
        if unopened:
            self._open(caller, instance_id)
            return self.show(caller, instance_id)
        return self._look(caller, instance_id)

    def _look(self, caller: Caller, instance_id: str) -> InstanceView:
        """Return an instance as it is now, without opening it."""
        with self._units.reading() as unit:
            instance = self._own(unit, caller, instance_id)
            if not instance.over(unit.now):
                user = unit.users.get(caller.user_id)
                return self._view(Run(unit=unit, instance=instance, user=user, caller=caller))
        self._expire(caller, instance_id)
        return self._look(caller, instance_id)

    def running(self, caller: Caller) -> Sequence[InstanceView]:
        """Return what the caller has not finished, for *Continue* on the dashboard."""
        with self._units.reading() as unit:
            ids = [instance.id for instance in unit.instances.running_of(caller.user_id)]
        views = [self._look(caller, instance_id) for instance_id in ids]
        return [view for view in views if view.running]

    def act(self, caller: Caller, instance_id: str, act: Act) -> InstanceView:
        """Take an action on the step that the caller saw.

        Raise `StaleStep` if it has moved on, `ProcessEnded`, or `IllegalAction`.
        """
        with self._units.reading() as unit:
            over = self._own(unit, caller, instance_id).over(unit.now)
        if over:
            self._expire(caller, instance_id)
        try:
            return self._act(caller, instance_id, act)
        except UserChanged:
            return self._act_after_change(caller, instance_id, act)

    def _act(
        self, caller: Caller, instance_id: str, act: Act, decision: Decision | None = None
    ) -> InstanceView:
        with self._units() as unit:
            user = unit.users.lock(caller.user_id)
            instance = self._own(unit, caller, instance_id)
            step = self._steps[instance.process][instance.step]
            run = Run(unit=unit, instance=instance, user=user, caller=caller, decision=decision)
            if instance.step_seq != act.step_seq:
                raise StaleStep(instance)
            instance.must_run(act.action)
            actions = step.actions(run)
            if act.action not in actions:
                raise IllegalAction(instance, act.action, list(actions))
            _must_be_asked_for(act, step.view(run))
            outcome = actions[act.action](run, act.answer)
            if isinstance(outcome, Stay):
                return self._view(run, outcome.hint)
            _write(unit, outcome, caller)
            unit.commit()
        return self.show(caller, instance_id)

    def _act_after_change(self, caller: Caller, instance_id: str, act: Act) -> InstanceView:
        """The user has changed since the options were decided: decide anew, then act."""
        with self._units.reading() as unit:
            user = unit.users.get(caller.user_id)
        try:
            decision = self._parts.decision.decide(user)
        except (RefusedByScript, OptionScriptFailed, MissingUserAttribute) as error:
            self._fail(caller, instance_id, act.step_seq, error)
            return self.show(caller, instance_id)
        try:
            return self._act(caller, instance_id, act, decision)
        except UserChanged:
            return self._act_after_change(caller, instance_id, act)

    def _fail(self, caller: Caller, instance_id: str, step_seq: int, error: ProcessError) -> None:
        with self._units() as unit:
            unit.users.lock(caller.user_id)
            instance = self._own(unit, caller, instance_id)
            if instance.step_seq != step_seq:
                raise StaleStep(instance)
            failed = fail_get(unit, instance, error.code, by=caller.actor)
            if isinstance(error, OptionScriptFailed):
                failed = replace(failed, reference=error.reference)
            unit.save(failed)
            unit.commit()

    def _expire(self, caller: Caller, instance_id: str) -> None:
        with self._units() as unit:
            unit.users.lock(caller.user_id)
            instance = self._own(unit, caller, instance_id)
            if instance.over(unit.now):
                unit.save(expire(unit, instance))
                unit.commit()

    @staticmethod
    def _own(unit: UnitOfWork, caller: Caller, instance_id: str) -> Instance:
        instance = unit.instances.get(instance_id)
        if instance.user_id != caller.user_id:
            raise NotFound("process", instance_id)
        return instance

    def _view(self, run: Run, hint: Message | None = None) -> InstanceView:
        instance = run.instance
        step = self._steps[instance.process][instance.step]
        shown = step.view(run)
        return InstanceView(
            id=instance.id,
            process=instance.process,
            name=NAMES[instance.process],
            state=instance.state,
            step_name=instance.step,
            step_seq=instance.step_seq,
            step=replace(
                shown,
                actions=tuple(step.actions(run)) if instance.running else (),
                hint=hint or shown.hint,
            ),
            user_id=run.user.id,
            user_name=run.user.user_name,
            mobile_id=instance.mobile_id,
            error=failure_of(instance),
            expires_at=instance.expires_at,
            warnings=tuple(Message(warning) for warning in instance.warnings),
        )


def _seen_live(unit: UnitOfWork, user_id: str) -> MobileID | None:
    """Return what holds the user's slot; one whose end is reached holds it no more."""
    live = unit.mobile_ids.live_of(user_id)
    return live if live is not None and live.as_of(unit.now).live else None


def _must_be_asked_for(act: Act, shown: StepView) -> None:
    """Raise `InvalidInput` for a field that the step does not ask for: nothing is ignored."""
    asked = [field.name for field in (*shown.form, *shown.inputs.get(act.action, ()))]
    for name in act.answer:
        if name not in asked:
            right = "this step asks for " + (", ".join(asked) or "nothing")
            raise InvalidInput(name, f"is not known here; {right}")


def _write(unit: UnitOfWork, changes: Changes, caller: Caller) -> None:
    unit.add(*changes.new)
    unit.save(*changes.changed, changes.instance)
    for line in changes.audit:
        details = {**line.details, **caller.trail}
        unit.audit(caller.actor, line.action, line.thing, line.thing_id, **details)
