"""A home of its own for each test, and the command `mobid` on it."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from click.testing import CliRunner

from mobid.app.logs import Bridge
from mobid.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result


@dataclass(frozen=True)
class Mobid:
    """The command on one home."""

    home: Path
    named: bool = True

    def __call__(self, *words: str) -> Result:
        """Run it, and return what it said and how it ended."""
        home = ["--home", str(self.home)] if self.named else []
        return CliRunner().invoke(main, [*home, *words], catch_exceptions=False)

    def json(self, *words: str) -> Any:
        """Run it with `-o json`, and return what it answered."""
        done = self(*words, "-o", "json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def process_of_its_own() -> Iterator[None]:
    """A command sets up the logging and the umask of its process; take that back."""
    umask = os.umask(0o022)
    os.umask(umask)
    root = logging.getLogger()
    level, hooks = root.level, (sys.excepthook, threading.excepthook)
    yield
    os.umask(umask)
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    root.setLevel(level)
    for handler in [one for one in root.handlers if isinstance(one, Bridge)]:
        root.removeHandler(handler)
    structlog.reset_defaults()


@pytest.fixture
def nowhere(tmp_path: Path) -> Mobid:
    """The command on a home that is not there."""
    return Mobid(tmp_path / "home")


@pytest.fixture
def bare(tmp_path: Path) -> Mobid:
    """The command without the option --home."""
    return Mobid(tmp_path / "home", named=False)


@pytest.fixture
def mobid(nowhere: Mobid) -> Mobid:
    """The command on a home that `mobid init` made."""
    done = nowhere("init")
    assert done.exit_code == 0, done.output
    return nowhere
