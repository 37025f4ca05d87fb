"""`MobileIDScriptExpiringOptions`: when somebody is told that a mobile ID is about to end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mobid.optionscripts import SHIPPED_EXPIRING, ExpiringScripts, sample_user
from mobid.processes.ports import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADA = sample_user({"userName": "ada", "department": "Finance"})


@pytest.fixture(scope="module")
def expiring() -> Iterator[ExpiringScripts]:
    """The scripts in their sandbox."""
    scripts = ExpiringScripts()
    yield scripts
    scripts.close()


@pytest.mark.parametrize("source", [SHIPPED_EXPIRING.source, ""])
def test_the_shipped_version_is_what_an_empty_script_decides(
    source: str, expiring: ExpiringScripts
) -> None:
    """Sixty, thirty, fourteen and seven days before, and then every day."""
    evaluation = expiring.evaluate(source, ADA, at=NOW)
    assert evaluation.values == {"remind_days": [60, 30, 14, 7], "daily_after_last": True}
    assert evaluation.options is None


def test_it_may_depend_on_the_user(expiring: ExpiringScripts) -> None:
    """Days are kept with the highest first, in whatever order they come."""
    source = 'options.remind_days = [1, 90] if user.department == "Finance" else []'
    evaluation = expiring.evaluate(source, ADA, at=NOW)
    assert evaluation.values == {"remind_days": [90, 1], "daily_after_last": True}


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("options.remind_days = 30", "takes a list, not a number; write [...] around it"),
        ("options.remind_days = ['30']", "takes whole numbers, not text"),
        ("options.remind_days = [True]", "takes whole numbers, not True or False"),
        ("options.remind_days = [0]", "0 is not allowed; it takes 1 to 365"),
        ("options.remind_days = [366]", "366 is not allowed; it takes 1 to 365"),
        ("options.remind_days = [7, 7]", "7 is there twice; once is enough"),
        (
            "options.remind_days = [n + 1 for n in range(21)]",
            "a list of 21 is not allowed; the most is 20",
        ),
        ("options.daily_after_last = 1", "takes True or False, not a number"),
        ("options.validity = days(3)", 'There is no option "validity"'),
    ],
)
def test_a_fault_says_what_would_be_right(
    source: str, fault: str, expiring: ExpiringScripts
) -> None:
    """With the same care as for the options of a mobile ID."""
    evaluation = expiring.evaluate(source, ADA, at=NOW)
    assert evaluation.outcome in (Outcome.FAILED_AT_RUN, Outcome.REJECTED_AT_UPLOAD)
    assert fault in evaluation.diagnostics[0].message
