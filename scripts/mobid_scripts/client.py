"""The host's side of the fork server: start it by exec with nothing, hand it runs, notice when it is gone."""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from mobid_scripts import wire
from mobid_scripts.errors import SandboxUnavailable

if TYPE_CHECKING:
    from mobid_scripts.declaration import Declaration
    from mobid_scripts.limits import Limits

_START_SECONDS: Final = 20.0
_GRACE_SECONDS: Final = 0.9


class ForkServer:
    """A running fork server. `exchange` may be called from any thread; nothing here forks this process."""

    def __init__(self, declaration: Declaration, limits: Limits) -> None:
        self.owner = os.getpid()
        self._limits = limits
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = _started(theirs.fileno())
            except BlockingIOError as error:  # EAGAIN of fork(2)
                self._control.close()
                raise SandboxUnavailable(wire.NO_MORE_PROCESSES) from error
            except OSError as error:
                self._control.close()
                raise SandboxUnavailable(f"its fork server did not start: {error}") from error
        try:
            self._set_up(declaration)
        except BaseException:
            self.close()
            raise
        finally:
            if self._process.stderr is not None:
                self._process.stderr.close()

    @property
    def pid(self) -> int:
        """The process id of the fork server."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs, and is ours and not that of a process that we were forked from."""
        return self.owner == os.getpid() and self._process.poll() is None

    def exchange(self, request: bytes) -> wire.Reply:
        """Run one request in a child of its own, or raise SandboxUnavailable.

        OSError, where this process can open nothing more, is no fault of the fork server.
        """
        with ExitStack() as opened:
            stream, for_child = map(opened.enter_context, socket.socketpair())
            ending, for_server = map(opened.enter_context, socket.socketpair())
            self._hand_over(for_child, for_server)
            deadline = time.monotonic() + self._limits.wall_seconds + _GRACE_SECONDS
            _send(stream, wire.framed(request), deadline)
            data = _received(stream, wire.MOST_REPLY, deadline)
            if len(data) > wire.MOST_REPLY:
                return wire.FLOOD
            told = _received(ending, wire.MOST_ENDING, deadline)
        return wire.Reply.of(data, wire.Ending.of(told))

    def close(self) -> None:
        """End the fork server and every run of it."""
        self._control.close()
        if self.owner != os.getpid():
            return
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _set_up(self, declaration: Declaration) -> None:
        limits = {**asdict(self._limits), "required": sorted(self._limits.required)}
        setup = json.dumps({"declaration": declaration.to_json(), "limits": limits})
        self._control.settimeout(_START_SECONDS)
        try:
            self._control.send(setup.encode())
            ready = self._control.recv(wire.MOST_WORDS)
        except OSError as error:
            raise SandboxUnavailable(
                f"its fork server did not start: {self._last_words()}"
            ) from error
        if ready != wire.READY:
            raise SandboxUnavailable(
                ready.decode(errors="replace")
                or f"its fork server did not start: {self._last_words()}"
            )

    def _last_words(self) -> str:
        self._process.kill()
        said = self._process.stderr.read() if self._process.stderr is not None else b""
        lines = said.decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "it said nothing"

    def _hand_over(self, *theirs: socket.socket) -> None:
        descriptors = array.array("i", [one.fileno() for one in theirs])
        try:
            self._control.sendmsg([b"r"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        except OSError as error:
            raise SandboxUnavailable("its fork server is gone") from error
        for one in theirs:
            one.close()


def _started(control: int) -> subprocess.Popen[bytes]:
    """Start a fork server with one descriptor and nothing else of ours."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-I", "-W", "ignore", "-m", "mobid_scripts.zygote", str(control)],
        pass_fds=[control],
        env={},
        start_new_session=True,  # Ctrl-C in a terminal is for the host
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _send(stream: socket.socket, data: bytes, deadline: float) -> None:
    stream.settimeout(max(0.01, deadline - time.monotonic()))
    try:
        stream.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return  # the child has ended before it had read everything; its ending says why
    except OSError as error:
        raise SandboxUnavailable("its fork server did not take the request") from error


def _received(stream: socket.socket, most: int, deadline: float) -> bytes:
    """Read until everyone at the other end has closed it, or it is more than there can be."""
    data = bytearray()
    try:
        while len(data) <= most:
            stream.settimeout(max(0.01, deadline - time.monotonic()))
            part = stream.recv(1 << 16)
            if not part:
                break
            data += part
    except ConnectionResetError:
        pass  # the child has ended before it had read everything; what it wrote has been read
    except TimeoutError:
        raise SandboxUnavailable("its fork server does not answer") from None
    except OSError as error:
        raise SandboxUnavailable("its fork server is gone") from error
    return bytes(data)
