"""A dry run over many users: which differences are told, and when it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mobid.domain.actors import SYSTEM
from mobid.optionscripts import SCRIPT_NAME, SHIPPED
from mobid.processes import script_comparison
from mobid.processes.errors import InvalidInput, NotFound, TooMany
from mobid.processes.option_scripts import ManagedScript, OptionScriptLife
from mobid.processes.script_comparison import Change, ScriptComparisons
from mobid.provisioning import UserPopulation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StandingClock

    from mobid.optionscripts import OptionScripts
    from mobid.processes.script_comparison import Comparison
    from mobid.storage import SQLUnits

EVERYBODY = "userName pr"


@pytest.fixture
def comparisons(units: SQLUnits, sandbox: OptionScripts, clock: StandingClock) -> ScriptComparisons:
    """Dry runs, with the shipped script active."""
    life = OptionScriptLife(units, [ManagedScript(sandbox, SHIPPED)])
    return ScriptComparisons(life, UserPopulation(units, "https://x.example/scim/v2"), clock)


def result(comparisons: ScriptComparisons, source: str) -> Comparison:
    """Return the end of a dry run over everybody."""
    *_, last = comparisons.run(SCRIPT_NAME, source, EVERYBODY, by=SYSTEM)
    assert last.ended == "complete"
    return last


def test_what_is_another_one_for_everybody_is_one_line(
    comparisons: ScriptComparisons, new_user: Callable[..., str]
) -> None:
    """Otherwise a table over all users would be as long as all users."""
    for number in range(4):
        new_user(f"u{number}")
    found = result(comparisons, "options.user_id = user.userName\noptions.validity = years(3)")
    (line,) = found.lines
    assert line.changes == (
        Change(what="validity", before="P2Y", after="P3Y"),
        Change(what="user_id"),
    )
    assert (line.count, line.examples) == (4, ["u0", "u1", "u2", "u3"])


def test_errors_and_refusals_are_told_in_their_words(
    comparisons: ScriptComparisons, new_user: Callable[..., str]
) -> None:
    """Whoever would get no mobile ID any more is what somebody has to see first."""
    new_user("anne")
    (failing,) = result(comparisons, "x = 1 / 0").lines
    assert failing.changes[0].what == "outcome"
    assert "division by zero (line 1)" in str(failing.changes[0].after)
    found = result(comparisons, 'refuse("Not today.")')
    assert found.outcomes == {"refused": 1}


def test_there_are_bounds(
    comparisons: ScriptComparisons, new_user: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines beyond the last are counted together."""
    monkeypatch.setattr(script_comparison, "MOST_LINES", 2)
    for number in range(4):
        new_user(f"u{number}")
    found = result(comparisons, "options.server_name = user.userName")
    assert (len(found.lines), found.others) == (2, 2)


def test_it_is_read_in_pages_and_ends_when_it_takes_too_long(
    comparisons: ScriptComparisons,
    new_user: Callable[..., str],
    clock: StandingClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was found until then is told, and that it is not all."""
    monkeypatch.setattr(script_comparison, "PAGE", 2)
    for number in range(5):
        new_user(f"u{number}")
    run = comparisons.run(SCRIPT_NAME, "options.validity = days(9)", EVERYBODY, by=SYSTEM)
    assert [next(run).done for _ in range(2)] == [0, 2]
    clock.pass_by(timedelta(hours=1))
    last = next(run)
    assert (last.done, last.total, last.ended, last.lines[0].count) == (4, 5, "too_long", 4)
    assert next(run, None) is None


def test_one_at_a_time(comparisons: ScriptComparisons) -> None:
    """Until it is closed or over, another one is told to wait; what fails at once holds up nobody."""
    run = comparisons.run(SCRIPT_NAME, "x = 1", EVERYBODY, by=SYSTEM)
    next(run)
    with pytest.raises(TooMany, match="Another dry run over a filter is going on"):
        next(comparisons.run(SCRIPT_NAME, "x = 1", EVERYBODY, by=SYSTEM))
    run.close()  # type: ignore[attr-defined]  # it is a generator
    with pytest.raises(NotFound):
        next(comparisons.run("MobileIDScript", "x = 1", EVERYBODY, by=SYSTEM))
    with pytest.raises(InvalidInput, match=r'Input "filter" is no filter over users: .*nickname'):
        next(comparisons.run(SCRIPT_NAME, "x = 1", "nicknames pr", by=SYSTEM))
    assert next(comparisons.run(SCRIPT_NAME, "x = 1", EVERYBODY, by=SYSTEM)).total == 0
