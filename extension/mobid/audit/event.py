"""What happened, and the one way in which it is written down."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from mobid.domain.actors import Actor

Detail = str | int | bool | None

_MOST: Final = 2**53 - 1
"""The largest number that every JSON reader keeps exactly (RFC 7493, 2.2)."""
_AT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# All names are ASCII, so that sorting by code point is the sorting of RFC 8785, 3.2.3.
_CANONICAL: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class InvalidEvent(ValueError):
    """An event that cannot be recorded: a fault of ours. The message shows no value: it may be secret."""

    def __init__(self, action: str, field: str, *, accepted: str) -> None:
        super().__init__(
            f'Audit event "{action}": {field} is not recorded as it is; it must be {accepted}.'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Who did what to which thing.

    Details are scalars under plain names. Never put a secret there, nor a personal attribute: the
    log cannot be edited afterwards. An event that does not fit raises `InvalidEvent` at once.
    """

    at: datetime
    actor: Actor
    action: str
    object_type: str
    object_id: str
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
        }
        return _CANONICAL.encode(content).encode()


def _is_text(value: object) -> bool:
    """Tell whether a value is text that UTF-8 can hold: no lone surrogates (RFC 3629, 3)."""
    return isinstance(value, str) and _SURROGATE.search(value) is None


def _is_detail(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) <= _MOST
    return value is None or _is_text(value)
