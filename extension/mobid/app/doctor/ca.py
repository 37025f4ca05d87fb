"""Checks of the CA: whether it answers now, when it last did, and when its own certificate ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mobid.app.doctor.finding import failed, ok, warning
from mobid.processes.authority import AuthorityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from mobid.app.doctor.finding import Finding
    from mobid.processes.authority import Authority, Capabilities

ASKED_EVERY: Final = timedelta(minutes=10)
"""A worker asks each minute; after this, there is none, or the CA does not answer it."""
ENDS_SOON: Final = timedelta(days=180)


def ca(name: str, authority: Authority, now: datetime) -> Iterator[Finding]:
    """Ask the CA what it can do."""
    try:
        known = authority.capabilities()
    except AuthorityError as error:
        seen = f"{name} does not answer: {error}"
        yield failed(
            "CA", seen, "See that it runs and can be reached; nothing is issued meanwhile."
        )
        return
    kinds = ", ".join(sorted(known.kinds))
    yield ok("CA", f"{name} answers; it issues {kinds}")
    yield from ca_certificate(known, now)


def ca_certificate(known: Capabilities, now: datetime) -> Iterable[Finding]:
    """See how long the CA can still issue."""
    seen = f"ends on {known.not_after:%Y-%m-%d}"
    if known.not_after <= now:
        return [failed("CA certificate", f"{seen}: it has ended", "Set up a new CA.")]
    if known.not_after - now < ENDS_SOON:
        remedy = "Plan the new CA now: no certificate outlives it."
        return [warning("CA certificate", seen, remedy)]
    return [ok("CA certificate", seen)]


def ca_asked(answered_at: datetime | None, now: datetime) -> Iterable[Finding]:
    """See when the CA last answered a worker; Get goes by that answer."""
    if answered_at is None:
        remedy = "Run mobid serve or mobid worker while the CA can be reached."
        return [failed("CA answers", "never: no Get can start", remedy)]
    ago = max(now - answered_at, timedelta(0))
    seen = f"last {answered_at:%Y-%m-%d %H:%M} UTC"
    if ago > ASKED_EVERY:
        return [warning("CA answers", seen, "See that a server or a worker runs.")]
    return [ok("CA answers", seen)]
