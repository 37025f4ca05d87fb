"""The table of errors: every error that callers can meet is in it, with a status that fits."""

from __future__ import annotations

import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from mobid.api import errors as api
from mobid.api.device import errors as device
from mobid.app.errors import TABLE, meaning_of
from mobid.app.scim import scim_error_of
from mobid.auth import errors as auth
from mobid.domain import errors as domain
from mobid.processes import errors as processes
from mobid.storage import DatabaseUnavailable

if TYPE_CHECKING:
    from types import ModuleType

INSIDE = {
    # Only ever seen by who wrote the option script; the processes say OPTION_SCRIPT_ERROR.
    domain.InvalidValidity,
    # What the command line shows to who typed it.
    auth.BadToken,
    auth.BadFrontEnd,
    auth.UnknownName,
}


def leaves(module: ModuleType) -> list[type[Exception]]:
    """Return the errors of a module that are raised: those that nothing is derived from."""
    found = [kind for _, kind in inspect.getmembers(module, inspect.isclass)]
    return [
        kind
        for kind in found
        if issubclass(kind, Exception)
        and kind.__module__ == module.__name__
        and not any(kind in other.__mro__[1:] for other in found)
    ]


@pytest.mark.parametrize("module", [api, auth, device, domain, processes], ids=lambda m: m.__name__)
def test_every_error_is_in_the_table(module: ModuleType) -> None:
    """By its own class or one above it, or it is written down why not."""
    missing = {kind for kind in leaves(module) if not any(above in TABLE for above in kind.__mro__)}
    assert missing == INSIDE & set(leaves(module))


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_every_line_has_a_code_and_a_status_of_errors(kind: type[Any]) -> None:
    """A code of its own, or that of the class."""
    row = TABLE[kind]
    assert row.code or kind.code.isupper()
    assert 400 <= row.status < 600
    assert (row.retry_after is not None) == (row.status == 503)


def test_codes_of_the_design_are_answered_with_its_statuses() -> None:
    """What other people's programs count on."""
    found = {row.code or getattr(kind, "code", ""): row.status for kind, row in TABLE.items()}
    assert (
        found.items()
        >= {
            "USER_NOT_ACTIVE": 409,
            "REAUTH_REQUIRED": 401,
            "MOBILE_ID_SUSPENDED": 409,
            "MOBILE_ID_NOT_ACTIVE": 409,
            "CA_UNAVAILABLE": 503,
            "OPTION_SCRIPT_ERROR": 422,
            "REFUSED": 403,
            "STALE_STEP": 409,
            "CODE_NOT_USABLE": 410,
        }.items()
    )


def test_too_often_says_when_to_come_back() -> None:
    """In whole seconds, never too early, in HTTP and in words; and in SCIM alike."""
    error = processes.TooMany(timedelta(seconds=11, microseconds=1))
    meaning, scim = meaning_of(error), scim_error_of(error)
    assert meaning is not None
    assert scim is not None
    assert (meaning.status, meaning.code, scim.status) == (429, "TOO_MANY", 429)
    assert meaning.headers == scim.headers() == {"Retry-After": "12"}
    assert meaning.detail == scim.detail == "This was done too often. Try again in 12 seconds."
    assert "in 1 second." in str(processes.TooMany(timedelta(0)))


def test_what_is_not_in_the_table_means_nothing() -> None:
    """Whoever renders it says 500 and no more."""
    assert meaning_of(RuntimeError("the secret is 1234")) is None


def test_a_class_below_one_of_the_table_means_the_same() -> None:
    """Its own message is kept."""

    class LockedElsewhere(processes.MobileIDSuspended):
        """A nearer word for it."""

    meaning = meaning_of(LockedElsewhere())
    assert meaning is not None
    assert (meaning.status, meaning.code) == (409, "MOBILE_ID_SUSPENDED")


def test_what_is_kept_from_callers_is_in_the_log() -> None:
    """Callers of a full disk are told to come back; the operator is told that it is full."""
    with capture_logs() as logs:
        meaning = meaning_of(DatabaseUnavailable("SQLITE_FULL"))
    assert meaning is not None
    assert "SQLITE_FULL" not in meaning.detail
    (entry,) = logs
    assert (entry["event"], entry["log_level"]) == ("unavailable", "error")
    assert entry["code"] == "DATABASE_UNAVAILABLE"
    assert "SQLITE_FULL" in entry["error"]


def test_what_callers_did_wrong_is_not_in_the_log() -> None:
    """They are told, and nobody else needs to act."""
    with capture_logs() as logs:
        assert meaning_of(processes.NotFound("user", "u-1")) is not None
    assert logs == []


def test_whoever_meets_a_script_that_does_not_run_has_a_reference() -> None:
    """Failed, stopped, in quarantine, or without a sandbox: the service desk finds it under one word."""
    for error, status in (
        (processes.OptionScriptFailed("AB2C-DE"), 422),
        (processes.OptionScriptStopped("AB2C-DE"), 422),
        (processes.ScriptQuarantined("AB2C-DE"), 422),
        (processes.SandboxNotAvailable("AB2C-DE"), 503),
    ):
        meaning = meaning_of(error)
        assert meaning is not None
        assert (meaning.status, meaning.members) == (status, {"reference": "AB2C-DE"})
        assert meaning.detail.endswith("tell your service desk the reference AB2C-DE.") or (
            "Tell your service desk the reference AB2C-DE." in meaning.detail
        )
    nobodys = meaning_of(processes.SandboxNotAvailable())
    assert nobodys is not None
    assert nobodys.members == {}
