"""The filters of system calls, taken apart: what each architecture may call, by the kernel's own numbers."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Final

import pytest

from mobid_scripts.seccomp import ALLOW, FAIL, KILL, TABLES, WITHOUT_EXEC, program

_LOAD, _EQUAL, _ANY_BIT, _ANSWER = 0x20, 0x15, 0x45, 0x06
READ, READ_WRITE, READ_EXEC, ALL = 1, 3, 5, 7

HEADERS: Final = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
_DEFINED: Final = re.compile(r"^#define __NR(?:3264)?_(\w+)\s+([0-9]+)$", re.MULTILINE)
# What the generic header calls by its 32-bit name: the same call.
_GENERIC_NAMES: Final = {"fstatat": "newfstatat"}

every_machine = pytest.mark.parametrize("machine", TABLES)


def answer(filtering: bytes, *, architecture: int, number: int, protection: int = READ) -> int:
    """Run a filter on one call, as the kernel does (classic BPF, the instructions that we use)."""
    instructions = list(struct.iter_unpack("=HBBI", filtering))
    data = struct.pack("=IIQ6Q", number, architecture, 0, 0, 4096, protection, 0, 0, 0)
    held, at = 0, 0
    while True:
        code, then, otherwise, value = instructions[at]
        at += 1
        if code == _ANSWER:
            return int(value)
        if code == _LOAD:
            (held,) = struct.unpack_from("=I", data, value)
        else:
            holds = held == value if code == _EQUAL else bool(held & value)
            at += then if holds else otherwise


@every_machine
def test_every_call_is_allowed_failing_or_the_last(machine: str) -> None:
    """An allow-list: whatever number the next kernel gives out ends the process until we know it."""
    calls = TABLES[machine]
    filtering = program(calls)
    expected = dict.fromkeys(calls.allowed.values(), ALLOW)
    expected |= dict.fromkeys(calls.failing.values(), FAIL)
    assert len(expected) == len(calls.allowed) + len(calls.failing)
    for number in [*range(1024), 0x40000000 + 39, 0xFFFFFFFF]:
        found = answer(filtering, architecture=calls.architecture, number=number)
        assert found == expected.get(number, KILL), number


@every_machine
def test_no_memory_becomes_executable(machine: str) -> None:
    """In whatever combination with other rights."""
    calls = TABLES[machine]
    for name in WITHOUT_EXEC:
        for protection, expected in (
            (READ_WRITE, ALLOW),
            (READ_EXEC, KILL),
            (ALL, KILL),
            (4, KILL),
        ):
            found = answer(
                program(calls),
                architecture=calls.architecture,
                number=calls.allowed[name],
                protection=protection,
            )
            assert found == expected


@every_machine
def test_another_architecture_is_the_last_call(machine: str) -> None:
    """A 64-bit process may call by the numbers of 32 bits; those mean other things."""
    calls = TABLES[machine]
    for architecture in (
        0x40000003,
        0x40000028,
        0,
        *(other.architecture for other in TABLES.values()),
    ):
        for number in calls.allowed.values():
            found = answer(program(calls), architecture=architecture, number=number)
            assert found == (ALLOW if architecture == calls.architecture else KILL)


@every_machine
def test_numbers_are_those_of_the_kernel(machine: str) -> None:
    """Compared with the headers of the kernel, for the machine that this is not as well."""
    if not HEADERS[machine].exists():
        pytest.skip(f"the headers of {machine} are not on this machine")
    defined = {
        _GENERIC_NAMES.get(name, name): int(number)
        for name, number in _DEFINED.findall(HEADERS[machine].read_text("ascii"))
    }
    calls = TABLES[machine]
    ours = {**calls.allowed, **calls.failing}
    assert ours == {name: defined[name] for name in ours}


def test_what_opens_a_file_only_fails() -> None:
    """And nothing that makes, moves or removes one, starts a process or talks to one is in a table."""
    named = {name for calls in TABLES.values() for name in (*calls.allowed, *calls.failing)}
    dangerous = (
        "socket connect sendto sendmsg bind clone clone3 fork vfork execve execveat kill tkill tgkill ptrace "
        "prctl seccomp setuid setresuid unshare setns mount open_by_handle_at pidfd_send_signal memfd_create "
        "io_uring_setup bpf userfaultfd keyctl process_vm_writev setrlimit prlimit64 setitimer timer_create "
        "unlink unlinkat rename renameat2 mkdir mkdirat symlinkat linkat chmod fchmodat dup dup2 pipe2 shmat"
    )
    assert not named & set(dangerous.split())
    allowed = {name for calls in TABLES.values() for name in calls.allowed}
    assert not allowed & {"open", "openat", "rt_sigaction", "rt_sigprocmask", "ioctl", "fcntl"}
