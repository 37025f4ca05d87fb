"""The outer wall, without the language in front of it: what plain Python can do after `lock_down`."""

from __future__ import annotations

import json
import os
import platform
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

# A parent that forks as the fork server does; its children give everything up and then do as they are told.
# The product has no such mode: what a child does instead of a script stands in this test alone.
_HARNESS: Final = """
import ctypes, json, mmap, os, resource, select, signal, socket, sys, threading, time
from dataclasses import asdict
from mobid_scripts import execution, wall, wire, zygote
from mobid_scripts.limits import Limits
os.environ.clear()
syscall = lambda number, *rest: wall._libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, rest))
def loop():
    while True:
        pass
def held(fd):
    try:
        return os.write(fd, b"") == 0
    except OSError:
        return False
def recurse(depth):
    sys.setrecursionlimit(10 ** 9)
    class Deep:
        def __repr__(self):
            return repr(self)
    repr(Deep())
parent, base = os.getpid(), wall.memory_now()
others = [os.open("/dev/null", os.O_RDWR) for _ in range(5)]
limits = Limits(cpu_seconds=0.15)
for payload in json.load(sys.stdin):
    reader, writer = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        standing = wall.lock_down(writer, limits, base, parent)
        try:
            try:
                shown = repr(eval(payload))
            except SyntaxError:
                exec(payload)
                shown = "done"
        except BaseException as error:
            shown = type(error).__name__
        os.write(writer, shown.encode())
        os._exit(0)
    os.close(writer)
    watched = os.pidfd_open(pid)
    in_time = bool(select.select([watched], [], [], 5)[0])
    if not in_time:
        os.kill(pid, 9)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said = os.read(reader, 100).decode() if in_time else "TIMED OUT"
    os.close(watched), os.close(reader)
    print(json.dumps([said, status, time.monotonic() - started]), flush=True)
"""

# What each payload says, and the signal that ends it; 0 if it ends by itself.
_DIES: Final = ("", -signal.SIGSYS)
_NO_FILE: Final = ("FileNotFoundError", 0)
PAYLOADS: Final[dict[str, tuple[str, int]]] = {
    # What there is to find.
    "[fd for fd in range(4096) if held(fd)] == [writer]": ("True", 0),
    "dict(os.environ)": ("{}", 0),
    "[m for m in sys.modules if m.split('.')[0] in ('mobid', 'mobid_scim', 'flask', 'sqlalchemy')]": (
        "[]",
        0,
    ),
    "__import__('mobid')": ("ModuleNotFoundError", 0),
    "__import__('sqlite3')": ("ModuleNotFoundError", 0),
    # Files.
    "open('/etc/passwd')": _NO_FILE,
    "open('/proc/self/environ')": _NO_FILE,
    "open('/proc/self/mem', 'r+b')": _NO_FILE,
    "open('/tmp/mobid-breach', 'w')": _NO_FILE,
    "os.listdir('/')": _NO_FILE,
    "os.stat('/')": _NO_FILE,
    "os.readlink('/proc/self/exe')": _NO_FILE,
    "os.unlink('/tmp/x')": _DIES,
    "os.mkdir('/tmp/x')": _DIES,
    "os.chmod('/tmp', 0)": _DIES,
    "os.write(others[0], b'x')": ("OSError", 0),
    "os.read(0, 1)": ("OSError", 0),
    "os.dup(writer)": _NO_FILE,
    "os.memfd_create('x')": _DIES,
    "os.pipe()": _DIES,
    # Networks.
    "socket.socket()": _DIES,
    "socket.socket(socket.AF_UNIX)": _DIES,
    "socket.socketpair()": _DIES,
    "socket.create_connection(('127.0.0.1', 22))": ("LookupError", 0),
    # Processes, threads and their insides.
    "os.fork()": _DIES,
    "os.system('true')": _DIES,
    "os.execv('/bin/true', ['true'])": _DIES,
    "os.posix_spawn('/bin/true', ['true'], {})": _DIES,
    "threading.Thread(target=print).start()": _DIES,
    "os.kill(parent, 9)": _DIES,
    "os.kill(-1, 9)": _DIES,
    "signal.pidfd_send_signal(0, 9)": _DIES,
    "os.getpid()": _DIES,
    "syscall(101, 16, parent)": _DIES,  # ptrace, on x86-64
    "syscall(310, parent)": _DIES,  # process_vm_readv
    # Rights and limits.
    "os.setuid(0)": _DIES,
    "os.nice(-1)": _DIES,
    "resource.setrlimit(resource.RLIMIT_CPU, (9, 9))": _DIES,
    "wall._libc.prctl(38, 0, 0, 0, 0)": _DIES,
    "syscall(272, 0x10000000)": _DIES,  # unshare
    "syscall(425, 1)": _DIES,  # io_uring_setup
    "syscall(321, 0)": _DIES,  # bpf
    "syscall(0x40000000 + 39)": _DIES,  # the x32 door
    "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)": _DIES,
    "syscall(10, id(1) & ~4095, 4096, 7)": _DIES,  # mprotect
    # Memory and the interpreter.
    "ctypes.string_at(0)": ("", -signal.SIGSEGV),
    # Since 3.12 the interpreter counts calls in C as well.
    "recurse(0)": ("", -signal.SIGSEGV) if sys.version_info < (3, 12) else ("RecursionError", 0),
    "bytearray(200 << 20)": ("MemoryError", 0),
    "[bytearray(1 << 20) for _ in range(200)]": ("MemoryError", 0),
    "os.abort()": _DIES,
    # Time: by the limit of processor time, not by a parent that loses patience.
    "loop()": ("", -signal.SIGPROF),
    "signal.signal(signal.SIGPROF, signal.SIG_IGN); loop()": _NO_FILE,
    "wall._libc.signal(27, 1); wall._libc.signal(24, 1); loop()": ("", -signal.SIGPROF),
    "wall._libc.sigaction(27, b'\\1' + bytes(200), None); loop()": ("", -signal.SIGPROF),
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))": _NO_FILE,
    "wall._libc.sigprocmask(0, b'\\xff' * 128, None); loop()": ("", -signal.SIGPROF),
    "signal.setitimer(signal.ITIMER_PROF, 9)": _DIES,
    "time.sleep(9)": _DIES,
}


@pytest.fixture(scope="module")
def breaches() -> dict[str, tuple[str, int, float]]:
    """What became of each payload, all in children of one process."""
    run = subprocess.run(
        [sys.executable, "-I", "-c", _HARNESS],
        env={},
        input=json.dumps(list(PAYLOADS)),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    ends = [tuple(json.loads(line)) for line in run.stdout.splitlines()]
    return dict(zip(PAYLOADS, ends, strict=True))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="some payloads are numbers of x86-64")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_breach_of_the_language_achieves_nothing(
    payload: str, breaches: dict[str, tuple[str, int, float]], scripts: Scripts
) -> None:
    """Plain Python behind the wall: no file, no socket, no process, no signal, and no more time."""
    if "seccomp" not in scripts.run("").layers:
        pytest.skip("this kernel has no seccomp for us; the result names the layers that it has")
    said, status, seconds = breaches[payload]
    assert (said, status) == PAYLOADS[payload]
    assert seconds < 4, "it ended by itself or by the limit, not because we lost patience"


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
        assert (process / "environ").read_bytes() == b""
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
