"""A value that must not be seen: it prints as ***, and only `reveal` gives it away."""

from __future__ import annotations

from typing import Generic, TypeVar, final

Hidden = TypeVar("Hidden", str, bytes)


@final
class Secret(Generic[Hidden]):
    """A text or bytes that no repr, f-string, log line or `dataclasses.asdict` shows."""

    __slots__ = ("_value",)

    def __init__(self, value: Hidden) -> None:
        self._value: Hidden = value

    def reveal(self) -> Hidden:
        """Return the value itself, for the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "***"
