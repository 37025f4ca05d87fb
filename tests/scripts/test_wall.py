"""The outer wall, without the language in front of it: what plain Python can do after `lock_down`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mobid_scripts.limits import LAYERS
from mobid_scripts.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.scripts.conftest import Product, Scripts

# A parent that forks as the fork server does; its child gives everything up and then does as told.
_HARNESS: Final = """
import ctypes, mmap, os, resource, signal, socket, sys, threading
from mobid_scripts import wall
from mobid_scripts.limits import Limits
reader, writer = os.pipe()
other_reader, other_writer = os.pipe()
parent, base = os.getpid(), wall.memory_now()
pid = os.fork()
if pid == 0:
    try:
        wall.lock_down(writer, Limits(cpu_seconds=0.2), base, parent)
        {payload}
        os.write(writer, b"done")
    except BaseException as error:
        os.write(writer, type(error).__name__.encode())
    os._exit(0)
os.close(writer)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(os.read(reader, 100).decode(), status)
"""

STOPPED = f" {-signal.SIGSYS}"
PAYLOADS = {
    "open('/etc/passwd')": "FileNotFoundError 0",
    "os.listdir('/')": "FileNotFoundError 0",
    "os.stat('/')": "FileNotFoundError 0",
    "os.write(other_writer, b'x')": "OSError 0",
    "os.read(0, 1)": "OSError 0",
    "socket.socket()": STOPPED,
    "os.fork()": STOPPED,
    "os.execv('/bin/true', ['true'])": STOPPED,
    "os.kill(parent, 9)": STOPPED,
    "os.kill(-1, 9)": STOPPED,
    "os.getpid()": STOPPED,
    "os.unlink('/tmp/x')": STOPPED,
    "os.setuid(0)": STOPPED,
    "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)": STOPPED,
    "threading.Thread(target=print).start()": STOPPED,
    "resource.setrlimit(resource.RLIMIT_CPU, (9, 9))": STOPPED,
    "signal.setitimer(signal.ITIMER_PROF, 9)": STOPPED,
    "wall._libc.syscall(ctypes.c_long(0x40000000 + 39))": STOPPED,
    "ctypes.string_at(0)": f" {-signal.SIGSEGV}",
    "bytearray(200 << 20)": "MemoryError 0",
    "any(iter(int, 1))": f" {-signal.SIGPROF}",
}


def _result(payload: str) -> str:
    run = subprocess.run(
        [sys.executable, "-I", "-c", _HARNESS.replace("{payload}", payload)],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    return run.stdout.rstrip("\n")


@pytest.mark.parametrize(("payload", "result"), PAYLOADS.items(), ids=list(PAYLOADS))
def test_a_breach_of_the_language_achieves_nothing(
    payload: str, result: str, scripts: Scripts
) -> None:
    """Files are not there, descriptors are closed, and every other system call is the last."""
    if "seccomp" not in scripts.run("").layers:
        pytest.skip("this kernel has no seccomp for us; the result names the layers that it has")
    assert _result(payload) == result


def test_every_layer_stands_on_this_machine(scripts: Scripts) -> None:
    """Each answer names its layers, so that a missing one can be seen."""
    layers = scripts.run("").layers
    assert set(layers) >= {"rlimits", "no_new_privs"}
    assert list(layers) == [layer for layer in LAYERS if layer in layers]


def test_the_server_has_nothing_of_its_host(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started by exec: no variable of the environment, no open file, not our folder, and not as root."""
    monkeypatch.setenv("MOBID_SECRET", "s3cret")
    with (tmp_path / "key").open("wb") as secret, Sandbox(product.declaration) as sandbox:
        os.set_inheritable(secret.fileno(), True)  # noqa: FBT003 - the function's own signature
        product.run(sandbox, "")
        process = Path(f"/proc/{sandbox.server_pid}")
        assert b"s3cret" not in (process / "environ").read_bytes()
        opened = sorted(str(link.readlink()).split(":")[0] for link in (process / "fd").iterdir())
        assert set(opened) == {"/dev/null", "pipe", "socket"}
        assert opened.count("socket") == 1
        assert (process / "cwd").readlink() == Path("/")
        assert "\nUid:\t0\t" not in (process / "status").read_text("ascii")


# A kernel without Landlock, as far as this process and its children can tell: the call is not implemented.
_WITHOUT_LANDLOCK: Final = """
import ctypes, struct
from datetime import UTC, datetime
from mobid_scripts.declaration import Declaration
from mobid_scripts.errors import SandboxUnavailable
from mobid_scripts.limits import Limits
from mobid_scripts.sandbox import Sandbox
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050000 | 38), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
program = Program(len(rules), ctypes.cast(code, ctypes.c_void_p))
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
for required in [set(), {"landlock"}]:
    declaration = Declaration(options=(), attributes=("groups",), groups="groups")
    with Sandbox(declaration, Limits(required=frozenset(required))) as sandbox:
        try:
            outcome = sandbox.run("", {}, defaults={}, now=datetime.now(UTC))
            print(outcome.outcome.value, "landlock" in outcome.layers)
        except SandboxUnavailable as unavailable:
            print(unavailable)
"""


def test_a_demanded_layer_that_is_missing_runs_nothing() -> None:
    """A missing layer is left out of the result; where it is demanded, no script runs with less."""
    run = subprocess.run(
        [sys.executable, "-I", "-c", _WITHOUT_LANDLOCK],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert run.stdout.splitlines() == [
        "ok False",
        (
            "The script sandbox is not available: this machine does not have the demanded layer landlock "
            "(this kernel has no Landlock)."
        ),
    ]
