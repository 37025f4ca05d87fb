"""A child that somebody has taken over: what it can do to the protocol, and what the host makes of it."""

from __future__ import annotations

import array
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from mobid_scripts import wire
from mobid_scripts.errors import SandboxUnavailable
from mobid_scripts.limits import Limits
from mobid_scripts.outcome import Code, Verdict
from mobid_scripts.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scripts.conftest import Product

# Our fork server, but for one thing: in the locked-down child the "script" is plain Python.
_TAKEN_OVER = """
import json, os, socket, sys
from mobid_scripts import execution, wire, zygote
def answer(request, declaration):
    stream = sys._getframe(1).f_locals["stream"]
    exec(request["source"], {**globals(), "stream": stream})
    os._exit(0)
execution.answer = answer
zygote.main(int(sys.argv[-1]))
"""


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """An interpreter that starts such a fork server, whatever it is asked to start."""
    server, program = tmp_path / "server.py", tmp_path / "python"
    server.write_text(_TAKEN_OVER)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -W ignore "{server}" "$@"\n')
    program.chmod(0o755)
    return program


@pytest.fixture
def taken_over(
    product: Product, interpreter: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sandbox]:
    """A sandbox around it."""
    with Sandbox(product.declaration, Limits(cpu_seconds=0.2, wall_seconds=1.0)) as sandbox:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(interpreter))
            product.run(sandbox, "")
        yield sandbox


def test_whatever_a_child_writes_is_told_in_our_words(
    product: Product, taken_over: Sandbox
) -> None:
    """A flood, a part of a frame, two answers, names of fields: each is a security event, none is quoted."""
    write = "wire.write_all(stream, {})"
    forged = "wire.framed(json.dumps({'outcome': 'ok', '\\x1b[2J' + 'x' * 9000: 1}).encode())"
    for source, reason in {
        "while True:\n    os.write(stream, b'x' * 65536)": "it is too long",
        write.format("b'x' * (wire.MOST_REPLY + 1)"): "it is too long",
        write.format("b'\\0\\0\\1\\0' + b'x' * 9"): "there is none",
        write.format("b'\\xff' * 4"): "there is none",
        write.format("wire.framed(b'{}') * 2"): "there is none",
        write.format("wire.Ending(0, timed_out=False).packed()"): "there is none",
        write.format(forged): "log, steps is not right",
    }.items():
        outcome = product.run(taken_over, source)
        assert outcome.outcome is Verdict.INVALID_RESULT, source
        (fault,) = outcome.diagnostics
        assert (fault.code, fault.message) == (
            Code.BAD_ANSWER,
            f"The answer of the script can not be read: {reason}.",
        )


def test_a_child_that_holds_its_answer_back_is_stopped(
    product: Product, taken_over: Sandbox
) -> None:
    """Silent, its stream closed, or half an answer written: it ends by its limits, and we wait no longer."""
    pid = taken_over.server_pid
    for source in ("os.close(stream)", "os.write(stream, b'\\0\\0')", "os.read(stream, 1)"):
        outcome = product.run(taken_over, source + "\nwhile True:\n    pass")
        assert (outcome.outcome, outcome.diagnostics[0].code) == (
            Verdict.KILLED_BY_LIMIT,
            Code.TIME,
        )
        assert outcome.ms < 2500
    assert taken_over.server_pid == pid


def test_a_child_can_not_crowd_its_ending_out(product: Product, interpreter: Path) -> None:
    """It fills the stream with a whole answer, while nobody reads, and only then does its worst."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stream, for_child = socket.socketpair()
    ending, for_server = socket.socketpair()
    with ours, stream, ending, theirs, for_child, for_server:
        command = [str(interpreter), str(theirs.fileno())]
        with subprocess.Popen(command, pass_fds=[theirs.fileno()], env={}) as server:
            limits = {**asdict(Limits()), "required": []}
            setup = {"declaration": product.declaration.to_json(), "limits": limits}
            ours.send(json.dumps(setup).encode())
            assert ours.recv(wire.MOST_WORDS) == wire.READY
            handed = array.array("i", [for_child.fileno(), for_server.fileno()])
            ours.sendmsg([b"r"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handed)])
            for_child.close()
            for_server.close()
            full = stream.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - 4096
            worst = f"wire.write_all(stream, wire.framed(b' ' * {full}))\nsocket.socket()"
            stream.sendall(wire.framed(json.dumps({"source": worst}).encode()))
            told = ending.recv(100)
            ours.close()
        assert server.returncode == 0
    assert wire.Ending.of(told) == wire.Ending(-signal.SIGSYS, timed_out=False)


def test_a_process_that_can_open_nothing_more_is_told_so(
    product: Product, own_sandbox: Sandbox
) -> None:
    """That is no fault of the fork server, which goes on, and no error that nobody has a word for."""
    product.run(own_sandbox, "")
    pid = own_sandbox.server_pid
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    try:
        for more in (0, 3):
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, hard))
            with pytest.raises(SandboxUnavailable, match=r"can open nothing more \(Too many open"):
                product.run(own_sandbox, "")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert product.run(own_sandbox, "").outcome is Verdict.OK
    assert own_sandbox.server_pid == pid
