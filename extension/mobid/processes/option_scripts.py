"""The life of option scripts: check, try on a user, store a version, activate it, take it back."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from mobid.processes.decision import SCRIPT_NAME
from mobid.processes.errors import InvalidInput, NotFound, ScriptNotAccepted
from mobid.processes.ports import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.domain.actors import Actor
    from mobid.domain.users import User
    from mobid.processes.ports import Evaluation, OptionScript, StoredScript, Units

LONGEST_COMMENT: Final = 500
KNOWN: Final = frozenset({SCRIPT_NAME})


class OptionScriptLife:
    """What administrators do with option scripts. Versions are immutable; activation is compare-and-set."""

    def __init__(self, units: Units, sandbox: OptionScript, shipped: StoredScript) -> None:
        self._units = units
        self._sandbox = sandbox
        self._shipped = shipped

    def versions(self, name: str) -> Sequence[StoredScript]:
        """Return every version, the newest first; the last is the shipped version 0."""
        with self._units.reading() as unit:
            return [*unit.scripts.all(_known(name)), self._shipped]

    def active(self, name: str) -> StoredScript:
        """Return the version that holds now."""
        with self._units.reading() as unit:
            return unit.scripts.active(_known(name)) or self._shipped

    def version(self, name: str, version: int) -> StoredScript:
        """Return one version; raise `NotFound`."""
        if version == self._shipped.version:
            _known(name)
            return self._shipped
        with self._units.reading() as unit:
            return unit.scripts.get(_known(name), version)

    def check(self, name: str, source: str) -> Evaluation:
        """Compile only, in the sandbox."""
        _known(name)
        return self._sandbox.check(source)

    def dry_run(self, name: str, source: str, user: User) -> Evaluation:
        """Run a script on a user as it would be run, without any effect."""
        _known(name)
        with self._units.reading() as unit:
            now = unit.now
        return self._sandbox.evaluate(source, user, at=now)

    def user(self, user_id: str) -> User:
        """Return a real user to try a script on; raise `NotFound`."""
        with self._units.reading() as unit:
            return unit.users.get(user_id)

    def push(self, name: str, source: str, *, by: Actor, comment: str) -> StoredScript:
        """Store a new version; raise `ScriptNotAccepted` if it does not compile."""
        evaluation = self.check(name, source)
        if evaluation.outcome is not Outcome.OK:
            raise ScriptNotAccepted(name, evaluation)
        if len(comment) > LONGEST_COMMENT or not comment.isprintable():
            raise InvalidInput(
                "comment", f"must be one line of at most {LONGEST_COMMENT} characters"
            )
        digest = hashlib.sha256(source.encode()).hexdigest()
        with self._units() as unit:
            stored = unit.scripts.add(
                name, source=source, sha256=digest, author=str(by), comment=comment
            )
            unit.audit(by, "script.push", "script", f"{name}/{stored.version}", sha256=digest)
            unit.commit()
        return stored

    def activate(self, name: str, version: int, *, expected: int, by: Actor) -> StoredScript:
        """Make a version the active one if `expected` still is; raise `VersionConflict`.

        It is compiled again first: what this version of the software would refuse is not activated.
        """
        script = self.version(name, version)
        evaluation = self.check(name, script.source)
        if evaluation.outcome is not Outcome.OK:
            raise ScriptNotAccepted(name, evaluation)
        with self._units() as unit:
            unit.scripts.activate(name, version, expected=expected, by=str(by))
            unit.audit(by, "script.activate", "script", f"{name}/{version}", replaced=expected)
            unit.commit()
        return script


def _known(name: str) -> str:
    if name not in KNOWN:
        raise NotFound("option script", name)
    return name
