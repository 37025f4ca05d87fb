"""What follows when a script did what its language can not do: an alarm, and it may not run again.

A system call that no script can make, or an answer that none can give, means that somebody has got through
the first wall. The other two held, so nothing was decided; but whoever wrote this version will try again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from mobid.domain.actors import SYSTEM

if TYPE_CHECKING:
    from mobid.domain.actors import Actor
    from mobid.processes.ports import Evaluation, StoredScript, UnitOfWork, Units

VIOLATION: Final = "violation"
"""The code of a diagnostic: the system stopped the script at a call that no script makes."""
BAD_ANSWER: Final = "bad_answer"
"""The script ended with an answer that the interpreter would never give."""

_MOST_WHY: Final = 300
_log: Final = structlog.get_logger(__name__)


def broke_out(evaluation: Evaluation) -> bool:
    """Tell whether a run is a sign that the script got out of its language."""
    return any(fault.code in (VIOLATION, BAD_ANSWER) for fault in evaluation.diagnostics)


class Violations:
    """Raises the alarm about versions that broke out, and, if the site wants it, puts them in quarantine."""

    def __init__(self, units: Units, *, quarantine: bool) -> None:
        self._units = units
        self._quarantine = quarantine

    def report(self, script: StoredScript, evaluation: Evaluation, *, reference: str) -> None:
        """Write the security event to audit log and log, and act on it.

        The shipped version 0 is part of the software and can not be put in quarantine.
        """
        why = "; ".join(fault.message for fault in evaluation.diagnostics)[:_MOST_WHY]
        thing = f"{script.name}/{script.version}"
        with self._units() as unit:
            _audit(unit, thing, script.sha256, evaluation, reference)
            confined = (
                self._quarantine
                and script.version > 0
                and unit.scripts.quarantine(script.name, script.version, why)
            )
            if confined:
                unit.audit(SYSTEM, "script.quarantine", "script", thing, reference=reference)
            unit.commit()
        _log.critical(
            "option_script_broke_out",
            reference=reference,
            script=script.name,
            version=script.version,
            sha256=script.sha256,
            quarantined=confined,
            faults=[fault.message for fault in evaluation.diagnostics],
        )

    def report_text(
        self, name: str, sha256: str, evaluation: Evaluation, *, reference: str
    ) -> None:
        """Report what a text did in a check, a test or a dry run.

        Whatever versions have this text are reported themselves; if none has it, the text is, by its digest.
        """
        with self._units() as unit:
            stored = [one for one in unit.scripts.all(name) if one.sha256 == sha256]
            if not stored:
                _audit(unit, name, sha256, evaluation, reference)
                unit.commit()
        for script in stored:
            self.report(script, evaluation, reference=reference)
        if not stored:
            _log.critical(
                "option_script_broke_out",
                reference=reference,
                script=name,
                sha256=sha256,
                faults=[fault.message for fault in evaluation.diagnostics],
            )


def _audit(
    unit: UnitOfWork, thing: str, sha256: str, evaluation: Evaluation, reference: str
) -> None:
    unit.audit(
        SYSTEM,
        "script.violation",
        "script",
        thing,
        reference=reference,
        sha256=sha256,
        outcome=evaluation.outcome.value,
        code=evaluation.diagnostics[0].code,
        layers=" ".join(evaluation.layers),
    )


def release(units: Units, name: str, version: int, *, by: Actor) -> bool:
    """Let a version run again; tell whether it was in quarantine. Raise `NotFound`."""
    with units() as unit:
        released = unit.scripts.release(name, version)
        if released:
            unit.audit(by, "script.release", "script", f"{name}/{version}")
            unit.commit()
    if released:
        _log.warning("option_script_released", script=name, version=version, by=str(by))
    return released
