"""The outer wall: what the child gives up, for good, before it looks at a script. Linux only, ctypes only.

In this order: die with the parent, no core, no new privileges; no descriptor but one; resource limits and a
timer of processor time; Landlock (no file, no TCP, no signal to others); no new descriptor; seccomp (an
allow-list of the system calls that an interpreter at work needs). Each layer that stands is named.
"""

from __future__ import annotations

import ctypes
import math
import os
import platform
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mobid_scripts.limits import Limits

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER: Final = 2
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_MOST_DESCRIPTORS: Final = 1 << 16

_libc = ctypes.CDLL(None, use_errno=True)

# fmt: off
# Architecture, the calls that are allowed, and those that quietly find nothing: CPython opens the name of a
# script when it words some syntax errors, and an honest mistake must not look like an attack.
_CALLS: Final[dict[str, tuple[int, dict[str, int], tuple[int, ...]]]] = {
    "x86_64": (
        0xC000003E,
        {"mmap": 9, "mprotect": 10,
         "read": 0, "write": 1, "close": 3, "munmap": 11, "brk": 12, "rt_sigaction": 13,
         "rt_sigprocmask": 14, "rt_sigreturn": 15,
         "sched_yield": 24, "mremap": 25, "madvise": 28, "exit": 60, "gettimeofday": 96,
         "sigaltstack": 131, "futex": 202, "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231,
         "getrandom": 318},
        # open stat fstat lstat lseek ioctl access fcntl getcwd readlink openat newfstatat readlinkat statx
        # faccessat2
        (2, 4, 5, 6, 8, 16, 21, 72, 79, 89, 257, 262, 267, 332, 439),
    ),
    "aarch64": (
        0xC00000B7,
        {"mmap": 222, "mprotect": 226,
         "read": 63, "write": 64, "close": 57, "munmap": 215, "brk": 214, "rt_sigaction": 134,
         "rt_sigprocmask": 135, "rt_sigreturn": 139,
         "sched_yield": 124, "mremap": 216, "madvise": 233, "exit": 93, "gettimeofday": 169,
         "sigaltstack": 132, "futex": 98, "restart_syscall": 128, "clock_gettime": 113, "exit_group": 94,
         "getrandom": 278},
        # getcwd fcntl ioctl faccessat openat lseek readlinkat newfstatat fstat statx faccessat2
        (17, 25, 29, 48, 56, 62, 78, 79, 80, 291, 439),
    ),
}
# fmt: on


def memory_now() -> int:
    """Return the address space of this process in bytes."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * resource.getpagesize()


def lock_down(keep: int, limits: Limits, base_memory: int, parent: int) -> tuple[str, ...]:
    """Give up everything but one descriptor, and return the layers that stand now, weakest first."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before it was asked for
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    no_new_privs = _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    _close_all_but(keep)
    _limit(limits, base_memory)
    landlock = _landlock()
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    stands = {
        "rlimits": True,
        "no_new_privs": no_new_privs,
        "landlock": landlock,
        "seccomp": _seccomp(),
    }
    return tuple(layer for layer, up in stands.items() if up)


def _close_all_but(keep: int) -> None:
    os.closerange(0, keep)
    os.closerange(keep + 1, _MOST_DESCRIPTORS)


def _limit(limits: Limits, base_memory: int) -> None:
    seconds = math.ceil(limits.cpu_seconds)
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_AS, base_memory + limits.memory_bytes),
        (resource.RLIMIT_CPU, seconds + 1),
    ):
        resource.setrlimit(what, (most, most))
    # RLIMIT_CPU counts whole seconds; the timer is exact, and its signal ends the process.
    signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)


def _landlock() -> bool:
    """Handle every right that this kernel knows and grant none."""
    version = _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    files = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF}.get(version, 0xFFFF)
    has_net, has_scope = version >= 4, version >= 6  # noqa: PLR2004 - versions of the kernel's interface
    attributes = struct.pack("=QQQ", files, 3 if has_net else 0, 3 if has_scope else 0)
    size = 24 if has_scope else 16 if has_net else 8
    ruleset = _libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        return False
    restricted = _libc.syscall(_LANDLOCK_RESTRICT, ruleset, ctypes.c_uint32(0)) == 0
    os.close(ruleset)
    return bool(restricted)


class _Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _instruction(code: int, then: int, otherwise: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _filter() -> bytes | None:
    """Return the seccomp filter of this machine in classic BPF, or None if its calls are not known."""
    if sys.platform != "linux" or platform.machine() not in _CALLS:
        return None
    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    kill, allow, nothing_there = 0x80000000, 0x7FFF0000, 0x00050000 | 2
    architecture, allowed, quiet = _CALLS[platform.machine()]
    at_number, at_architecture, at_protection = 0, 4, 16 + 2 * 8
    program = [
        _instruction(load, 0, 0, at_architecture),
        _instruction(equal, 1, 0, architecture),
        _instruction(answer, 0, 0, kill),
        _instruction(load, 0, 0, at_number),
    ]
    for name, number in allowed.items():
        if name in ("mmap", "mprotect"):  # memory that can be executed is for attackers
            program += [
                _instruction(equal, 0, 4, number),
                _instruction(load, 0, 0, at_protection),
                _instruction(any_bit, 0, 1, 0x4),
                _instruction(answer, 0, 0, kill),
                _instruction(answer, 0, 0, allow),
            ]
        else:
            program += [_instruction(equal, 0, 1, number), _instruction(answer, 0, 0, allow)]
    for number in quiet:
        program += [_instruction(equal, 0, 1, number), _instruction(answer, 0, 0, nothing_there)]
    return b"".join([*program, _instruction(answer, 0, 0, kill)])


_FILTER: Final = _filter()


def _seccomp() -> bool:
    if _FILTER is None:
        return False
    held = ctypes.create_string_buffer(_FILTER, len(_FILTER))
    program = _Program(len(_FILTER) // 8, ctypes.cast(held, ctypes.c_void_p))
    return bool(
        _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0
    )
