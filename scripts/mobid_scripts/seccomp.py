"""The allow-list of system calls, as a filter in classic BPF, for each architecture by its own numbers.

What is not named ends the process. A few calls quietly fail instead: CPython opens the name of a script when
it words some syntax errors, and an honest mistake must not look like an attack; and whoever could change what
signals do could outlive the limit of processor time.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PR_SET_SECCOMP: Final = 22
_SECCOMP_MODE_FILTER: Final = 2

KILL, ALLOW, FAIL = 0x80000000, 0x7FFF0000, 0x00050000 | errno.ENOENT
"""What the filter answers: the end of the process, yes, and "no such file"."""

_LOAD, _EQUAL, _ANY_BIT, _ANSWER = 0x20, 0x15, 0x45, 0x06
_AT_NUMBER, _AT_ARCHITECTURE, _AT_PROTECTION = 0, 4, 16 + 2 * 8
_PROT_EXEC: Final = 4

WITHOUT_EXEC: Final = frozenset({"mmap", "mprotect"})
"""Allowed unless memory becomes executable, which is for attackers."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one architecture: its number in `linux/audit.h`, and theirs."""

    architecture: int
    allowed: Mapping[str, int]
    failing: Mapping[str, int]


# fmt: off
TABLES: Final[Mapping[str, Calls]] = {
    "x86_64": Calls(
        0xC000003E,
        {"read": 0, "write": 1, "close": 3, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12,
         "rt_sigreturn": 15, "sched_yield": 24, "mremap": 25, "madvise": 28, "exit": 60, "gettimeofday": 96,
         "futex": 202, "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231, "getrandom": 318},
        {"open": 2, "stat": 4, "fstat": 5, "lstat": 6, "lseek": 8, "rt_sigaction": 13, "rt_sigprocmask": 14,
         "ioctl": 16, "access": 21, "fcntl": 72, "getcwd": 79, "readlink": 89, "sigaltstack": 131,
         "openat": 257, "newfstatat": 262, "readlinkat": 267, "statx": 332, "faccessat2": 439},
    ),
    "aarch64": Calls(
        0xC00000B7,
        {"read": 63, "write": 64, "close": 57, "mmap": 222, "mprotect": 226, "munmap": 215, "brk": 214,
         "rt_sigreturn": 139, "sched_yield": 124, "mremap": 216, "madvise": 233, "exit": 93,
         "gettimeofday": 169, "futex": 98, "restart_syscall": 128, "clock_gettime": 113, "exit_group": 94,
         "getrandom": 278},
        {"getcwd": 17, "fcntl": 25, "ioctl": 29, "faccessat": 48, "openat": 56, "lseek": 62, "readlinkat": 78,
         "newfstatat": 79, "fstat": 80, "sigaltstack": 132, "rt_sigaction": 134, "rt_sigprocmask": 135,
         "statx": 291, "faccessat2": 439},
    ),
}
# fmt: on


class _Program(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def program(calls: Calls) -> bytes:
    """Return the filter for an architecture; a call by another architecture's door ends the process."""
    made = [
        _instruction(_LOAD, 0, 0, _AT_ARCHITECTURE),
        _instruction(_EQUAL, 1, 0, calls.architecture),
        _instruction(_ANSWER, 0, 0, KILL),
        _instruction(_LOAD, 0, 0, _AT_NUMBER),
    ]
    for name, number in calls.allowed.items():
        if name in WITHOUT_EXEC:
            made += [
                _instruction(_EQUAL, 0, 4, number),
                _instruction(_LOAD, 0, 0, _AT_PROTECTION),
                _instruction(_ANY_BIT, 0, 1, _PROT_EXEC),
                _instruction(_ANSWER, 0, 0, KILL),
                _instruction(_ANSWER, 0, 0, ALLOW),
            ]
        else:
            made += [_instruction(_EQUAL, 0, 1, number), _instruction(_ANSWER, 0, 0, ALLOW)]
    for number in calls.failing.values():
        made += [_instruction(_EQUAL, 0, 1, number), _instruction(_ANSWER, 0, 0, FAIL)]
    return b"".join([*made, _instruction(_ANSWER, 0, 0, KILL)])


def _instruction(code: int, then: int, otherwise: int, value: int) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


# Made before the child locks itself down: it is the last thing it does, when nothing can be read any more.
_OURS: Final = TABLES.get(platform.machine())
_FILTER: Final = b"" if _OURS is None else program(_OURS)


def put_up(libc: ctypes.CDLL) -> str:
    """Put up the filter, for good; return why it does not stand, or nothing if it does."""
    if _OURS is None:
        return f"the calls of {platform.machine()} are not known"
    held = ctypes.create_string_buffer(_FILTER, len(_FILTER))
    filtering = _Program(len(_FILTER) // 8, ctypes.cast(held, ctypes.c_void_p))
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filtering), 0, 0) == 0:
        return ""
    why = os.strerror(ctypes.get_errno())
    return f"the kernel, or a filter around this process, refuses it ({why})"
