"""The outer wall: what the child gives up, for good, before it looks at a script. Linux only, ctypes only.

In this order: die with the parent, no core, no new privileges; no descriptor but one; resource limits and a
timer of processor time; Landlock (no file, no TCP, no signal to others); no new descriptor; seccomp (an
allow-list of the system calls that an interpreter at work needs). Each layer that stands is named, and of
each that does not it is told why.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mobid_scripts import landlock, seccomp
from mobid_scripts.limits import LAYERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid_scripts.limits import Limits

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_MOST_DESCRIPTORS: Final = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl, _libc.syscall  # looked up once, before there is a child  # noqa: B018


@dataclass(frozen=True, slots=True)
class Wall:
    """The layers that stand, weakest first, and why the others do not."""

    layers: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)


def memory_now() -> int:
    """Return the address space of this process in bytes."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()


def lock_down(keep: int, limits: Limits, base_memory: int, parent: int) -> Wall:
    """Give up everything but one descriptor, and return what stands now."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before it was asked for
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    why = {"no_new_privs": _no_new_privs()}
    os.closerange(0, keep)
    os.closerange(keep + 1, _MOST_DESCRIPTORS)
    why["rlimits"] = _limit(limits, base_memory)
    why["landlock"] = landlock.put_up(_libc)
    why["rlimits"] = why["rlimits"] or _set(resource.RLIMIT_NOFILE, 0)
    why["seccomp"] = seccomp.put_up(_libc)
    return Wall(
        tuple(layer for layer in LAYERS if not why[layer]),
        {layer: why[layer] for layer in LAYERS if why[layer]},
    )


def _no_new_privs() -> str:
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        return ""
    return f"prctl is refused ({os.strerror(ctypes.get_errno())})"


def _limit(limits: Limits, base_memory: int) -> str:
    seconds = math.ceil(limits.cpu_seconds)
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, base_memory + limits.memory_bytes),
        (resource.RLIMIT_CPU, seconds + 1),
    ):
        if why := _set(what, most):
            return why
    # RLIMIT_CPU counts whole seconds; the timer is exact, and its signal ends the process.
    signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
    return ""


def _set(what: int, most: int) -> str:
    """Lower a limit, soft and hard; an outer one that is lower already holds as well."""
    try:
        _, hard = resource.getrlimit(what)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        resource.setrlimit(what, (most, most))
    except (OSError, ValueError) as error:
        return f"setrlimit is refused ({error})"
    return ""
