"""Bringing a CA to what we want of a certificate, and believing only its own word (L2).

The CA is told outside any transaction, then asked; what it says is stored, with what follows from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from cryptography import x509

from mobid.crashpoints import CrashPoint, crashpoint
from mobid.domain.actors import SYSTEM, Actor, ActorKind
from mobid.domain.certificates import GONE, CAState, RevocationReason, Wanted
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.processes.authority import AuthorityError, Holds, Reason, Rejected, Status
from mobid.processes.ending import fail_get_of
from mobid.processes.locking import lock_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mobid.domain.certificates import Certificate
    from mobid.processes.authority import Authority
    from mobid.processes.certificate_rows import CertificateRows
    from mobid.processes.ports import UnitOfWork
    from mobid.processes.settlement import Settlement

SENT_REASON: Final = {
    RevocationReason.UNSPECIFIED: Reason.UNSPECIFIED,
    RevocationReason.KEY_COMPROMISE: Reason.KEY_COMPROMISE,
    RevocationReason.SUPERSEDED: Reason.SUPERSEDED,
    RevocationReason.CESSATION_OF_OPERATION: Reason.CESSATION_OF_OPERATION,
}
HEARD: Final = {
    Status.VALID: CAState.VALID,
    Status.HELD: CAState.HELD,
    Status.REVOKED: CAState.REVOKED,
    Status.EXPIRED: CAState.EXPIRED,
    Status.UNKNOWN: CAState.UNKNOWN,
}

_log: Final = structlog.get_logger(__name__)


class Agreeing:
    """Tells CAs what is wanted of a certificate that they issued, and stores what they say of it."""

    def __init__(
        self,
        rows: CertificateRows,
        settlement: Settlement,
        authority_of: Callable[[Certificate], Authority],
    ) -> None:
        self._rows = rows
        self._settlement = settlement
        self._authority_of = authority_of

    def ask(self, certificate: Certificate) -> None:
        """Ask the CA for its own word, and draw the consequences; raise what the CA raises."""
        self._store_word(certificate, self._word(certificate))

    def tell(self, certificate: Certificate) -> None:
        """Tell the CA what we want, then believe only its own word; raise what the CA raises.

        Meanwhile we may want something else, and somebody else may have told and asked the CA. What
        was told here can have come to it after that, so its word is heard in any case.
        """
        word = self._word(certificate)
        told = word not in GONE and word.value != certificate.wanted.value
        if told:
            self._demand(certificate, word)
            word = self._word(certificate)
        while not self._store_word(certificate, word) and told:
            certificate = self._rows.read(certificate.id)
            word = self._word(certificate)

    def _word(self, certificate: Certificate) -> CAState:
        """Return the CA's own word on a certificate, unless its end is reached: that is the clock's.

        A certificate past its end is of no use to anybody, whatever its CA says, and whether it
        says anything. A quarantined one that the CA does not know is absent: those bytes came from
        we do not know where, nobody was given them, and there is nothing that this CA could revoke.
        A certificate that we have verified stays `unknown`: its CA has lost it, and a person must
        look at that.
        """
        try:
            word = HEARD[self._authority_of(certificate).status(certificate.der or b"")]
        except AuthorityError:
            if not _is_past_end(certificate, self._rows.now()):
                raise
            return CAState.EXPIRED
        if word is not CAState.REVOKED and _is_past_end(certificate, self._rows.now()):
            return CAState.EXPIRED
        return CAState.ABSENT if certificate.quarantined and word is CAState.UNKNOWN else word

    def _demand(self, certificate: Certificate, word: CAState) -> None:
        """Call the CA. What it rejects may be done already, or not be its own: its word will tell."""
        authority = self._authority_of(certificate)
        try:
            if certificate.wanted is Wanted.REVOKED:
                _revoke(authority, certificate, certificate.revoked_at or self._rows.now())
                crashpoint(CrashPoint.REVOKE_CALLED)
            elif isinstance(authority, Holds) and certificate.wanted is Wanted.HELD:
                authority.hold(certificate.der or b"", self._rows.now())
            elif isinstance(authority, Holds) and word is CAState.HELD:
                authority.release(certificate.der or b"", self._rows.now())
        except Rejected as rejection:
            _log.warning("demand_rejected", certificate=certificate.id, reason=str(rejection))

    def _store_word(self, seen: Certificate, word: CAState) -> bool:
        """L2: store the CA's confirmed word, and what follows from it.

        A word that somebody else has stored meanwhile may be the later one: then this one is dropped.
        Say whether it was stored.
        """
        stored = False

        def store(unit: UnitOfWork, one: Certificate) -> None:
            nonlocal stored
            stored = one.asked_at == seen.asked_at
            if not stored:
                return
            behind_our_back = word is CAState.REVOKED and one.wanted is not Wanted.REVOKED
            changed = one.ca_state is not word
            heard = one.heard(word, at=unit.now)
            unit.save(heard)
            if changed:
                unit.save(unit.mobile_ids.get(one.mobile_id).touch(at=unit.now))
                unit.audit(SYSTEM, "certificate.heard", "certificate", one.id, ca_state=word)
            if behind_our_back:
                _revoked_by_ca(unit, one)
            self._settlement.settle(unit, one.mobile_id)
            if word is CAState.REVOKED:
                unit.passes(CrashPoint.REVOKE_STORED)

        self._rows.change(seen.id, store)
        return stored


def _revoke(authority: Authority, certificate: Certificate, at: datetime) -> None:
    """Revoke with our reason, or without one where the CA knows no reasons: said in the log."""
    reason = SENT_REASON[certificate.reason]
    if reason not in authority.capabilities().reasons:
        _log.info("revocation_reason_not_sent", certificate=certificate.id, reason=reason.name)
        reason = Reason.UNSPECIFIED
    authority.revoke(certificate.der or b"", reason, at)


def _revoked_by_ca(unit: UnitOfWork, one: Certificate) -> None:
    """The CA revoked without us: what depends on it ends."""
    profile = unit.mobile_ids.get(one.mobile_id)
    by = Actor(ActorKind.CA, one.ca)
    unit.audit(by, "certificate.revoked_by_ca", "certificate", one.id)
    if profile.state is ProfileState.PENDING:
        fail_get_of(unit, profile.id, "CA_REJECTED", by=SYSTEM)
    elif profile.live:
        lock_profile(unit, profile, by=by, reason=LockReason.CA_REVOKED)


def _is_past_end(certificate: Certificate, now: datetime) -> bool:
    """Tell whether the certificate that came back has ended, by its own words, not by our order."""
    try:
        end = x509.load_der_x509_certificate(certificate.der or b"").not_valid_after_utc
    except ValueError:
        return False
    return now >= end
