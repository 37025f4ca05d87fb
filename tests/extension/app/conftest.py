"""A product over a home of its own, and the log of a process that a test sets up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mobid.app import Product, initialise
from mobid.app.logs import configure
from mobid.config import LogFormat, LogLevel, create_home, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product on SQLite, as `mobid init` leaves it."""
    home = tmp_path_factory.mktemp("app") / "home"
    create_home(home)
    settings = load(home, {"MOBID_DEMO": "true"})
    initialise(settings)
    with Product(settings) as product:
        yield product


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str],
    process_of_its_own: None,  # noqa: ARG001 - what is logged is the process's
) -> Callable[[], list[Any]]:
    """Return what was logged since the last call, line by line; stdout stays the command's own."""
    configure(LogLevel.INFO, LogFormat.JSON)

    def read() -> list[Any]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return [json.loads(line) for line in captured.err.splitlines()]

    return read
