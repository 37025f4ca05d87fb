"""The sandbox inside of what others put around it: an ordinary user, no capabilities, filters, namespaces.

A service manager or a container may take away what the walls are made of. What still stands is named, and
where a demanded layer is missing, it is told why.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from mobid_scripts.errors import SandboxUnavailable
from mobid_scripts.limits import LAYERS, Limits
from mobid_scripts.outcome import Verdict
from mobid_scripts.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.scripts.conftest import Product

ROOT: Final = Path(__file__).parents[2]
UNIT: Final = ROOT / "examples" / "deployment" / "mobid.service"
SYSCALLS: Final = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
ORDINARY: Final = 54321
"""A user that owns nothing, and has no processes."""

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
with_headers = pytest.mark.skipif(
    not SYSCALLS.exists(), reason="there are no headers of an x86-64 kernel"
)

# Put a filter around this process, as a service manager does, and say what the sandbox is like inside of it.
# `filter` names system calls by number; those in it, or all others, are refused with EPERM.
_INSIDE: Final = """
import ctypes, json, resource, struct, sys
from datetime import UTC, datetime
asked = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
if asked["mdwe"]:
    assert libc.prctl(65, 1, 0, 0, 0) == 0, "PR_SET_MDWE"
if asked["memory"]:
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
if asked["filter"]:
    refuse, allow = 0x00050001, 0x7FFF0000
    named, others = (refuse, allow) if asked["refused"] else (allow, refuse)
    rules = [(0x20, 0, 0, 0)]
    for number in asked["filter"]:
        rules += [(0x15, 0, 1, number), (0x06, 0, 0, named)]
    rules.append((0x06, 0, 0, others))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    program = Program(len(rules), ctypes.cast(code, ctypes.c_void_p))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
from mobid_scripts.declaration import Declaration
from mobid_scripts.errors import SandboxUnavailable
from mobid_scripts.limits import Limits
from mobid_scripts.sandbox import Sandbox
said = {"layers": [], "missing": {}}
declaration = Declaration(options=(), attributes=("groups",), groups="groups")
with Sandbox(declaration, Limits(required=frozenset(asked["required"]))) as sandbox:
    try:
        standing = sandbox.survey()
        said = {"layers": standing.layers, "missing": dict(standing.missing)}
        server, now = sandbox.server_pid, datetime.now(UTC)
        run = lambda: sandbox.run("log(1)", {}, defaults={}, now=now)
        if asked["full"]:
            room = resource.prlimit(server, resource.RLIMIT_NPROC)
            resource.prlimit(server, resource.RLIMIT_NPROC, (0, room[1]))
            try:
                run()
            except SandboxUnavailable as unavailable:
                said["reason"] = unavailable.reason
            resource.prlimit(server, resource.RLIMIT_NPROC, room)
            assert sandbox.server_pid == server
            said["afterwards"] = run().outcome
        else:
            said["outcome"] = run().outcome
    except SandboxUnavailable as unavailable:
        said["reason"] = unavailable.reason
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def everybodys_python() -> Iterator[str]:
    """An interpreter with the engine that any user of this machine may start."""
    if not Path(sys.executable).resolve().is_relative_to("/root"):
        yield sys.executable
        return
    system = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if system is None:
        pytest.skip("root's own Python is the only one on this machine")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        subprocess.run([system, "-m", "venv", "--without-pip", f"{folder}/venv"], check=True)
        (packages,) = Path(folder).glob("venv/lib/python3*/site-packages")
        if packages.parent.name != f"python3.{sys.version_info.minor}":
            pytest.skip("the Python for all is of another version")
        ours = [ROOT / "scripts", *(path for path in sys.path if path.endswith("site-packages"))]
        (packages / "ours.pth").write_text("\n".join(map(str, ours)), "utf-8")
        yield f"{folder}/venv/bin/python"


@pytest.fixture(scope="module")
def outside(everybodys_python: str) -> dict[str, Any]:
    """What stands on this machine when nothing is put around the sandbox."""
    return _inside(everybodys_python)


