"""The sandbox as the product meets it: threads, restarts, leaks, and what is not a script's fault."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mobid_scripts.errors import RequestTooLarge, SandboxUnavailable
from mobid_scripts.limits import Limits
from mobid_scripts.outcome import Verdict
from mobid_scripts.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.scripts.conftest import Product, Scripts

BUSY = (
    "h = 'a' * 90000\nn = 'a' * 45000 + 'b'\nfor i in range(9000):\n" + "    x = h.count(n)\n" * 20
)


def _children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()


def _wait_for_a_run(pid: int) -> None:
    while not _children_of(pid):
        os.sched_yield()


def test_many_threads_share_one_server(scripts: Scripts) -> None:
    """Every thread gets the answer to its own question."""
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(scripts.options, f"options.user_id = 'u{i}'") for i in range(60)]
    assert [run.result()["user_id"] for run in runs] == [f"u{i}" for i in range(60)]


def test_nothing_leaks_over_many_runs(product: Product, scripts: Scripts) -> None:
    """After 200 runs, good and bad, both sides have the descriptors they had, and no dead children."""
    scripts.options("")
    pid = scripts.sandbox.server_pid
    assert pid is not None
    sides = [Path("/proc/self/fd"), Path(f"/proc/{pid}/fd")]
    before = [len(list(side.iterdir())) for side in sides]
    sources = ["options.validity = days(3)", "x = 1 / 0", "import os", "refuse('no')"]
    for number in range(200):
        product.run(scripts.sandbox, sources[number % len(sources)])
    assert [len(list(side.iterdir())) for side in sides] == before
    assert _children_of(pid) == []
    assert scripts.sandbox.server_pid == pid


def test_runs_leave_no_trace_for_the_next(scripts: Scripts) -> None:
    """Each run has a process of its own; there is nothing to find of an earlier one."""
    scripts.run("secret = 'a'\noptions.user_id = 'b'")
    assert scripts.options("")["user_id"] == "ada"
    assert scripts.run("log(secret)").outcome is Verdict.REJECTED_AT_UPLOAD


def test_a_server_killed_during_a_run_is_a_clean_error(
    product: Product, own_sandbox: Sandbox
) -> None:
    """The run that was under way says so at once, the next one finds a new server."""
    product.run(own_sandbox, "")
    pid = own_sandbox.server_pid
    assert pid is not None

    def kill() -> None:
        _wait_for_a_run(pid)
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(SandboxUnavailable, match=r"its fork server died during the run\.$"):
        product.run(own_sandbox, BUSY)
    killer.join()
    assert product.run(own_sandbox, "").outcome is Verdict.OK
    assert own_sandbox.server_pid != pid


def test_a_server_killed_between_runs_is_not_noticed(
    product: Product, own_sandbox: Sandbox
) -> None:
    """A dead server is replaced before anything is handed to it."""
    product.run(own_sandbox, "")
    pid = own_sandbox.server_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert product.run(own_sandbox, "").outcome is Verdict.OK


# A server that forks its workers after it has used the sandbox once.
_PREFORK = """
import os
from datetime import UTC, datetime
from mobid_scripts.declaration import Declaration
from mobid_scripts.sandbox import Sandbox
sandbox = Sandbox(Declaration(options=(), attributes=("groups",), groups="groups"))
def run():
    outcome = sandbox.run("log(1)", {}, defaults={}, now=datetime.now(UTC))
    return outcome.log, sandbox.server_pid
log, first = run()
worker = os.fork()
if worker == 0:
    log, own = run()
    os._exit(0 if log == ("1",) and own != first else 1)
print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]), run() == (log, first))
sandbox.close()
"""


def test_a_forked_worker_has_a_server_of_its_own() -> None:
    """A sandbox that came along through a fork leaves the fork server to the process that started it."""
    run = subprocess.run(
        [sys.executable, "-I", "-c", _PREFORK],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert run.stdout == "0 True\n"


def test_the_server_ends_with_its_host() -> None:
    """A host that is killed leaves nothing running behind."""
    script = _PREFORK.partition("worker =")[0] + "print(first, flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-I", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as host:
        assert host.stdout is not None
        watched = os.pidfd_open(int(host.stdout.readline()))
        host.kill()
        host.wait()
    try:
        ended, _, _ = select.select([watched], [], [], 5)
    finally:
        os.close(watched)
    assert ended == [watched]


def test_a_server_that_can_not_start_says_why(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the interpreter is gone, or does not have the engine, no script runs anywhere else."""
    sandbox = Sandbox(product.declaration)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "python"))
        with pytest.raises(SandboxUnavailable, match=r"did not start: .*No such file or directory"):
            product.run(sandbox, "")
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(SandboxUnavailable, match="did not start: it said nothing"):
            product.run(sandbox, "")
    assert product.run(sandbox, "").outcome is Verdict.OK
    sandbox.close()


def test_a_closed_sandbox_runs_nothing(product: Product) -> None:
    """Closing ends the server, and is final."""
    sandbox = Sandbox(product.declaration)
    product.run(sandbox, "")
    pid = sandbox.server_pid
    sandbox.close()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(SandboxUnavailable, match="it is closed"):
        product.run(sandbox, "")


def test_who_waits_too_long_for_a_turn_is_told(product: Product) -> None:
    """More scripts at once than there are processors would only punish each other's clocks."""
    limits = Limits(concurrent=1, wait_seconds=0.05, cpu_seconds=0.5, wall_seconds=1)
    with Sandbox(product.declaration, limits) as sandbox:
        product.run(sandbox, "")
        pid = sandbox.server_pid
        assert pid is not None
        busy = threading.Thread(target=product.run, args=(sandbox, BUSY))
        busy.start()
        _wait_for_a_run(pid)
        with pytest.raises(SandboxUnavailable, match="1 scripts are running already"):
            product.run(sandbox, "")
        busy.join()


def test_too_many_attributes_are_an_error_of_the_caller(product: Product, scripts: Scripts) -> None:
    """A request has a size; what does not fit is not cut."""
    groups = ["x" * 100] * 11_000
    with pytest.raises(RequestTooLarge, match=r"bytes; the most is 1,048,576\."):
        product.run(scripts.sandbox, "", groups=groups)


def test_a_large_user_fits(scripts: Scripts) -> None:
    """Somebody in five thousand groups is a user, too."""
    groups = [f"group-{number}" for number in range(5000)]
    assert scripts.run("log(user.in_group('group-4999'))", groups=groups).log == ("True",)


def test_the_caller_keeps_to_its_declaration(product: Product, scripts: Scripts) -> None:
    """An attribute or a default that nobody declared is a fault of the product, not of a script."""
    with pytest.raises(ValueError, match=r"The attributes salary are not declared\."):
        product.run(scripts.sandbox, "", salary=1)
    defaults = {k: v for k, v in product.defaults.items() if k != "user_id"}
    with pytest.raises(ValueError, match=r"do not match the declared options: user_id\."):
        scripts.sandbox.run("", {}, defaults=defaults, now=product.now)
    moment = product.now.replace(tzinfo=None)
    with pytest.raises(ValueError, match=r"of a run, 2026-11-22 12:00:00, has no time zone\."):
        scripts.sandbox.run("", {}, defaults=product.defaults, now=moment)


def test_a_declaration_travels_as_text(product: Product) -> None:
    """What the child reads is what the product wrote."""
    declaration = product.declaration
    assert type(declaration).from_json(declaration.to_json()) == declaration
