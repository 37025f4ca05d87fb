"""What a check finds, and how checks are run: each in bounded time, and none stops the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE: Final = 30.0
"""Seconds; a check that takes longer is a finding itself."""


class Health(StrEnum):
    """How well a thing is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and somebody should know."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: how it is, what was seen, and what to do about it."""

    name: str
    health: Health
    seen: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]
"""Looks at one thing. What it needs for that was handed to whoever made it."""


def ok(name: str, seen: str) -> Finding:
    """Return that a thing is well."""
    return Finding(name=name, health=Health.OK, seen=seen)


def warning(name: str, seen: str, remedy: str) -> Finding:
    """Return that a thing works, and what would be better."""
    return Finding(name=name, health=Health.WARNING, seen=seen, remedy=remedy)


def failed(name: str, seen: str, remedy: str) -> Finding:
    """Return that a thing does not work, and what mends it."""
    return Finding(name=name, health=Health.FAILED, seen=seen, remedy=remedy)


def examine(checks: Mapping[str, Check], *, patience: float = PATIENCE) -> Iterator[Finding]:
    """Yield what the checks find, in their order; one that hangs or fails itself is a finding, too."""
    for name, check in checks.items():
        yield from _examined(name, check, patience)


def _examined(name: str, check: Check, patience: float) -> Iterable[Finding]:
    found: list[Finding] = []

    def run() -> None:
        try:
            found.extend(check())
        except Exception as error:  # noqa: BLE001 - a check that fails is a finding
            seen = f"this check itself failed: {type(error).__name__}: {error}"
            found.append(failed(name, seen, "Report it, with the version of mobid."))

    thread = threading.Thread(target=run, name=f"doctor-{name}", daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive():
        return [failed(name, f"no answer within {patience:g} s", "See whether what it asks hangs.")]
    return found
