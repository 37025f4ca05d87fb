"""A live Get under a script that does not decide: what its user sees, and what administrators find."""

from __future__ import annotations

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from structlog.testing import capture_logs

from mobid.domain.actors import Actor, ActorKind
from mobid.optionscripts import SCRIPT_NAME
from mobid.storage.tables import audit_events, mobile_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.extension.web.conftest import Page, Site

ADMIN = Actor(ActorKind.OPERATOR, "admin")
BUSY = (
    "h = 'a' * 90000\nn = 'a' * 45000 + 'b'\nfor i in range(9000):\n" + "    x = h.count(n)\n" * 20
)


def _next_script(site: Site, source: str) -> None:
    before = site.product.scripts.active(SCRIPT_NAME).version
    stored = site.product.scripts.push(SCRIPT_NAME, source, by=ADMIN, comment="")
    site.product.scripts.activate(SCRIPT_NAME, stored.version, expected=before, by=ADMIN)


def _rows(site: Site, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    with site.product.transactions.reading() as connection:
        query = sa.select(sa.func.count()).select_from(table).where(*where)
        return int(connection.scalar(query) or 0)


def _is_told(page: Page, logged: Sequence[Mapping[str, object]], words: str, event: str) -> None:
    """The page has words of its own and a reference; under it the log has the reason."""
    assert words in page.text
    (reference,) = re.findall(r"reference ([0-9A-Z]{4}-[0-9A-Z]{2})", page.text)
    assert event in [line["event"] for line in logged if line.get("reference") == reference]
    assert page.buttons == []
    for inside in ("line 1", "option_script", "Traceback", "division", "language", "SIGSYS"):
        assert inside not in page.text


def _while_a_child_is_killed(site: Site, act: Callable[[], Page]) -> Page:
    """Let the kernel end a run as it ends one that made a forbidden system call."""
    site.product.sandbox.is_alive()
    server = site.product.sandbox._sandbox.server_pid  # noqa: SLF001 - the process to be harmed
    children = Path(f"/proc/{server}/task/{server}/children")
    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(act)
        while not (found := children.read_text("ascii").split()):
            os.sched_yield()
        os.kill(int(found[0]), signal.SIGSYS)
        return page.result()


def test_each_way_to_fail_has_words_and_a_reference_and_issues_nothing(site: Site) -> None:
    """An error, a limit, a violation and its quarantine, and a sandbox that is not there."""
    alva = site.person("Alva Lind")
    home = alva.open("/")

    def tries() -> Page:
        return alva.click(home, "Get Mobile ID")

    _next_script(site, "x = 1 / 0")
    with capture_logs() as logged:
        _is_told(tries(), logged, "its option script failed", "option_script_failed")
    _next_script(site, "x = ('a' * 90000).replace('a', 'b' * 90000)")
    with capture_logs() as logged:
        _is_told(tries(), logged, "took too much time or memory", "option_script_failed")
    _next_script(site, BUSY)
    with capture_logs() as logged:
        page = _while_a_child_is_killed(site, tries)
    _is_told(page, logged, "was stopped", "option_script_broke_out")
    with capture_logs() as logged:
        page = tries()
    _is_told(page, logged, "taken out of service for safety", "option_script_in_quarantine")
    _next_script(site, "options.validity = days(9)")
    site.product.sandbox.close()
    with capture_logs() as logged:
        _is_told(tries(), logged, "No option script can be run", "option_script_not_run")
    assert _rows(site, mobile_ids) == 0
    assert _rows(site, audit_events, audit_events.c.action == "script.violation") == 1
    assert _rows(site, audit_events, audit_events.c.action == "script.quarantine") == 1
