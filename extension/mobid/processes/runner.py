"""The one runner: loads an instance, checks owner, state and step, calls the action, commits all together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mobid.domain.instances import Process, StepName
from mobid.processes import get, lock
from mobid.processes.ended import Done, Ended, failure_of
from mobid.processes.ending import fail_get
from mobid.processes.errors import (
    IllegalAction,
    InvalidInput,
    MissingUserAttribute,
    OptionScriptFailed,
    ProcessError,
    RefusedByScript,
    StaleStep,
)
from mobid.processes.ordering import is_unopened
from mobid.processes.starting import Starting, own_instance
from mobid.processes.steps import Changes, Run, Stay, UserChanged
from mobid.processes.timeouts import expire
from mobid.processes.views import InstanceView, Message, Startable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        self._starting = Starting(units, parts, attempts)
        self._decision = parts.decision
        ends: tuple[Step, ...] = (Done(), Ended())
        self._steps: Final[Mapping[Process, Mapping[StepName, Step]]] = {
            Process.GET: {step.name: step for step in (*get.steps(parts), *ends)},
            Process.LOCK: {step.name: step for step in (*lock.STEPS, *ends)},
        }

    def startable(self, caller: Caller) -> Sequence[Startable]:
        """Say what the caller can start or continue now, and why not the rest; nothing is written."""
        return self._starting.offers(caller)

    def start_get(self, caller: Caller) -> tuple[InstanceView, bool]:
        """Start a Get, or return the running one, opened if it was ordered; say whether it is new."""
        instance_id, is_new = self._starting.get(caller)
        return self.show(caller, instance_id), is_new

    def start_lock(self, caller: Caller, mobile_id: str) -> tuple[InstanceView, bool]:
        """Start a Lock of one of the caller's own mobile IDs, or return the one that runs."""
        instance_id, is_new = self._starting.lock(caller, mobile_id)
        return self.show(caller, instance_id), is_new

    def show(self, caller: Caller, instance_id: str) -> InstanceView:
        """Return an instance as it is now; one whose time is over has ended.

        One that was ordered for the caller is opened by this, with the guards of a start.
        """
        with self._units.reading() as unit:
            instance = own_instance(unit, caller, instance_id)
            unopened = is_unopened(instance) and not instance.over(unit.now)
        if unopened:
            self._starting.open(caller, instance_id)
            return self.show(caller, instance_id)
        return self._look(caller, instance_id)

    def _look(self, caller: Caller, instance_id: str) -> InstanceView:
        """Return an instance as it is now, without opening it."""
        with self._units.reading() as unit:
            instance = own_instance(unit, caller, instance_id)
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
            over = own_instance(unit, caller, instance_id).over(unit.now)
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
            instance = own_instance(unit, caller, instance_id)
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
            decision = self._decision.decide(user)
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
            instance = own_instance(unit, caller, instance_id)
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
            instance = own_instance(unit, caller, instance_id)
            if instance.over(unit.now):
                unit.save(expire(unit, instance))
                unit.commit()

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
