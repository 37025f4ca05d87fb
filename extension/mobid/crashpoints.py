"""Crash points: named places in issuing and revoking at which a test can make a process die.

They stand between the commits of Get and Lock, where a real crash hurts most. A process started
with `MOBID_CRASHPOINT=<name>[:<nth>]` in its environment dies of SIGKILL at the nth pass of that
point (the first, without a number); in every other process `crashpoint` does nothing. The variable
is read once, when this module is imported, so that a misspelt name stops the process at its start.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "MOBID_CRASHPOINT"

_ARMED: Final = re.compile(r"(?P<point>[a-z.]+)(?::(?P<nth>[1-9][0-9]{0,8}))?")


class CrashPoint(StrEnum):
    """Where a process can be made to die, in the order in which Get and Lock pass."""

    GET_APPROVED = "get.approved"
    """The user approved the phone; the certificates are wanted, and nothing was sent."""
    ISSUE_INTENT = "issue.intent"
    """The intent to have a certificate is stored; the CA was not called."""
    CA_INTENT = "ca.intent"
    """The built-in CA stored what it is about to sign."""
    CA_SIGNED = "ca.signed"
    """The built-in CA signed, and has not stored the certificate."""
    ISSUE_CALLED = "issue.called"
    """The CA answered; its answer is stored nowhere."""
    ISSUE_STORED = "issue.stored"
    """What came back is verified and stored."""
    GET_ISSUED = "get.issued"
    """All certificates are there; the phone may fetch them."""
    GET_ACTIVE = "get.active"
    """The phone confirmed; the mobile ID is active."""
    LOCK_COMMITTED = "lock.committed"
    """The mobile ID is locking; the CA was not told."""
    REVOKE_CALLED = "revoke.called"
    """The CA was told to revoke; its answer is stored nowhere."""
    REVOKE_STORED = "revoke.stored"
    """The CA's word on the revocation is stored."""


class InvalidCrashPoint(ValueError):
    """The environment arms something that is no crash point."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f'{VARIABLE}="{text}" arms no crash point; it is <name> or <name>:<nth pass, from 1>,'
            f" where name is one of {', '.join(CrashPoint)}."
        )


class Trap:
    """Kills the own process when one point is passed for the nth time, by whichever thread."""

    def __init__(self, point: CrashPoint, *, nth: int = 1) -> None:
        self.point = point
        self._passes_left = nth
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self | None:
        """Return the trap that the environment sets, or None; raise `InvalidCrashPoint`."""
        text = environ.get(VARIABLE)
        if text is None:
            return None
        armed = _ARMED.fullmatch(text)
        if armed is None or armed["point"] not in set(CrashPoint):
            raise InvalidCrashPoint(text)
        return cls(CrashPoint(armed["point"]), nth=int(armed["nth"] or 1))

    def passed(self, point: CrashPoint) -> None:
        """Count one pass of `point`; at the nth one say so on stderr, and do not return."""
        if point is not self.point:
            return
        with self._lock:
            self._passes_left -= 1
            if self._passes_left == 0:
                # Unbuffered, since nothing is flushed on the way out.
                os.write(2, f"{VARIABLE}: killed at {point}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)


_TRAP: Final = Trap.from_environment(os.environ)


def crashpoint(point: CrashPoint) -> None:
    """Die here if this process was started with this point armed; otherwise do nothing."""
    if _TRAP is not None:
        _TRAP.passed(point)
