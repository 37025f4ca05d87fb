"""Crash points: named places in issuing and revoking at which a test can make a process die, or wait.

They stand between the commits of Get and Lock, where a real crash hurts most, and where others come
between. A process started with `MOBID_CRASHPOINT=<name>[:<nth>]` in its environment dies of SIGKILL
at the nth pass of that point (the first, without a number). One started with
`MOBID_CRASHPOINT=pause:<folder>` waits at each point for which a pipe of that name lies in the
folder, until whoever made the pipe closes it. In every other process `crashpoint` does nothing. The
variable is read once, when this module is imported, so that a misspelt one stops the process at its
start.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE: Final = "MOBID_CRASHPOINT"

_ARMED: Final = re.compile(r"(?P<point>[a-z.]+)(?::(?P<nth>[1-9][0-9]{0,8}))?")
_PAUSE: Final = "pause:"


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
            " or pause:<folder that is there>,"
            f" where name is one of {', '.join(CrashPoint)}."
        )


class Trap:
    """Kills the own process when one point is passed for the nth time, by whichever thread."""

    def __init__(self, point: CrashPoint, *, nth: int = 1) -> None:
        self.point = point
        self._passes_left = nth
        self._lock = threading.Lock()

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


class Gates:
    """Holds threads at every point for which a pipe of that name lies in a folder.

    Whoever makes the pipe opens it for writing at once: a pipe that nobody holds open is no gate.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def passed(self, point: CrashPoint) -> None:
        """Say on stderr that a thread waits, and return when its gate is opened, or at once."""
        try:
            gate = os.open(self.folder / point, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.set_blocking(gate, True)
            os.write(2, f"{VARIABLE}: waits at {point}\n".encode())
            os.read(gate, 1)
        finally:
            os.close(gate)


def armed(environ: Mapping[str, str]) -> Trap | Gates | None:
    """Return what the environment sets, or None; raise `InvalidCrashPoint`."""
    text = environ.get(VARIABLE)
    if text is None:
        return None
    if text.startswith(_PAUSE):
        folder = Path(text.removeprefix(_PAUSE))
        if not (folder.is_absolute() and folder.is_dir()):
            raise InvalidCrashPoint(text)
        return Gates(folder)
    trap = _ARMED.fullmatch(text)
    if trap is None or trap["point"] not in set(CrashPoint):
        raise InvalidCrashPoint(text)
    return Trap(CrashPoint(trap["point"]), nth=int(trap["nth"] or 1))


_SET: Final = armed(os.environ)


def crashpoint(point: CrashPoint) -> None:
    """Die or wait here if this process was started with this point armed; otherwise do nothing."""
    if _SET is not None:
        _SET.passed(point)
