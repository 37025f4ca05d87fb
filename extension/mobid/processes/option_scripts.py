"""The life of our scripts: check, try on a user, store a version, activate it, take it back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobid.config import ScriptRules
from mobid.processes.decision import new_reference
from mobid.processes.errors import (
    FourEyes,
    InvalidInput,
    NotFound,
    NothingToRollBack,
    ScriptInQuarantine,
    ScriptNotAccepted,
    ScriptTestsFailed,
    ScriptTestsMissing,
)
from mobid.processes.ports import Outcome
from mobid.processes.violations import Violations, broke_out, release

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from mobid.domain.actors import Actor
    from mobid.domain.users import User
    from mobid.processes.ports import Activation, Evaluation, ScriptLanguage, StoredScript, Units
    from mobid.processes.script_tests import ScriptTest, ScriptTestResult

LONGEST_COMMENT: Final = 500
_ACTIVATIONS_SHOWN: Final = 100
_FILTER_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class ManagedScript:
    """A script that administrators can replace: its language, and its shipped version 0."""

    language: ScriptLanguage
    shipped: StoredScript


class OptionScriptLife:
    """What administrators do with scripts. Versions are immutable; activation is compare-and-set."""

    def __init__(
        self, units: Units, scripts: Iterable[ManagedScript], rules: ScriptRules | None = None
    ) -> None:
        self._units = units
        self._scripts: Final = {one.shipped.name: one for one in scripts}
        self._rules: Final = rules or ScriptRules()
        self._violations: Final = Violations(units, quarantine=self._rules.quarantine)

    @property
    def names(self) -> Sequence[str]:
        """Which scripts there are."""
        return tuple(self._scripts)

    def language(self, name: str) -> ScriptLanguage:
        """Return what scripts of this name are written in; raise `NotFound`."""
        return self._known(name).language

    def versions(self, name: str) -> Sequence[StoredScript]:
        """Return every version, the newest first; the last is the shipped version 0."""
        shipped = self._known(name).shipped
        with self._units.reading() as unit:
            return [*unit.scripts.all(name), shipped]

    def active(self, name: str) -> StoredScript:
        """Return the version that holds now."""
        shipped = self._known(name).shipped
        with self._units.reading() as unit:
            return unit.scripts.active(name) or shipped

    def activations(self, name: str) -> Sequence[Activation]:
        """Return which version became active when, the last first."""
        self._known(name)
        with self._units.reading() as unit:
            return unit.scripts.activations(name, _ACTIVATIONS_SHOWN)

    def version(self, name: str, version: int) -> StoredScript:
        """Return one version; raise `NotFound`."""
        shipped = self._known(name).shipped
        if version == shipped.version:
            return shipped
        with self._units.reading() as unit:
            return unit.scripts.get(name, version)

    def check(self, name: str, source: str) -> Evaluation:
        """Compile only, in the sandbox."""
        return self.watched(name, source, self.language(name).check(source))

    def dry_run(self, name: str, source: str, user: User) -> Evaluation:
        """Run a script on a sample as it would be run on a user, without any effect."""
        evaluation = self.language(name).evaluate(source, user, at=self._now())
        return self.watched(name, source, evaluation)

    def dry_run_on(self, name: str, source: str, user_id: str, *, by: Actor) -> Evaluation:
        """Run a script on a real user, without any effect; raise `NotFound`.

        It is audited: what a script logs, its author learns about somebody.
        """
        language = self.language(name)
        with self._units() as unit:
            user, now = unit.users.get(user_id), unit.now
            unit.audit(by, "script.dry_run", "user", user_id, script=name, sha256=_sha256(source))
            unit.commit()
        return self.watched(name, source, language.evaluate(source, user, at=now))

    def record_dry_run(self, name: str, source: str, filter_text: str, *, by: Actor) -> None:
        """Write down that somebody tries a script on all users that a filter matches."""
        with self._units() as unit:
            who, digest = filter_text[:_FILTER_SHOWN], _sha256(source)
            unit.audit(by, "script.dry_run", "script", name, filter=who, sha256=digest)
            unit.commit()

    def test(self, name: str, source: str, plain: Sequence[object]) -> Sequence[ScriptTestResult]:
        """Run tests on a script; raise `InvalidInput` for tests that cannot be used."""
        language = self.language(name)
        return self._tested(name, source, language.read_tests(plain))

    def test_version(self, name: str, version: int) -> Sequence[ScriptTestResult]:
        """Run the stored tests of a version."""
        script = self.version(name, version)
        return self._tested(name, script.source, script.tests)

    def watched(self, name: str, source: str, evaluation: Evaluation) -> Evaluation:
        """Return an evaluation; the alarm is raised if the script got out of its language."""
        if broke_out(evaluation):
            self._violations.report_text(
                name, _sha256(source), evaluation, reference=new_reference()
            )
        return evaluation

    def _tested(
        self, name: str, source: str, tests: Sequence[ScriptTest]
    ) -> Sequence[ScriptTestResult]:
        results = self.language(name).test(source, tests, at=self._now())
        for result in results:
            if result.violation is not None:
                self.watched(name, source, result.violation)
                break  # the same text once more is no other event
        return results

    def push(
        self, name: str, source: str, *, by: Actor, comment: str, tests: Sequence[object] = ()
    ) -> StoredScript:
        """Store a new version with its tests; raise `ScriptNotAccepted` if it does not compile.

        The tests have to be readable (else `InvalidInput`), but not green yet: that is asked for
        when the version is activated.
        """
        evaluation = self.check(name, source)
        if evaluation.outcome is not Outcome.OK:
            raise ScriptNotAccepted(name, evaluation)
        promises = self.language(name).read_tests(tests)
        if len(comment) > LONGEST_COMMENT or not comment.isprintable():
            raise InvalidInput(
                "comment", f"must be one line of at most {LONGEST_COMMENT} characters"
            )
        digest = _sha256(source)
        with self._units() as unit:
            stored = unit.scripts.add(
                name,
                source=source,
                sha256=digest,
                author=str(by),
                comment=comment,
                tests=promises,
            )
            unit.audit(by, "script.push", "script", f"{name}/{stored.version}", sha256=digest)
            unit.commit()
        return stored

    def activate(self, name: str, version: int, *, expected: int, by: Actor) -> StoredScript:
        """Make a version the active one if `expected` still is; raise `VersionConflict`.

        It is compiled again first, and its tests run: what this version of the software would
        refuse, or do otherwise, is not activated. Raise `ScriptNotAccepted`, `ScriptTestsFailed`,
        `ScriptTestsMissing`, `ScriptInQuarantine` or `FourEyes`.
        """
        script = self.version(name, version)
        self._may_activate(script, by)
        with self._units() as unit:
            unit.scripts.activate(name, version, expected=expected, by=str(by))
            unit.audit(by, "script.activate", "script", f"{name}/{version}", replaced=expected)
            unit.commit()
        return script

    def rollback(self, name: str, *, expected: int, by: Actor) -> StoredScript:
        """Activate again what was active before the version that is; raise as `activate` does.

        Raise `NothingToRollBack` if there was nothing else.
        """
        for last in self.activations(name):
            if last.replaced != last.version:
                return self.activate(name, last.replaced, expected=expected, by=by)
        raise NothingToRollBack(name)

    def release(self, name: str, version: int, *, by: Actor) -> bool:
        """Let a version in quarantine run again; tell whether it was in it. Raise `NotFound`."""
        self._known(name)
        return release(self._units, name, version, by=by)

    def _may_activate(self, script: StoredScript, by: Actor) -> None:
        """The shipped version is nobody's, and always there to go back to."""
        if script.quarantined_at is not None:
            raise ScriptInQuarantine(script.name, script.version, script.quarantined_why or "")
        if script.version and self._rules.four_eyes and script.author == str(by):
            raise FourEyes(script.name, script.version, script.author)
        if script.version and self._rules.tests_required and not script.tests:
            raise ScriptTestsMissing(script.name, script.version)
        evaluation = self.check(script.name, script.source)
        if evaluation.outcome is not Outcome.OK:
            raise ScriptNotAccepted(script.name, evaluation)
        results = self.test_version(script.name, script.version)
        if not all(result.passed for result in results):
            raise ScriptTestsFailed(script.name, script.version, results)

    def _now(self) -> datetime:
        with self._units.reading() as unit:
            return unit.now

    def _known(self, name: str) -> ManagedScript:
        if name not in self._scripts:
            raise NotFound("option script", name)
        return self._scripts[name]


def _sha256(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
