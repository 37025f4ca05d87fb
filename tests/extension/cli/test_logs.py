"""What commands and servers log: a JSON object a line on stderr, and no secret in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

from mobid.cli.context import log_to_stderr

if TYPE_CHECKING:
    import pytest


def open_safe(combination: str) -> None:
    """Fail with a secret at hand."""
    raise LookupError(f"no safe for {len(combination)} digits")


def test_a_fault_is_logged_with_its_place_and_without_the_values_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What failed and where helps; what was in the variables is secrets and people's data."""
    log_to_stderr()

    try:
        open_safe("17-42-93")
    except LookupError:
        structlog.get_logger().exception("fault")

    said = capsys.readouterr()
    assert said.out == ""
    assert "17-42-93" not in said.err
    (fault,) = json.loads(said.err)["exception"]
    assert (fault["exc_type"], fault["exc_value"]) == ("LookupError", "no safe for 8 digits")
    assert fault["frames"][-1]["name"] == "open_safe"
