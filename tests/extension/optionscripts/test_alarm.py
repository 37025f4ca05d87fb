"""A script that made a forbidden system call is an alarm, whoever tried it; a child really dies of one."""

from __future__ import annotations

import hashlib
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from structlog.testing import capture_logs

from mobid.processes.ports import Outcome
from mobid.processes.violations import VIOLATION, broke_out

if TYPE_CHECKING:
    from tests.extension.optionscripts.conftest import Scripts

BUSY: Final = (
    "h = 'a' * 90000\nn = 'a' * 45000 + 'b'\nfor i in range(9000):\n" + "    x = h.count(n)\n" * 20
)


def _child_of(server: int) -> int:
    """Wait until the fork server has a child, and return it."""
    children = Path(f"/proc/{server}/task/{server}/children")
    while not (found := children.read_text("ascii").split()):
        os.sched_yield()
    return int(found[0])


def test_a_forbidden_system_call_is_an_alarm(scripts: Scripts) -> None:
    """The highest level of the log, with the digest of the script and no word of its text."""
    assert not broke_out(scripts.evaluate(""))
    server = scripts.port._sandbox.server_pid  # noqa: SLF001 - the process to be harmed
    assert server is not None
    with capture_logs() as logged, ThreadPoolExecutor(1) as pool:
        run = pool.submit(scripts.evaluate, BUSY)
        os.kill(_child_of(server), signal.SIGSYS)
        evaluation = run.result()
    assert broke_out(evaluation)
    assert evaluation.outcome is Outcome.KILLED_BY_LIMIT
    assert [fault.code for fault in evaluation.diagnostics] == [VIOLATION]
    (alarm,) = logged
    assert (alarm["event"], alarm["log_level"]) == ("script_got_out_of_its_language", "critical")
    assert alarm["sha256"] == hashlib.sha256(BUSY.encode()).hexdigest()
    assert "count" not in str(alarm)


def test_an_honest_fault_is_none(scripts: Scripts) -> None:
    """Errors, limits and refusals are for whoever asked."""
    with capture_logs() as logged:
        scripts.evaluate("x = 1 / 0")
        scripts.evaluate("refuse('no')")
        scripts.port.check("import os")
    assert logged == []
