"""A plugin of pytest: a run that tests the two databases differently fails, and says what it missed."""

from __future__ import annotations

import re
from typing import Final

import pytest

DATABASES: Final = ("sqlite", "postgresql")


class BothDatabases:
    """Fails a test run in which a test has run on one database and not on the other.

    A skip on one of them would hide a difference. A run that was narrowed down is left alone.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config: Final = config
        self._ran: Final[dict[str, set[str]]] = {name: set() for name in DATABASES}

    @pytest.hookimpl
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Mark what runs on a database, so that its report tells on which."""
        callspec = getattr(item, "callspec", None)
        params = callspec.params if callspec else {}
        name = params.get("database", params.get("fresh_database"))
        if name in DATABASES:
            item.user_properties.append(("database", name))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what has run; the workers of a parallel run report to their controller."""
        name = dict(report.user_properties).get("database")
        if name in DATABASES and report.when == "call" and not report.skipped:
            self._ran[str(name)].add(re.sub(rf"(?<=[\[-]){name}(?=[\]-])", "*", report.nodeid))

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run if the databases were not tested alike."""
        if self.missed and session.exitstatus == pytest.ExitCode.OK and not self._is_narrowed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many tests ran on each, and which ran on one only."""
        counts = ", ".join(f"{len(ran)} on {name}" for name, ran in self._ran.items())
        if self.missed and not self._is_narrowed:
            terminalreporter.section("not tested alike on both databases")
            terminalreporter.line(f"Tests with a database: {counts}. Only on one of them:")
            for test in sorted(self.missed)[:20]:
                terminalreporter.line(f"  {test}")

    @property
    def missed(self) -> set[str]:
        """The tests that ran on one of the databases only."""
        return self._ran["sqlite"] ^ self._ran["postgresql"]

    @property
    def _is_narrowed(self) -> bool:
        # Without its cache, pytest knows no `--last-failed`.
        names = ("keyword", "markexpr", "deselect", "maxfail", "lf")
        narrowing = [self._config.getoption(name, default=None) for name in names]
        return any(narrowing) or any("::" in arg for arg in self._config.args)


def pytest_configure(config: pytest.Config) -> None:
    """Count what runs on each database."""
    config.pluginmanager.register(BothDatabases(config), "both-databases")
