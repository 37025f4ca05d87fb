"""A home of its own for each test, and the command `mobid` on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from mobid.cli import main

if TYPE_CHECKING:
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
def each_alone(process_of_its_own: None) -> None:
    """Let no command find what another one has set up."""


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
