"""The one table of what errors mean to callers: HTTP status and code.

What is not in it is a 500 without details, and a log entry with them. JSON interfaces, pages and
SCIM only render what `meaning_of` says; SCIM has fewer statuses and no codes (`mobid.app.scim`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog
from werkzeug.exceptions import RequestEntityTooLarge

from mobid.api import errors as api
from mobid.api.device import errors as device
from mobid.auth import errors as auth
from mobid.domain import errors as domain
from mobid.processes import errors as processes
from mobid.processes.authority import Unavailable
from mobid.storage import DatabaseUnavailable, Unstorable
from mobid_scim.errors import MalformedJSON, PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What an error is to a caller."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, object] = field(default_factory=dict)
    """More that a problem document says; SCIM has no room for it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Without a code, the error's own one is taken."""

    status: int
    code: str = ""
    retry_after: int | None = None
    """Seconds after which the same call may work."""
    detail: str | None = None
    """What is said instead of the error's own words, which are for the log."""


_SOON: Final = 5
_log: Final = structlog.get_logger(__name__)

TABLE: Final[Mapping[type[Exception], Row]] = {
    # Who is calling
    auth.Unauthenticated: Row(401, "UNAUTHENTICATED"),
    auth.Forbidden: Row(403, "FORBIDDEN"),
    processes.ReauthenticationRequired: Row(401),
    # What a request looks like
    MalformedJSON: Row(400, "MALFORMED_JSON"),
    PayloadTooLarge: Row(413, "REQUEST_TOO_LARGE"),
    RequestEntityTooLarge: Row(413, "REQUEST_TOO_LARGE", detail="The body is too large."),
    api.UnsupportedMediaType: Row(415),
    api.InvalidBody: Row(422),
    processes.InvalidInput: Row(422),
    Unstorable: Row(422, "INVALID_INPUT"),
    # What there is, and in which state
    processes.NotFound: Row(404),
    api.NoSuchCA: Row(404),
    api.NoCodeToShow: Row(409),
    processes.UserNotActive: Row(409),
    processes.MobileIDSuspended: Row(409),
    processes.MobileIDNotActive: Row(409),
    processes.AlreadyHasMobileID: Row(409),
    processes.ProcessRunning: Row(409),
    processes.AlreadyHeld: Row(409),
    processes.NotHeld: Row(409),
    processes.UserNotRestorable: Row(409),
    processes.CAStillAnswers: Row(409),
    processes.StaleStep: Row(409),
    processes.IllegalAction: Row(409),
    processes.TooManyCodes: Row(409),
    processes.TooMany: Row(429),
    processes.VersionConflict: Row(409),
    domain.IllegalTransition: Row(409, "ILLEGAL_TRANSITION"),
    domain.ProcessEnded: Row(409, "PROCESS_ENDED"),
    processes.RefusedByScript: Row(403),
    processes.MissingUserAttribute: Row(422),
    # Phones
    device.MalformedRequest: Row(400),
    device.BadSignature: Row(400),
    device.BadNonce: Row(400),
    processes.CodeNotUsable: Row(410),
    processes.BadMailCode: Row(422),
    processes.MailCodeRequired: Row(422),
    processes.BadCertificateRequest: Row(422),
    processes.KeyTypeNotAllowed: Row(422),
    processes.KeyReused: Row(422),
    processes.WrongConfirmation: Row(422),
    # Option scripts
    processes.ScriptNotAccepted: Row(422),
    processes.ScriptTestsFailed: Row(422),
    processes.ScriptTestsMissing: Row(422),
    processes.ScriptInQuarantine: Row(409),
    processes.FourEyes: Row(403),
    processes.NothingToRollBack: Row(409),
    processes.OptionScriptFailed: Row(422),
    # Our side, or the CA's
    processes.CANotAvailable: Row(503, retry_after=_SOON),
    Unavailable: Row(
        503, "CA_UNAVAILABLE", retry_after=_SOON, detail="The CA does not answer. Try again soon."
    ),
    processes.SandboxNotAvailable: Row(503, retry_after=_SOON),
    DatabaseUnavailable: Row(
        503,
        "DATABASE_UNAVAILABLE",
        retry_after=_SOON,
        detail="The database does not answer. Try again soon.",
    ),
}


def meaning_of(error: Exception) -> Meaning | None:
    """Return what an error means to a caller, by its class or the nearest above it; else nothing.

    What is wrong on our side goes to the log as well, in the error's own words.
    """
    row = next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), None)
    if row is None:
        return None
    code = row.code or str(getattr(error, "code", ""))
    if row.retry_after is not None:
        _log.error("unavailable", code=code, error=str(error))
    return Meaning(
        status=row.status,
        code=code,
        detail=row.detail or str(error),
        headers=_headers(error, row),
        members=_members(error),
    )


def _headers(error: Exception, row: Row) -> Mapping[str, str]:
    match error:
        case auth.Unauthenticated(presented=False):
            return {"WWW-Authenticate": 'Bearer realm="mobid"'}
        case auth.Unauthenticated():
            return {"WWW-Authenticate": 'Bearer realm="mobid", error="invalid_token"'}
        case auth.Forbidden(scope=scope):
            challenge = f'Bearer realm="mobid", error="insufficient_scope", scope="{scope}"'
            return {"WWW-Authenticate": challenge}
        case processes.ReauthenticationRequired(minutes=minutes):
            # RFC 9470, 3: the front end is to sign its user in again.
            challenge = 'Bearer realm="mobid", error="insufficient_user_authentication"'
            return {"WWW-Authenticate": f'{challenge}, max_age="{minutes * 60}"'}
        case processes.TooMany(retry_after=seconds):
            return {"Retry-After": str(seconds)}
    return {} if row.retry_after is None else {"Retry-After": str(row.retry_after)}


def _members(error: Exception) -> Mapping[str, object]:
    match error:
        case api.InvalidBody(errors=errors):
            return {"errors": errors}
        case processes.InvalidInput(field=name):
            return {"errors": {name: [str(error)]}}
        case processes.MailCodeRequired() | processes.BadMailCode():
            return _of_mail_code(error)
        case (
            processes.OptionScriptFailed(reference=str() as reference)
            | processes.SandboxNotAvailable(reference=str() as reference)
        ):
            return {"reference": reference}
        case processes.ScriptNotAccepted() | processes.ScriptTestsFailed():
            return _of_script(error)
    return {}


def _of_script(
    error: processes.ScriptNotAccepted | processes.ScriptTestsFailed,
) -> Mapping[str, object]:
    if isinstance(error, processes.ScriptTestsFailed):
        tests = [{"name": one.name, "problems": list(one.problems)} for one in error.results]
        return {"tests": tests}
    return {
        "outcome": error.evaluation.outcome.value,
        "diagnostics": [
            {
                "code": fault.code,
                "line": fault.line,
                "column": fault.column,
                "message": fault.message,
            }
            for fault in error.evaluation.diagnostics
        ],
    }


def _of_mail_code(
    error: processes.MailCodeRequired | processes.BadMailCode,
) -> Mapping[str, object]:
    if isinstance(error, processes.MailCodeRequired):
        return {"mail_code": "required"}
    return {"tries_left": error.tries_left}
