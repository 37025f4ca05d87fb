"""What pages say beside the texts of the processes: buttons, states, facts, times, and how far one is."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

from flask_babel import format_datetime, gettext

from mobid.domain.instances import InstanceState, Process, StepName
from mobid.processes.decision import VALIDITY_CLIPPED
from mobid.processes.get.confirm import KIND_NAMES
from mobid.processes.steps import CANCEL, LOCK, NEXT, NOT_MINE, RENEW
from mobid.processes.views import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mobid.processes.views import InstanceView

WORDS: Final[Mapping[str, Message]] = {
    # Actions, as the buttons of the use cases are called
    NEXT: Message("Next"),
    LOCK: Message("Lock"),
    RENEW: Message("New code"),
    NOT_MINE: Message("Not mine"),
    CANCEL: Message("Cancel"),
    # States of a mobile ID
    "pending": Message("Being created"),
    "active": Message("Active"),
    "inactive": Message("Suspended"),
    "locking": Message("Locking"),
    "locked": Message("Locked"),
    "expired": Message("Expired"),
    "failed": Message("Failed"),
    "cancelled": Message("Cancelled"),
    # What is wanted of a certificate, and the CA's word on it
    "valid": Message("Valid"),
    "held": Message("Suspended"),
    "revoked": Message("Revoked"),
    "requested": Message("No answer yet"),
    "unknown": Message("Unknown"),
    "absent": Message("Never issued"),
    VALIDITY_CLIPPED: Message("The validity ends earlier than usual, with that of the CA."),
    **{kind.value: name for kind, name in KIND_NAMES.items()},
}

_TRACKS: Final[Mapping[Process, tuple[tuple[Message, frozenset[StepName]], ...]]] = {
    Process.GET: (
        (Message("Start"), frozenset({StepName.HAS_ACTIVE, StepName.CONFIRM})),
        (Message("Scan"), frozenset({StepName.QR, StepName.MAIL})),
        (Message("Approve"), frozenset({StepName.APPROVE})),
        (Message("Create"), frozenset({StepName.CREATING})),
        (Message("Done"), frozenset({StepName.DONE})),
    ),
    Process.LOCK: (
        (Message("Confirm"), frozenset({StepName.CONFIRM_LOCK})),
        (Message("Lock"), frozenset({StepName.LOCKING})),
        (Message("Done"), frozenset({StepName.DONE})),
    ),
}
_FACTS: Final[Mapping[str, Message]] = {
    "profile_name": Message("Name"),
    "user_id": Message("For"),
    "certificates": Message("Certificates"),
    "device": Message("Phone"),
    "valid_to": Message("Valid to"),
}


def translate(message: Message) -> str:
    """Return a message in the language of the request."""
    return gettext(message.key, **message.values)


def word(name: str) -> str:
    """Return what a person calls an action, a state or a kind."""
    return translate(WORDS.get(name, Message(name)))


def when(at: datetime) -> str:
    """Return a time for people; there is no script to ask a browser where it is, so it is UTC."""
    return f"{format_datetime(at, 'd MMM y, HH:mm')} UTC"


def day(at: datetime) -> str:
    """Return the day of a time."""
    return format_datetime(at, "d MMM y")


def track(view: InstanceView) -> Iterator[tuple[str, str]]:
    """Yield the stages of a run, each `past`, `current` or `ahead`; none for one without result."""
    if view.step_name is StepName.FAILED:
        return
    stages = _TRACKS[view.process]
    here = next(place for place, (_, steps) in enumerate(stages) if view.step_name in steps)
    for place, (label, _) in enumerate(stages):
        yield translate(label), ("past", "current", "ahead")[1 + (place > here) - (place < here)]


def facts(view: InstanceView) -> Iterator[tuple[str, str | datetime]]:
    """Yield the name and value of what a step shows beside its text."""
    for name, label in _FACTS.items():
        value = view.step.data.get(name)
        if isinstance(value, list):
            yield translate(label), ", ".join(word(str(part)) for part in value)
        elif value is not None:
            yield translate(label), value if isinstance(value, datetime) else str(value)


def moves_by_itself(view: InstanceView) -> bool:
    """Return whether somebody else than the user can move the run on while they look at it."""
    return view.state in {InstanceState.WAITING_DEVICE, InstanceState.WAITING_CA}


_MARKED: Final = (
    "device",
    "code_expires_at",
    "mail_state",
    "mail_code_expires_at",
    "tries_left",
    "ready",
)


def mark(view: InstanceView) -> str:
    """Return what stands for all that a page of a waiting run shows; another page, another mark.

    A page asks by it whether there is something new. It holds no code, since it stands in a URL.
    """
    data = view.step.data
    shown = [view.step_seq, view.state, str(view.step.text)]
    shown += [data.get(name) for name in _MARKED]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "text": translate,
    "word": word,
    "when": when,
    "day": day,
    "track": track,
    "facts": facts,
    "moves_by_itself": moves_by_itself,
    "mark": mark,
}
"""What templates ask for, by the names they use."""
