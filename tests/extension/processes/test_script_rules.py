"""What a site asks of a version before it is activated: other eyes, and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mobid.config import ScriptRules
from mobid.domain.actors import Actor, ActorKind
from mobid.optionscripts import SCRIPT_NAME, SHIPPED
from mobid.processes.errors import FourEyes, ScriptInQuarantine, ScriptTestsMissing
from mobid.processes.option_scripts import ManagedScript, OptionScriptLife

if TYPE_CHECKING:
    from mobid.optionscripts import OptionScripts
    from mobid.storage import SQLUnits

OLGA = Actor(ActorKind.OPERATOR, "olga")
PAUL = Actor(ActorKind.OPERATOR, "paul")
PROMISE = {"name": "anybody", "expect": {"notify": "none"}}
SOURCE = 'options.notify = "none"'


def life(units: SQLUnits, sandbox: OptionScripts, rules: ScriptRules) -> OptionScriptLife:
    """Return the life of scripts at a site with these rules."""
    return OptionScriptLife(units, [ManagedScript(sandbox, SHIPPED)], rules)


def test_four_eyes(units: SQLUnits, sandbox: OptionScripts) -> None:
    """Who wrote a version does not activate it, nor go back to it; the shipped one is nobody's."""
    scripts = life(units, sandbox, ScriptRules(four_eyes=True))
    scripts.push(SCRIPT_NAME, SOURCE, by=OLGA, comment="")
    with pytest.raises(FourEyes, match=r"stored by operator:olga; at this site .* somebody else"):
        scripts.activate(SCRIPT_NAME, 1, expected=0, by=OLGA)
    scripts.activate(SCRIPT_NAME, 1, expected=0, by=PAUL)
    scripts.activate(SCRIPT_NAME, 0, expected=1, by=OLGA)
    with pytest.raises(FourEyes):
        scripts.rollback(SCRIPT_NAME, expected=0, by=OLGA)
    assert scripts.rollback(SCRIPT_NAME, expected=0, by=PAUL).version == 1


def test_tests_required(units: SQLUnits, sandbox: OptionScripts) -> None:
    """A version without tests is stored, and not activated; the shipped one is always there."""
    scripts = life(units, sandbox, ScriptRules(tests_required=True))
    scripts.push(SCRIPT_NAME, SOURCE, by=OLGA, comment="")
    with pytest.raises(ScriptTestsMissing, match=r"Version 1 .* has no tests"):
        scripts.activate(SCRIPT_NAME, 1, expected=0, by=OLGA)
    scripts.push(SCRIPT_NAME, SOURCE, by=OLGA, comment="", tests=[PROMISE])
    scripts.activate(SCRIPT_NAME, 2, expected=0, by=OLGA)
    scripts.activate(SCRIPT_NAME, 0, expected=2, by=OLGA)


def test_without_rules_an_administrator_is_alone(units: SQLUnits, sandbox: OptionScripts) -> None:
    """A small site has one."""
    scripts = life(units, sandbox, ScriptRules())
    scripts.push(SCRIPT_NAME, SOURCE, by=OLGA, comment="")
    scripts.activate(SCRIPT_NAME, 1, expected=0, by=OLGA)
    assert scripts.active(SCRIPT_NAME).author == str(OLGA)


def test_a_version_in_quarantine(units: SQLUnits, sandbox: OptionScripts) -> None:
    """It is not activated before somebody has released it, which is in the audit log."""
    scripts = life(units, sandbox, ScriptRules())
    scripts.push(SCRIPT_NAME, SOURCE, by=OLGA, comment="")
    with units() as unit:
        unit.scripts.quarantine(SCRIPT_NAME, 1, "It broke out.")
        unit.commit()
    with pytest.raises(ScriptInQuarantine, match=r"is in quarantine: It broke out\. .* release 1"):
        scripts.activate(SCRIPT_NAME, 1, expected=0, by=PAUL)
    assert scripts.release(SCRIPT_NAME, 1, by=PAUL)
    assert not scripts.release(SCRIPT_NAME, 1, by=PAUL)
    assert scripts.activate(SCRIPT_NAME, 1, expected=0, by=PAUL).version == 1
