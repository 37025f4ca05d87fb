"""What happened, and the one way in which it is written down."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from mobid.audit.errors import InvalidEvent, InvalidRecord
from mobid.domain.actors import Actor, ActorKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Detail = str | int | bool | None

_MOST: Final = 2**53 - 1
"""The largest number that every JSON reader keeps exactly (RFC 7493, 2.2)."""
_AT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Outcome(StrEnum):
    """How it ended."""

    OK = "ok"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to which thing, and how it ended.

    Details are scalars under plain names. Never put a secret there, nor a personal attribute: the
    log cannot be edited afterwards. An event that does not fit raises `InvalidEvent` at once.
    """

    at: datetime
    actor: Actor
    action: str
    object_type: str
    object_id: str
    outcome: Outcome = Outcome.OK
    details: Mapping[str, Detail] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, accepted in self._misfits():
            raise InvalidEvent(self.action, name, accepted=accepted)

    def _misfits(self) -> Iterator[tuple[str, str]]:
        if self.at.utcoffset() is None:
            yield "at", "a time with its zone"
        for name in ("action", "object_type", "object_id"):
            if not _is_text(getattr(self, name)) or not getattr(self, name):
                yield name, "text, and not empty"
        if not _is_text(self.actor.id):
            yield "actor", "named by text"
        for name, value in self.details.items():
            if _NAME.fullmatch(name) is None:
                yield "the name of a detail", "a word of a-z, 0-9 and _"
            elif not _is_detail(value):
                yield f'detail "{name}"', "text, a whole number below 2^53, true, false or null"

    def record(self) -> bytes:
        """Return the event as canonical JSON (RFC 8785): the same event is the same bytes, anywhere."""
        content = {
            "action": self.action,
            "actor": str(self.actor),
            "at": self.at.astimezone(UTC).strftime(_AT),
            "details": dict(self.details),
            "object_id": self.object_id,
            "object_type": self.object_type,
            "outcome": self.outcome,
        }
        # All names are ASCII, so that sorting by code point is the sorting of RFC 8785, 3.2.3.
        return json.dumps(
            content, ensure_ascii=False, sort_keys=True, separators=(",", ":")
        ).encode()

    @classmethod
    def from_record(cls, record: bytes) -> Self:
        """Return the event that was written as `record`; raise `InvalidRecord`."""
        try:
            content = json.loads(record)
            kind, _, actor_id = content.pop("actor").partition(":")
            event = cls(
                at=datetime.strptime(content.pop("at"), _AT).replace(tzinfo=UTC),
                actor=Actor(ActorKind(kind), actor_id),
                outcome=Outcome(content.pop("outcome")),
                **content,
            )
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
            InvalidEvent,
        ) as error:
            raise InvalidRecord(f"it is no event ({type(error).__name__})") from None
        if event.record() != record:
            raise InvalidRecord("it is not in canonical form")
        return event


def _is_text(value: object) -> bool:
    """Tell whether a value is text that UTF-8 can hold: no lone surrogates (RFC 3629, 3)."""
    return isinstance(value, str) and not any(
        "\ud800" <= character <= "\udfff" for character in value
    )


def _is_detail(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) <= _MOST
    return value is None or _is_text(value)