def _inside(
    python: str,
    *around: str,
    refused: Sequence[str] = (),
    allowed: Sequence[str] = (),
    required: Sequence[str] = (),
    **more: object,
) -> dict[str, Any]:
    """Return layers, reasons and outcome inside of a command and a filter around it."""
    numbers = _numbers()
    asked = {
        "filter": [numbers[name] for name in (*refused, *allowed) if name in numbers],
        "refused": bool(refused),
        "required": list(required),
        "mdwe": False,
        "memory": 0,
        "full": False,
        **more,
    }
    run = subprocess.run(
        [*around, python, "-W", "ignore", "-c", _INSIDE, json.dumps(asked)],
        env={"PATH": os.environ["PATH"]},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said: dict[str, Any] = json.loads(run.stdout)
    return said


def _numbers() -> Mapping[str, int]:
    if not SYSCALLS.exists():
        return {}
    found = re.findall(r"^#define __NR_(\w+) ([0-9]+)$", SYSCALLS.read_text("ascii"), re.MULTILINE)
    return {name: int(number) for name, number in found}


USER: Final = ("setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups")
HARDENED: Final = (*USER, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all")
PROC: Final = 'mount -t proc -o hidepid=2,subset=pid proc /proc && exec "$@"'


@as_root
@pytest.mark.parametrize(
    "around",
    [
        pytest.param(USER, id="an ordinary user"),
        pytest.param(HARDENED, id="NoNewPrivileges= and CapabilityBoundingSet= for a user"),
        pytest.param(
            ("setpriv", "--no-new-privs", "--bounding-set=-all"), id="root without capabilities"
        ),
        pytest.param(("unshare", "-Ur"), id="PrivateUsers="),
        pytest.param(("unshare", "-n"), id="PrivateNetwork="),
        pytest.param(("unshare", "-fp", "--mount-proc"), id="a container with its own processes"),
        pytest.param(
            ("unshare", "-m", "sh", "-c", PROC, "sh", *HARDENED),
            id="ProtectProc=invisible and ProcSubset=pid",
        ),
    ],
)
def test_every_layer_stands_inside(
    around: tuple[str, ...], everybodys_python: str, outside: dict[str, Any]
) -> None:
    """Nothing of what the walls are made of needs a right that these take away."""
    if shutil.which(around[0]) is None or subprocess.run([*around, "true"], check=False).returncode:
        pytest.skip(f"this machine can not do {around[0]}")
    said = _inside(everybodys_python, *around)
    assert said == outside
    assert said["outcome"] == Verdict.OK


@with_headers
@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(("unshare", "setns", "mount", "pivot_root"), id="RestrictNamespaces="),
        pytest.param(
            ("ptrace", "bpf", "userfaultfd", "perf_event_open", "keyctl", "io_uring_setup"),
            id="a container's default profile",
        ),
    ],
)
def test_a_filter_against_others_is_in_no_way(
    refused: tuple[str, ...], outside: dict[str, Any]
) -> None:
    """All layers stand inside of a filter that refuses what we do not do."""
    said = _inside(sys.executable, refused=refused)
    assert said == outside


def test_memory_that_no_code_may_be_written_to_is_in_no_way(outside: dict[str, Any]) -> None:
    """MemoryDenyWriteExecute=: neither the interpreter nor the wall needs such memory."""
    if ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) < 0:
        pytest.skip("this kernel has no PR_SET_MDWE")
    assert _inside(sys.executable, mdwe=True) == outside


def test_an_outer_limit_of_memory_is_kept() -> None:
    """LimitAS=: the child lowers what it has, and never asks for more."""
    said = _inside(sys.executable, memory=400 << 20)
    assert said["outcome"] == Verdict.OK


@with_headers
def test_a_filter_that_has_no_landlock_leaves_the_other_layers() -> None:
    """SystemCallFilter=@system-service alone: told as missing, with the reason that doctor shows."""
    refused = ("landlock_create_ruleset", "landlock_restrict_self", "landlock_add_rule")
    said = _inside(sys.executable, refused=refused)
    why = "a filter around this process refuses it (Operation not permitted)"
    assert said["layers"] == [layer for layer in LAYERS if layer != "landlock"]
    assert said["missing"] == {"landlock": why}
    assert said["outcome"] == Verdict.OK
    demanded = _inside(sys.executable, refused=refused, required=["landlock"])
    assert demanded["reason"] == f"this machine does not have the demanded layer landlock ({why})"
    assert "outcome" not in demanded


