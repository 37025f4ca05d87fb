"""The doctor's look at the active scripts: what this version of the software makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mobid.app.doctor.finding import Health
from mobid.app.doctor.scripts import active_versions
from mobid.domain.actors import SYSTEM
from mobid.optionscripts import SCRIPT_NAME, SHIPPED
from mobid.processes.option_scripts import ManagedScript, OptionScriptLife

if TYPE_CHECKING:
    from mobid.app.doctor.finding import Finding
    from mobid.optionscripts import OptionScripts
    from mobid.storage import SQLUnits

PROMISE = {"name": "two years", "expect": {"validity": "2 years"}}


@pytest.fixture
def life(units: SQLUnits, sandbox: OptionScripts) -> OptionScriptLife:
    """The life of one script."""
    return OptionScriptLife(units, [ManagedScript(sandbox, SHIPPED)])


def found(life: OptionScriptLife) -> Finding:
    """Return the only finding."""
    (finding,) = active_versions(life)
    assert finding.name == f"script {SCRIPT_NAME}"
    return finding


def activated(life: OptionScriptLife, units: SQLUnits, source: str) -> None:
    """Make a version the active one as an older software may have done."""
    stored = life.push(SCRIPT_NAME, "pass", by=SYSTEM, comment="", tests=[PROMISE])
    with units() as unit:
        older = unit.scripts.add(
            SCRIPT_NAME, source=source, sha256="ab", author="ada", comment="", tests=stored.tests
        )
        unit.scripts.activate(SCRIPT_NAME, older.version, expected=0, by="ada")
        unit.commit()


def test_what_is_good(life: OptionScriptLife, units: SQLUnits) -> None:
    """The shipped one, and one that keeps its word."""
    assert found(life).health is Health.OK
    activated(life, units, "options.validity = years(2)")
    good = found(life)
    assert (good.health, good.seen) == (Health.OK, "version 2 is active; tests that pass: 1")


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("while True:\n    pass", "version 2 is not accepted: "),
        (
            "options.validity = days(9)",
            "version 2 fails its test two years: validity: expected 2 years, got 9 days",
        ),
    ],
)
def test_what_this_software_makes_something_else_of(
    life: OptionScriptLife, units: SQLUnits, source: str, seen: str
) -> None:
    """It is found before the first user meets it."""
    activated(life, units, source)
    bad = found(life)
    assert bad.health is Health.FAILED
    assert bad.seen.startswith(seen)


def test_what_is_in_quarantine(life: OptionScriptLife, units: SQLUnits) -> None:
    """Nobody gets a mobile ID until somebody acts."""
    activated(life, units, "options.validity = years(2)")
    with units() as unit:
        unit.scripts.quarantine(SCRIPT_NAME, 2, "It broke out.")
        unit.commit()
    bad = found(life)
    assert (bad.health, bad.seen) == (Health.FAILED, "version 2 is in quarantine: It broke out.")
