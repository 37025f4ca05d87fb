"""What a page and a JSON answer both show of an instance: made once, as message keys and values.

A message key is the English text itself, with named places for values; api and web translate it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid.domain.instances import InstanceState, Process, StepName


@dataclass(frozen=True, slots=True)
class Message:
    """A text to be shown: key (the English text) and the values for its places."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.key % self.values if self.values else self.key


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a field takes."""

    value: str
    label: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the form of a step. `kind` is `one_of` or `some_of`."""

    name: str
    kind: str
    label: Message
    choices: tuple[Choice, ...]
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """What a step shows, and what can be done there."""

    title: Message
    text: Message
    actions: tuple[str, ...] = ()
    form: tuple[Field, ...] = ()
    inputs: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)
    """What single actions take beside the form, by the name of the action."""
    data: Mapping[str, object] = field(default_factory=dict)
    """Plain JSON values: text, numbers, lists, and aware datetimes."""
    hint: Message | None = None
    """What the last action could not do yet; not an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an instance ended without a result, and what to say to the service desk."""

    code: str
    text: Message
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """An instance as its owner sees it."""

    id: str
    process: Process
    name: Message
    state: InstanceState
    step_name: StepName
    step_seq: int
    step: StepView
    user_id: str
    user_name: str
    mobile_id: str | None
    error: Failure | None
    expires_at: datetime | None
    warnings: tuple[Message, ...] = ()

    @property
    def running(self) -> bool:
        """Whether something can still happen to it."""
        return self.state in {"waiting_user", "waiting_device", "waiting_ca"}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a process from being started: the code of its error, and its words."""

    code: str
    text: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Startable:
    """A process, and whether its user could start it now."""

    process: Process
    name: Message
    obstacle: Obstacle | None = None
    mobile_id: str | None = None
    """The mobile ID that a Lock would lock."""