@with_headers
def test_a_filter_that_refuses_limits_is_told() -> None:
    """Without resource limits a script could take the machine; so they are demanded by default."""
    said = _inside(sys.executable, refused=("prlimit64", "setrlimit"), required=["rlimits"])
    assert said["missing"].keys() == {"rlimits"}
    assert "demanded layer rlimits (setrlimit is refused" in said["reason"]


@with_headers
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_the_example_unit_leaves_room_for_every_layer() -> None:
    """The very filter of the example, as systemd resolves it, with its other restrictions that apply."""
    (line,) = re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE)
    said = _inside(sys.executable, allowed=sorted(_resolved(line.split())), mdwe=True)
    assert (said["layers"], said["missing"]) == (list(LAYERS), {})
    assert said["outcome"] == Verdict.OK


def _resolved(words: Sequence[str]) -> set[str]:
    """Return the system calls that words of a SystemCallFilter= stand for; @default is always in it."""
    found: set[str] = set()
    waiting = ["@default", *words]
    while waiting:
        word = waiting.pop()
        if not word.startswith("@"):
            found.add(word)
            continue
        shown = subprocess.run(
            [shutil.which("systemd-analyze") or "", "syscall-filter", word],
            capture_output=True,
            text=True,
            check=True,
        )
        waiting += [
            one.strip() for one in shown.stdout.splitlines()[1:] if not one.strip().startswith("#")
        ]
    return found - {""}


@as_root
@pytest.mark.parametrize("processes", [0, 1, 2])
def test_a_machine_without_room_for_processes_says_so(
    processes: int, everybodys_python: str
) -> None:
    """TasksMax= or ulimit -u: nothing was decided, what to raise is told, and the server lives on."""
    # Either the limit comes later, for a server that runs, or room for one or two at the start.
    room = () if processes == 0 else ("prlimit", f"--nproc={processes}")
    said = _inside(everybodys_python, *USER, *room, full=processes == 0)
    assert said["reason"] == (
        "the system lets it have no more processes; raise the limit, TasksMax or ulimit -u"
    )
    assert said.get("afterwards") == (Verdict.OK if processes == 0 else None)


class TestDevelopment:
    """A system without walls, such as macOS or Windows."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this be another system, as far as the sandbox can tell."""
        monkeypatch.setattr(sys, "platform", "darwin")

    def test_nothing_runs_unless_it_is_asked_for(self, product: Product) -> None:
        """The remedy is named; nobody gets fewer walls by accident."""
        with (
            Sandbox(product.declaration) as sandbox,
            pytest.raises(
                SandboxUnavailable, match="needs Linux, this is darwin; to try scripts here"
            ),
        ):
            product.run(sandbox, "")

    def test_scripts_run_loudly_and_without_a_layer(
        self, product: Product, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The language is all of it, with a limit of time; every result says that no layer stood."""
        limits = Limits(development=True, cpu_seconds=0.2, wall_seconds=10)
        with Sandbox(product.declaration, limits) as sandbox:
            outcome = product.run(sandbox, "log(1)\noptions.validity = days(90)")
            assert (outcome.outcome, outcome.log, outcome.layers) == (Verdict.OK, ("1",), ())
            assert product.run(sandbox, "import os").outcome is Verdict.REJECTED_AT_UPLOAD
            assert sandbox.survey().missing["seccomp"] == "development mode has no walls"
            busy = (
                "n = 'a' * 45000 + 'b'\nfor i in range(9000):\n"
                + "    x = ('a' * 90000).count(n)\n" * 20
            )
            assert product.run(sandbox, busy).outcome is Verdict.KILLED_BY_LIMIT
        assert caplog.records[0].levelname == "CRITICAL"
        assert "DEVELOPMENT MODE: this system (darwin) has none of the walls" in caplog.text
