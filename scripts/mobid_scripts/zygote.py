"""The fork server: started by exec, empty environment, one thread, warm; a locked-down child for each run.

It never reads what comes from outside: a request goes past it, straight to the child. Its control socket
brings one packet with the setup, and then one for each run, with two descriptors: the stream of that run, for
the child, and where to tell how the child ended, for us. Its end is the end of all.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from mobid_scripts import execution, selftest, wall, wire
from mobid_scripts.declaration import Declaration
from mobid_scripts.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

_NOBODY: Final = 65534
_WARMING: Final = 12
_MOST_SETUP: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class _Child:
    pid: int
    deadline: float
    telling: int
    timed_out: bool = False


class Zygote:
    """The loop: take a run, fork, watch the clock, tell how it ended."""

    def __init__(self, control: socket.socket, declaration: Declaration, limits: Limits) -> None:
        self._control = control
        self._declaration = declaration
        self._limits = limits
        self._base_memory = wall.memory_now()
        self._children: dict[int, _Child] = {}
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Serve until the host closes its end."""
        while True:
            for descriptor, _ in self._poll.poll(self._patience()):
                if descriptor in self._children:
                    self._reap(descriptor)
                elif not self._take():
                    return
            self._end_late()

    def _patience(self) -> float | None:
        if not self._children:
            return None
        first = min(child.deadline for child in self._children.values())
        return max(0.0, first - time.monotonic()) * 1000 + 1

    def _take(self) -> bool:
        descriptors = array.array("i")
        packet, ancillary, _, _ = self._control.recvmsg(
            1, socket.CMSG_SPACE(2 * descriptors.itemsize)
        )
        if not packet:
            return False
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        stream, telling = descriptors
        self._fork(stream, telling)
        return True

    def unfit(self) -> str:
        """Try known ways out of each wall; return what is open, or nothing if none is."""
        told, status = self._tried(self._find_faults)
        if status != wire.ANSWERED or told is None:
            return f"its self-test ended without an answer (status {status})"
        answer = json.loads(told)
        if answer["faults"]:
            return f"its self-test failed: {'; '.join(answer['faults'])}"
        if "seccomp" in answer["layers"]:
            _, status = self._tried(self._break_out)
            if status != -signal.SIGSYS:
                return f"its self-test failed: seccomp stands and stops nothing (status {status})"
        return ""

    def _find_faults(self, out: int, standing: wall.Wall) -> None:
        found = list(selftest.faults(standing.layers))
        wire.write_all(
            out, wire.framed(json.dumps({"layers": standing.layers, "faults": found}).encode())
        )

    @staticmethod
    def _break_out(_out: int, _standing: wall.Wall) -> None:
        selftest.break_out()

    def _tried(self, attempt: Callable[[int, wall.Wall], None]) -> tuple[bytes | None, int]:
        """Do something in a child that has locked itself down; return what it wrote, and how it ended."""
        reader, writer = os.pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = wire.CRASHED
            try:
                attempt(writer, wall.lock_down(writer, self._limits, self._base_memory, parent))
                status = wire.ANSWERED
            finally:
                os._exit(status)
        os.close(writer)
        told = None
        with contextlib.suppress(EOFError):
            told = wire.read_frame(reader, wire.MOST_ANSWER)
        os.close(reader)
        return told, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _fork(self, stream: int, telling: int) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            pid = None
        if pid == 0:
            _live(stream, parent, self._declaration, self._limits, self._base_memory)
        os.close(stream)  # the child alone has it, so its end is the end of the stream
        if pid is None:
            self._tell(telling, wire.Ending(wire.NO_PROCESS, timed_out=False))
            return
        watched = os.pidfd_open(pid)
        self._children[watched] = _Child(pid, time.monotonic() + self._limits.wall_seconds, telling)
        self._poll.register(watched, select.POLLIN)

    def _reap(self, watched: int) -> None:
        child = self._children.pop(watched)
        self._poll.unregister(watched)
        os.close(watched)
        _, status = os.waitpid(child.pid, 0)
        self._tell(child.telling, wire.Ending(os.waitstatus_to_exitcode(status), child.timed_out))

    @staticmethod
    def _tell(descriptor: int, ending: wire.Ending) -> None:
        with socket.socket(fileno=descriptor) as told, contextlib.suppress(BrokenPipeError):
            told.send(
                ending.packed()
            )  # the first and last on it, so there is room; or the host has gone

    def _end_late(self) -> None:
        now = time.monotonic()
        for watched, child in self._children.items():
            if now >= child.deadline and not child.timed_out:
                self._children[watched] = replace(
                    child, deadline=child.deadline + 1, timed_out=True
                )
                signal.pidfd_send_signal(watched, signal.SIGKILL)


def _live(
    stream: int, parent: int, declaration: Declaration, limits: Limits, base_memory: int
) -> None:
    """Be the child: lock down, read the request, answer, and end without unwinding anything of the server."""
    status = wire.ANSWERED
    try:
        standing = wall.lock_down(stream, limits, base_memory, parent)
        status = _answer(stream, standing, declaration, limits)
    except MemoryError:
        status = wire.OUT_OF_MEMORY
    except BaseException:  # noqa: BLE001 - whatever it is, it must not become a second fork server
        status = wire.CRASHED
    finally:
        os._exit(status)


def _answer(stream: int, standing: wall.Wall, declaration: Declaration, limits: Limits) -> int:
    wire.write_all(stream, wire.framed(json.dumps(asdict(standing)).encode()))
    if limits.required.difference(standing.layers):
        return wire.LAYER_MISSING
    request = json.loads(wire.read_frame(stream, wire.MOST_REQUEST))
    answer = execution.answer(request, declaration)
    data = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    if len(data) > wire.MOST_ANSWER:
        return wire.TOO_LARGE
    wire.write_all(stream, wire.framed(data))
    return wire.ANSWERED


def _warm() -> None:
    """Go through everything that imports or caches, so that a child need not and, locked down, can.

    An interpreter makes code faster that has run some times, by writing into it; written after a fork,
    each page of it would be copied.
    """
    for source in ("days = 1 +", "x = nowhere", "x = {}['x']", *[selftest.HONEST] * _WARMING):
        selftest.tried(source)
    sys.setrecursionlimit(1000)


def _drop_privileges() -> bool:
    """Become nobody; tell whether we are no root now. One without capabilities can not give itself up."""
    if os.getuid() != 0:
        return True
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except PermissionError:
        return False
    return True


def main(descriptor: int) -> None:
    """Serve on the control socket with this descriptor."""
    control = socket.socket(fileno=descriptor)
    setup = json.loads(control.recv(_MOST_SETUP))
    declaration = Declaration.from_json(setup["declaration"])
    limits = Limits(**{**setup["limits"], "required": frozenset(setup["limits"]["required"])})
    os.environ.clear()
    os.chdir("/")
    sys.set_int_max_str_digits(1000)
    _warm()  # while the files of the interpreter can still be read
    if not _drop_privileges():
        # The kernel counts no processes of root, so the resource limits alone would not hold.
        limits = replace(limits, required=limits.required | {"seccomp"})
    gc.collect()
    gc.freeze()
    gc.disable()
    zygote = Zygote(control, declaration, limits)
    try:
        why = zygote.unfit()
    except BlockingIOError:
        why = wire.NO_MORE_PROCESSES
    if why:
        control.send(why.encode()[: wire.MOST_WORDS])
        return
    control.send(wire.READY)
    zygote.serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
