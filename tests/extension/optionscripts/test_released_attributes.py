"""What a site has not released to scripts: refused at upload, with its place."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mobid.domain.users import SCRIPT_ATTRIBUTES
from mobid.optionscripts import OptionScripts, sample_user
from mobid.processes.ports import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def discreet() -> Iterator[OptionScripts]:
    """A site that releases neither groups nor cost centres."""
    released = [name for name in SCRIPT_ATTRIBUTES if name not in {"groups", "costCenter"}]
    scripts = OptionScripts(released=released)
    yield scripts
    scripts.close()


def test_a_sample_in_no_group_is_like_a_user_in_no_group() -> None:
    """Its groups are an empty list, over which a script can go, and not nothing."""
    with closing(OptionScripts()) as scripts:
        found = scripts.evaluate("log(len(user.groups))", sample_user({}), at=NOW)
    assert (found.outcome, found.log) == (Outcome.OK, ("0",))


@pytest.mark.parametrize(
    ("source", "name", "line", "column"),
    [
        ("x = 1\ny = user.costCenter", "costCenter", 2, 5),
        ('x = user.has("costCenter")', "costCenter", 1, 14),
        ("x = user.groups", "groups", 1, 5),
        ('if user.in_group("staff"):\n    refuse("No.")', "groups", 1, 4),
    ],
)
def test_it_is_refused_at_upload_with_line_and_column(
    source: str, name: str, line: int, column: int, discreet: OptionScripts
) -> None:
    """The words say that there is such an attribute, so that nobody looks for a misspelling."""
    checked = discreet.check(source)
    (fault,) = checked.diagnostics
    assert checked.outcome is Outcome.REJECTED_AT_UPLOAD
    assert fault.message == (
        f'The attribute "{name}" of users is not released to scripts; '
        f"ask who runs this site (line {line})."
    )
    assert (fault.code, fault.line, fault.column) == ("unknown_attribute", line, column)


def test_it_does_not_even_reach_the_sandbox(discreet: OptionScripts) -> None:
    """However a script might ask: also by a name that it puts together."""
    ada = sample_user({"userName": "ada", "costCenter": "4711", "groups": ["staff"]})
    asked = discreet.evaluate('log(user.has("cost" + "Center"))', ada, at=NOW)
    assert asked.outcome is Outcome.FAILED_AT_RUN
    assert "is not released to scripts" in asked.diagnostics[0].message
    assert discreet.evaluate("log(user.userName)", ada, at=NOW).log == ("ada",)
