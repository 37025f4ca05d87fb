"""What a step is: a view, and for each action the function that answers what to write next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from mobid.processes.errors import InvalidInput, ReauthenticationRequired, UserNotActive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from mobid.domain.actors import Actor
    from mobid.domain.certificates import Certificate
    from mobid.domain.enrolments import Enrolment
    from mobid.domain.instances import Instance, StepName
    from mobid.domain.mobile_ids import MobileID
    from mobid.domain.users import User
    from mobid.processes.decision import Decision
    from mobid.processes.ports import Entity, UnitOfWork
    from mobid.processes.views import Message, StepView

NEXT: Final = "next"
CANCEL: Final = "cancel"
LOCK: Final = "lock"
RENEW: Final = "renew"
NOT_MINE: Final = "not_mine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The end user on whose behalf a call comes, and when they last signed in."""

    user_id: str
    actor: Actor
    authenticated_at: datetime
    front_end: str | None = None
    """The registered front end that vouches for the user; none for a page of our own."""

    @property
    def trail(self) -> Mapping[str, str]:
        """What an audit record says of the way on which the call came."""
        return {} if self.front_end is None else {"front_end": self.front_end}

    def must_be_fresh(self, at: datetime, within: timedelta) -> None:
        """Raise `ReauthenticationRequired` unless the login is recent."""
        if at - self.authenticated_at > within:
            raise ReauthenticationRequired(int(within.total_seconds() // 60))


@dataclass(frozen=True, kw_only=True)
class Run:
    """An instance inside a unit of work, with what belongs to it read when it is asked for."""

    unit: UnitOfWork
    instance: Instance
    user: User
    caller: Caller | None = None
    decision: Decision | None = None
    """A new decision of the option script, made because the user had changed; see `UserChanged`."""

    @property
    def now(self) -> datetime:
        """The time of the unit of work."""
        return self.unit.now

    @property
    def actor(self) -> Actor:
        """Who acts: the caller, or else whoever began the run."""
        return self.instance.actor if self.caller is None else self.caller.actor

    @cached_property
    def mobile_id(self) -> MobileID:
        """The profile that the instance makes or locks."""
        if self.instance.mobile_id is None:
            raise LookupError(
                f"Process {self.instance.id} has no mobile ID at {self.instance.step}."
            )
        return self.unit.mobile_ids.get(self.instance.mobile_id)

    @cached_property
    def certificates(self) -> Sequence[Certificate]:
        """The certificates of that profile."""
        return self.unit.certificates.of_mobile_id(self.mobile_id.id)

    @cached_property
    def enrolment(self) -> Enrolment:
        """The code and the phone of a Get that has come that far."""
        enrolment = self.unit.enrolments.of_instance(self.instance.id)
        if enrolment is None:
            raise LookupError(f"Process {self.instance.id} has no code at {self.instance.step}.")
        return enrolment

    @cached_property
    def active(self) -> MobileID | None:
        """The user's live profile, if there is one."""
        return self.unit.mobile_ids.live_of(self.user.id)

    def must_be_active_user(self) -> None:
        """Raise `UserNotActive` unless the user is active now."""
        if not self.user.active:
            raise UserNotActive(self.user.state)


class UserChanged(Exception):
    """An action needs a new decision: the user has changed. The runner makes it and tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One line for the audit log."""

    action: str
    thing: str
    thing_id: str
    details: Mapping[str, str | int | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an action writes: the instance at its next step, rows that are new, rows that changed."""

    instance: Instance
    new: tuple[Entity, ...] = ()
    changed: tuple[Entity, ...] = ()
    audit: tuple[Audited, ...] = ()


@dataclass(frozen=True, slots=True)
class Stay:
    """The action cannot go on yet; nothing is written, and the step says why."""

    hint: Message


Answer = Mapping[str, Any]
"""The input of an action: a JSON object from outside, read by the functions below only."""
Action = Callable[[Run, Answer], Changes | Stay]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a caller wants done: an action on the step that they saw."""

    action: str
    step_seq: int
    answer: Answer


class Step(Protocol):
    """One step of a process."""

    name: ClassVar[StepName]

    def view(self, run: Run) -> StepView:
        """Say what is shown here."""

    def actions(self, run: Run) -> Mapping[str, Action]:
        """Return the actions that can be taken here now, by name, in the order of their buttons."""


def audited(action: str, instance: Instance, **details: str | int | bool | None) -> Audited:
    """Return the audit line of something that happened to an instance."""
    return Audited(action=action, thing="instance", thing_id=instance.id, details=details)


def one_of(
    answer: Answer, field: str, choices: Sequence[str], *, default: str | None = None
) -> str:
    """Return the value of a field that takes one of some choices."""
    value = answer.get(field, default)
    if value not in choices or not isinstance(value, str):
        raise InvalidInput(field, "must be one of " + ", ".join(choices))
    return value


def some_of(answer: Answer, field: str, choices: Sequence[str]) -> tuple[str, ...]:
    """Return the values of a field that takes any of some choices, in the order of the choices."""
    values = answer.get(field, [])
    if not isinstance(values, (list, tuple)) or any(value not in choices for value in values):
        raise InvalidInput(field, "must be a list of " + (", ".join(choices) or "nothing"))
    return tuple(choice for choice in choices if choice in values)
