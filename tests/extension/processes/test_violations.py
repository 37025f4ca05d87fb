"""When a script fails in a live Get: what its user is told, what administrators find, and who runs again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs
from typing_extensions import override

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.mobile_ids import ProfileState
from mobid.optionscripts import SHIPPED, OptionScripts
from mobid.processes.decision import SCRIPT_NAME, OptionDecision
from mobid.processes.errors import (
    NotFound,
    OptionScriptFailed,
    OptionScriptStopped,
    SandboxNotAvailable,
    ScriptNotAccepted,
    ScriptQuarantined,
)
from mobid.processes.option_scripts import ManagedScript, OptionScriptLife
from mobid.processes.ports import Diagnostic, Evaluation, Outcome, StoredScript
from mobid.processes.runner import Runner
from mobid.processes.script_comparison import ScriptComparisons
from mobid.processes.violations import BAD_ANSWER, VIOLATION, release
from mobid.provisioning import UserPopulation
from mobid_scripts.outcome import Code

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.extension.processes.conftest import Person, Place

    from mobid.domain.users import User

BROKE_OUT = Diagnostic(code=VIOLATION, message="The script broke out of the language.")
ADMIN = Actor(ActorKind.OPERATOR, "olga")


class BrokenSandbox:
    """A sandbox in which every script ends in the same way."""

    def __init__(self, outcome: Outcome, fault: Diagnostic) -> None:
        self.evaluation = Evaluation(outcome=outcome, diagnostics=(fault,), layers=("rlimits",))
        self.asked = 0

    def evaluate(self, source: str, user: User, *, at: datetime) -> Evaluation:  # noqa: ARG002 - the port
        """Return what there is to say."""
        self.asked += 1
        return self.evaluation


def _in_a_sandbox_where(
    place: Place, outcome: Outcome, fault: Diagnostic, *, quarantine: bool = True
) -> BrokenSandbox:
    """Let every Get of a place decide in a sandbox where scripts end like this."""
    sandbox = BrokenSandbox(outcome, fault)
    shipped = StoredScript(
        name=SCRIPT_NAME,
        version=0,
        source="",
        sha256="ab",
        author="mobid",
        comment="",
        created_at=place.clock(),
    )
    decision = OptionDecision(place.units, sandbox, shipped, "ca", quarantine=quarantine)  # type: ignore[arg-type]  # a Get only evaluates
    decision._ca = place.parts.ca  # noqa: SLF001 - the CA of the place
    place.runner = Runner(place.units, replace(place.parts, decision=decision), place.attempts)
    return sandbox


class BrokenLanguage(OptionScripts):
    """The language of option scripts, in which every run, or every check too, ends in a violation."""

    def __init__(self, *, when_checked: bool) -> None:
        super().__init__()
        self._when_checked = when_checked

    @override
    def check(self, source: str) -> Evaluation:
        broken = Evaluation(outcome=Outcome.KILLED_BY_LIMIT, diagnostics=(BROKE_OUT,))
        return broken if self._when_checked else Evaluation(outcome=Outcome.OK)

    @override
    def evaluate(self, source: str, user: User, *, at: datetime) -> Evaluation:
        return Evaluation(outcome=Outcome.KILLED_BY_LIMIT, diagnostics=(BROKE_OUT,))


def _life_where_scripts_break_out(place: Place, *, when_checked: bool = True) -> OptionScriptLife:
    language = BrokenLanguage(when_checked=when_checked)
    return OptionScriptLife(place.units, [ManagedScript(language, SHIPPED)])


class TestWhatTheUserIsTold:
    """Each has words of its own, and a reference under which an administrator finds the reason."""

    @pytest.mark.parametrize(
        ("outcome", "kind", "words"),
        [
            (Outcome.FAILED_AT_RUN, OptionScriptFailed, "its option script failed"),
            (Outcome.INVALID_RESULT, OptionScriptFailed, "its option script failed"),
            (Outcome.REJECTED_AT_UPLOAD, OptionScriptFailed, "its option script failed"),
            (
                Outcome.KILLED_BY_LIMIT,
                OptionScriptStopped,
                "its option script took too much time or memory and was stopped",
            ),
        ],
    )
    def test_an_error_and_a_limit(
        self,
        outcome: Outcome,
        kind: type[OptionScriptFailed],
        words: str,
        place: Place,
        anne: Person,
    ) -> None:
        """The line of the script is for the administrator alone, and nothing is issued."""
        _in_a_sandbox_where(place, outcome, Diagnostic(code="x", message="Line 7 is wrong."))
        with capture_logs() as logged, pytest.raises(kind) as failure:
            anne.starts_get()
        reference = failure.value.reference
        assert str(failure.value) == (
            f"A mobile ID cannot be ordered right now: {words}. "
            f"Tell your service desk the reference {reference}."
        )
        (line,) = logged
        assert (line["reference"], line["log_level"]) == (reference, "error")
        assert line["faults"] == ["Line 7 is wrong."]
        assert place.runner.running(anne.caller) == []

    def test_a_sandbox_that_is_not_there(self, place: Place, anne: Person) -> None:
        """No script, no options, no Get; and no other place to run it in."""

        def fails() -> None:
            raise SandboxNotAvailable

        place.sandbox.meanwhile = fails
        with capture_logs() as logged, pytest.raises(SandboxNotAvailable) as failure:
            anne.starts_get()
        reference = failure.value.reference
        assert str(failure.value) == (
            "No option script can be run right now. "
            f"Try again soon or tell your service desk the reference {reference}."
        )
        assert [line["reference"] for line in logged] == [reference]
        assert place.runner.running(anne.caller) == []

    def test_a_lock_touches_no_script(self, place: Place, anne: Person) -> None:
        """Whatever has become of scripts: to lock must always work."""
        mobile_id, _ = anne.has_active()
        sandbox = _in_a_sandbox_where(place, Outcome.KILLED_BY_LIMIT, BROKE_OUT)
        anne.clicks("next", anne.starts_lock(mobile_id))
        assert place.profile(mobile_id).state is ProfileState.LOCKED
        assert sandbox.asked == 0


class TestViolation:
    """A script did what no script of the language can do."""

    @pytest.fixture
    def active(self, place: Place) -> str:
        """Return the name and number of the active version."""
        place.activate("options.validity = days(90)")
        return f"{SCRIPT_NAME}/1"

    @pytest.mark.parametrize(
        ("outcome", "code"),
        [(Outcome.KILLED_BY_LIMIT, VIOLATION), (Outcome.INVALID_RESULT, BAD_ANSWER)],
    )
    def test_is_an_alarm_and_quarantines_the_version(
        self, outcome: Outcome, code: str, active: str, place: Place, anne: Person
    ) -> None:
        """It is audited and logged at the highest level, and runs for nobody any more."""
        sandbox = _in_a_sandbox_where(place, outcome, replace(BROKE_OUT, code=code))
        with capture_logs() as logged, pytest.raises(OptionScriptFailed) as failure:
            anne.starts_get()
        alarm = next(line for line in logged if line["log_level"] == "critical")
        assert (alarm["event"], alarm["version"]) == ("option_script_broke_out", 1)
        assert (alarm["reference"], alarm["quarantined"]) == (failure.value.reference, True)
        assert place.audited(active)[-2:] == ["script.violation", "script.quarantine"]
        with place.units.reading() as unit:
            stored = unit.scripts.get(SCRIPT_NAME, 1)
        assert stored.quarantined_at == place.clock()
        assert stored.quarantined_why == BROKE_OUT.message
        with capture_logs() as logged, pytest.raises(ScriptQuarantined) as refused:
            anne.starts_get()
        assert "taken out of service for safety" in str(refused.value)
        assert (logged[-1]["reference"], logged[-1]["why"]) == (
            refused.value.reference,
            BROKE_OUT.message,
        )
        assert sandbox.asked == 1, "it was not run again, and no other was run for it"
        assert place.runner.running(anne.caller) == []

    def test_is_an_alarm_each_time_where_quarantine_is_not_wanted(
        self, active: str, place: Place, anne: Person
    ) -> None:
        """A site may decide to go on; it is told every time."""
        sandbox = _in_a_sandbox_where(place, Outcome.KILLED_BY_LIMIT, BROKE_OUT, quarantine=False)
        for _ in range(2):
            with pytest.raises(OptionScriptFailed, match="was stopped"):
                anne.starts_get()
        assert place.audited(active)[-2:] == ["script.violation"] * 2
        assert sandbox.asked == 2

    def test_of_the_shipped_version_is_an_alarm(self, place: Place, anne: Person) -> None:
        """It is part of the software: there is no version that could be put away."""
        _in_a_sandbox_where(place, Outcome.KILLED_BY_LIMIT, BROKE_OUT)
        with pytest.raises(OptionScriptFailed):
            anne.starts_get()
        assert place.audited(f"{SCRIPT_NAME}/0") == ["script.violation"]

    def test_an_ordinary_limit_is_none(self, active: str, place: Place, anne: Person) -> None:
        """Who writes a slow script is no attacker."""
        slow = Diagnostic(code="time", message="The script ran longer than 3 s.")
        _in_a_sandbox_where(place, Outcome.KILLED_BY_LIMIT, slow)
        with pytest.raises(OptionScriptStopped):
            anne.starts_get()
        assert "script.violation" not in place.audited(active)

    def test_ends_with_an_explicit_release(self, active: str, place: Place, anne: Person) -> None:
        """An administrator has looked at the version, and says so; once."""
        with place.units() as unit:
            assert unit.scripts.quarantine(SCRIPT_NAME, 1, "why") is True
            assert unit.scripts.quarantine(SCRIPT_NAME, 1, "other") is False
            unit.commit()
        with pytest.raises(ScriptQuarantined):
            anne.starts_get()
        assert release(place.units, SCRIPT_NAME, 1, by=ADMIN) is True
        assert release(place.units, SCRIPT_NAME, 1, by=ADMIN) is False
        assert place.audited(active)[-1] == "script.release"
        assert anne.starts_get().step_name == "confirm"
        with pytest.raises(NotFound, match=f'version "{SCRIPT_NAME} 7"'):
            release(place.units, SCRIPT_NAME, 7, by=ADMIN)

    def test_in_a_check_a_test_or_a_dry_run_is_no_less(
        self, active: str, place: Place, anne: Person
    ) -> None:
        """Who tries a stored version sees it put away, before anybody orders a mobile ID with it."""
        with place.units.reading() as unit:
            stored = unit.scripts.get(SCRIPT_NAME, 1)
            person = unit.users.get(anne.id)
        life = _life_where_scripts_break_out(place)
        tries: dict[str, Callable[[], object]] = {
            "check": lambda: life.check(SCRIPT_NAME, stored.source),
            "test": lambda: life.test(SCRIPT_NAME, stored.source, [{"name": "a", "error": ""}]),
            "dry run": lambda: life.dry_run(SCRIPT_NAME, stored.source, person),
            "dry run on": lambda: life.dry_run_on(SCRIPT_NAME, stored.source, person.id, by=ADMIN),
        }
        for number, (name, attempt) in enumerate(tries.items(), 1):
            with capture_logs() as logged:
                attempt()
            (alarm,) = [line for line in logged if line["event"] == "option_script_broke_out"]
            assert (alarm["version"], alarm["quarantined"]) == (1, number == 1), name
            assert place.audited(active).count("script.violation") == number, name
        assert place.audited(active).count("script.quarantine") == 1
        with place.units.reading() as unit:
            assert unit.scripts.get(SCRIPT_NAME, 1).quarantined_at is not None

    def test_of_a_text_that_nobody_stored_has_its_digest(self, place: Place) -> None:
        """There is no version to name; even of a text that is none a digest can be taken."""
        life = _life_where_scripts_break_out(place)
        for number, text in enumerate(["x = 1", "x = '\ud800'"], 1):
            with capture_logs() as logged:
                life.check(SCRIPT_NAME, text)
            digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
            assert [line["sha256"] for line in logged] == [digest]
            assert place.audited(SCRIPT_NAME) == ["script.violation"] * number

    def test_ends_a_dry_run_over_many_users(self, active: str, place: Place) -> None:
        """The script gets no try on the next user."""
        for _ in range(3):
            place.person()
        life = _life_where_scripts_break_out(place, when_checked=False)
        comparisons = ScriptComparisons(
            life, UserPopulation(place.units, "https://x.example/scim/v2"), place.clock
        )
        run = comparisons.run(SCRIPT_NAME, "x = 1", "userName pr", by=ADMIN)
        assert next(run).total == 3
        with pytest.raises(ScriptNotAccepted, match="broke out"):
            next(run)
        assert place.audited(active)[-2:] == ["script.violation", "script.quarantine"]

    def test_has_the_codes_of_the_engine(self) -> None:
        """The processes know two of its words without knowing the engine."""
        assert {VIOLATION, BAD_ANSWER} <= {code.value for code in Code}
