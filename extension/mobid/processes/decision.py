"""What the active option script decides for one user, checked against what the CA can do."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from mobid.domain.instances import ScriptVersion
from mobid.domain.options import Kind, QRLocation
from mobid.processes.errors import (
    CANotAvailable,
    NoEmail,
    OptionScriptFailed,
    OptionScriptStopped,
    RefusedByScript,
    SandboxNotAvailable,
    ScriptQuarantined,
)
from mobid.processes.naming import san_for, san_text, subject_for
from mobid.processes.ports import Diagnostic, Outcome
from mobid.processes.violations import Violations, broke_out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509

    from mobid.domain.options import Options
    from mobid.domain.users import User
    from mobid.processes.authority import Capabilities
    from mobid.processes.ports import Evaluation, OptionScript, StoredScript, Units

SCRIPT_NAME: Final = "MobileIDScriptOptions"
VALIDITY_CLIPPED: Final = "VALIDITY_CLIPPED"

_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Options for one user as they were at one moment, and the version that made them."""

    options: Options
    script: ScriptVersion
    basis: str
    """A digest of everything about the user that script, subject, SAN and mail can use."""
    digest: str
    """A digest of the options and of the names that go into the certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a certificate of one kind says of its user."""

    subject: x509.Name
    san: tuple[x509.GeneralName, ...]

    @property
    def subject_der(self) -> bytes:
        """DER of the subject name."""
        return self.subject.public_bytes()

    @property
    def san_text(self) -> str:
        """The alternative names as text."""
        return san_text(self.san)


class OptionDecision:
    """Runs the active option script outside any transaction. Never a silent default."""

    def __init__(
        self,
        units: Units,
        sandbox: OptionScript,
        shipped: StoredScript,
        ca: str,
        *,
        quarantine: bool = True,
    ) -> None:
        """`quarantine` is whether a version that broke out of the language may not run again."""
        self._units = units
        self._sandbox = sandbox
        self._shipped = shipped
        self._ca = ca
        self._violations = Violations(units, quarantine=quarantine)

    def decide(self, user: User) -> Decision:
        """Return the options for a user.

        Raise `RefusedByScript` with the script's words, `OptionScriptFailed` or `SandboxNotAvailable`
        with a reference under which the log tells the administrators why, `CANotAvailable`, `NoEmail`
        if the code is to be mailed to nowhere, or `MissingUserAttribute` if no certificate could be
        made out in this user's name.
        """
        with self._units.reading() as unit:
            script = unit.scripts.active(SCRIPT_NAME) or self._shipped
            capabilities = unit.authorities.capabilities(self._ca)
            now = unit.now
        if capabilities is None:
            raise CANotAvailable(self._ca)
        options = self._options(self._evaluation(script, user, now), script)
        self._kinds_must_be_known(options, capabilities, script)
        if options.qr_location is QRLocation.EMAIL and user.email is None:
            raise NoEmail
        kinds = sorted({*options.certificates, *options.selectable_certificates})
        names = [names_for(kind, user) for kind in kinds]
        return Decision(
            options=options,
            script=ScriptVersion(name=script.name, version=script.version, sha256=script.sha256),
            basis=basis_of(user),
            digest=_digest(
                repr(options), *(name.subject_der.hex() + name.san_text for name in names)
            ),
        )

    def _evaluation(self, script: StoredScript, user: User, now: datetime) -> Evaluation:
        if script.quarantined_at is not None:
            raise _quarantined(script)
        try:
            return self._sandbox.evaluate(script.source, user, at=now)
        except SandboxNotAvailable as unavailable:
            raise _not_available(script) from unavailable

    def _options(self, evaluation: Evaluation, script: StoredScript) -> Options:
        if evaluation.outcome is Outcome.REFUSED:
            raise RefusedByScript(evaluation.refusal or "")
        if evaluation.options is None:
            failure = self._failure(script, evaluation.outcome, evaluation.diagnostics)
            if broke_out(evaluation):
                self._violations.report(script, evaluation, reference=failure.reference)
            raise failure
        return evaluation.options

    def _kinds_must_be_known(
        self, options: Options, capabilities: Capabilities, script: StoredScript
    ) -> None:
        wanted = {*options.certificates, *options.selectable_certificates}
        unknown = [kind for kind in Kind if kind in wanted - capabilities.kinds]
        if unknown:
            fault = Diagnostic(
                code="certificates",
                message=f'Option "certificates": the CA "{self._ca}" cannot issue {", ".join(unknown)}.',
            )
            raise self._failure(script, Outcome.INVALID_RESULT, [fault])

    @staticmethod
    def _failure(
        script: StoredScript, outcome: Outcome, diagnostics: Sequence[Diagnostic]
    ) -> OptionScriptFailed:
        is_limit = outcome is Outcome.KILLED_BY_LIMIT
        failure = (OptionScriptStopped if is_limit else OptionScriptFailed)(new_reference())
        _log.error(
            "option_script_failed",
            reference=failure.reference,
            script=script.name,
            version=script.version,
            outcome=outcome.value,
            faults=[fault.message for fault in diagnostics],
        )
        return failure


def _quarantined(script: StoredScript) -> ScriptQuarantined:
    """Never another version instead: which options hold is not for an accident to decide."""
    failure = ScriptQuarantined(new_reference())
    _log.error(
        "option_script_in_quarantine",
        reference=failure.reference,
        script=script.name,
        version=script.version,
        since=str(script.quarantined_at),
        why=script.quarantined_why,
        remedy="Activate another version, or look at this one and release it.",
    )
    return failure


def _not_available(script: StoredScript) -> SandboxNotAvailable:
    failure = SandboxNotAvailable(new_reference())
    _log.error(
        "option_script_not_run",
        reference=failure.reference,
        script=script.name,
        version=script.version,
    )
    return failure


def names_for(kind: Kind, user: User) -> Names:
    """Return subject and alternative names of a certificate; raise `MissingUserAttribute`."""
    return Names(
        subject=subject_for(user.display_name, unique_id=user.id),
        san=san_for(kind, user.email, user.principal_name),
    )


def basis_of(user: User) -> str:
    """Return a digest of all that options and names of a user can depend on."""
    seen = [user.user_name, user.display_name, user.email, user.principal_name]
    return _digest(json.dumps([seen, dict(user.attributes)], sort_keys=True, ensure_ascii=False))


def _digest(*texts: str) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()


def end_of(options: Options, start: datetime, ca_end: datetime) -> tuple[datetime, bool]:
    """Return when a mobile ID ends that starts now, and whether the CA's own end clips it."""
    end = options.validity.end(start)
    return (ca_end, True) if end > ca_end else (end, False)


def new_reference() -> str:
    """Return a short reference that a user can read out to the service desk."""
    letters = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
    drawn = "".join(secrets.choice(letters) for _ in range(6))
    return f"{drawn[:4]}-{drawn[4:]}"
