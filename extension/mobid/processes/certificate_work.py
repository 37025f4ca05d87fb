"""The effects on a certificate: call the CA until its own word agrees with ours.

The order of things is what makes a crash harmless. T2 commits that the order is about to leave;
then the CA is called outside any transaction; T3 stores what came back, verified. After a crash or
a lost answer the CA is asked with `find` before anything is sent again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from cryptography import x509

from mobid.crashpoints import CrashPoint, crashpoint
from mobid.domain.actors import SYSTEM, Actor, ActorKind
from mobid.domain.certificates import GONE, CAState, Certificate, RevocationReason, Wanted
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.processes.authority import (
    AuthorityError,
    Holds,
    Issued,
    Order,
    Pending,
    Reason,
    Rejected,
    Status,
    Unavailable,
)
from mobid.processes.ending import fail_get
from mobid.processes.locking import lock_profile
from mobid.processes.orders import duplicate_of, is_stored, order_of, serial_of
from mobid.processes.verification import WrongCertificate, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.authority import Authority
    from mobid.processes.ports import AuthorityDirectory, UnitOfWork, Units
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

ASK_AGAIN: Final = 30.0
"""After how many seconds a CA is asked again that has not yet done what it accepted."""
LONGEST_CALL: Final = timedelta(seconds=60)
"""After this time no other thread can still be placing an order; see `Times.attempt_lost`."""

_log: Final = structlog.get_logger(__name__)


class NotYet(Exception):
    """The CA has not said what we wait for; ask again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float = ASK_AGAIN) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class CertificateWork:
    """Does the work that a certificate row wants. Every call is safe to repeat."""

    def __init__(
        self,
        units: Units,
        authorities: AuthorityDirectory,
        settlement: Settlement,
        *,
        longest_call: timedelta = LONGEST_CALL,
    ) -> None:
        self._units = units
        self._authorities = authorities
        self._settlement = settlement
        self._longest_call = longest_call

    def __call__(self, certificate_id: str) -> None:
        """Do the next thing for one certificate; raise what the CA raises, to be tried again."""
        certificate = self._read(certificate_id)
        if certificate.settled:
            return
        if certificate.der is None:
            self._order(certificate, self._authority(certificate))
        else:
            self._tell(certificate)
        self._must_agree(certificate_id)

    def _must_agree(self, certificate_id: str) -> None:
        """Leave the rest to a later attempt, if the CA has not yet said what we want to hear."""
        one = self._read(certificate_id)
        if not one.settled:
            raise NotYet(f"The CA {one.ca} says {one.ca_state}; wanted is {one.wanted}.")

    def ask(self, certificate_id: str) -> None:
        """Ask the CA for its own word on a certificate, and draw the consequences."""
        certificate = self._read(certificate_id)
        if certificate.der is not None:
            self._store_word(certificate, self._word(certificate))

    def _order(self, certificate: Certificate, authority: Authority) -> None:
        order = order_of(certificate)
        was_sent = certificate.sent_at is not None
        answers: Sequence[Issued | Pending] = authority.find(order) if was_sent else ()
        if not answers:
            self._must_be_sure(certificate, authority)
            if certificate.wanted is Wanted.REVOKED:
                self._give_up_order(certificate)
                return
        try:
            if not answers:
                self._intend(certificate)
                crashpoint(CrashPoint.ISSUE_INTENT)
                answers = (authority.issue(order),)
            crashpoint(CrashPoint.ISSUE_CALLED)
        except Rejected as rejection:
            self._rejected(certificate.id, rejection)
            return
        issued = {one.certificate: one for one in answers if isinstance(one, Issued)}
        if not issued:
            waits = [one.poll_after for one in answers if isinstance(one, Pending)]
            raise NotYet(f"The CA {certificate.ca} has not decided on the order yet.", min(waits))
        self._store(certificate.id, order, list(issued.values()), authority)

    def _must_be_sure(self, certificate: Certificate, authority: Authority) -> None:
        """Raise `NotYet` while an order that the CA was asked for in vain may still turn up there."""
        if certificate.sent_at is None:
            return
        wait = timedelta(seconds=authority.capabilities().settle_seconds)
        if certificate.wanted is Wanted.REVOKED:
            # Who placed it may still be at it, and die before its answer is stored.
            wait += self._longest_call
        left = (certificate.sent_at + wait - self._now()).total_seconds()
        if left > 0:
            raise NotYet("An order without an answer may still be issued.", left)

    def _intend(self, seen: Certificate) -> None:
        """T2: from here on the outcome may be unknown."""

        def intend(unit: UnitOfWork, one: Certificate) -> None:
            if (one.wanted, one.sent_at, one.der) != (seen.wanted, seen.sent_at, None):
                raise NotYet("Somebody else has dealt with this order meanwhile.")
            unit.save(one.sent(unit.now))

        self._change(seen.id, intend)

    def _give_up_order(self, seen: Certificate) -> None:
        """Nothing is wanted any more, and the CA knows of no certificate: it is absent."""

        def absent(unit: UnitOfWork, one: Certificate) -> None:
            if one.der is None and one.sent_at == seen.sent_at:
                unit.save(one.heard(CAState.ABSENT, at=unit.now))
                self._settlement.settle(unit, one.mobile_id)

        self._change(seen.id, absent)

    def _rejected(self, certificate_id: str, rejection: Rejected) -> None:
        """The CA refuses for good: the Get fails, all or nothing."""

        def refuse(unit: UnitOfWork, one: Certificate) -> None:
            if one.der is None:
                unit.save(one.heard(CAState.ABSENT, at=unit.now))
                self._fail_run(unit, one.mobile_id)

        _log.warning("order_rejected", certificate=certificate_id, reason=str(rejection))
        self._change(certificate_id, refuse)

    def _fail_run(self, unit: UnitOfWork, mobile_id: str) -> None:
        profile = unit.mobile_ids.get(mobile_id)
        instance = unit.instances.running_get(profile.user_id)
        if instance is not None and instance.mobile_id == mobile_id:
            unit.save(fail_get(unit, instance, "CA_REJECTED", by=SYSTEM))

    def _store(
        self,
        certificate_id: str,
        order: Order,
        issued: Sequence[Issued],
        authority: Authority,
    ) -> None:
        """T3: verify everything that came back, and store it; then let the run go on (T4)."""
        trusted = [x509.load_der_x509_certificate(der) for der in authority.capabilities().issuers]

        def store(unit: UnitOfWork, one: Certificate) -> None:
            new = [answer for answer in issued if not is_stored(unit, one, answer)]
            if not new:
                return
            if one.der is None:
                self._take(unit, one, order, new.pop(0), trusted)
            for extra in new:
                duplicate = duplicate_of(one, extra, at=unit.now)
                _log.error("duplicate_certificate", certificate=one.id, duplicate=duplicate.id)
                unit.add(duplicate)
                unit.audit(SYSTEM, "certificate.duplicate", "certificate", duplicate.id)
            unit.save(unit.mobile_ids.get(one.mobile_id).touch(at=unit.now))
            unit.passes(CrashPoint.ISSUE_STORED)

        stored = self._change(certificate_id, store)
        self.settle(stored.mobile_id)

    def _take(
        self,
        unit: UnitOfWork,
        one: Certificate,
        order: Order,
        answer: Issued,
        trusted: Sequence[x509.Certificate],
    ) -> None:
        """Store the certificate of an order, if it is what was ordered; else nobody gets it."""
        try:
            verified = verify(
                order,
                answer,
                issuers=trusted,
                now=unit.now,
                serial_is_new=lambda found: (
                    not unit.certificates.serial_known(one.ca, serial_of(found))
                ),
            )
        except WrongCertificate as wrong:
            _log.error("wrong_certificate", certificate=one.id, findings=str(wrong))
            unit.save(one.quarantine(der=answer.certificate, serial=None, at=unit.now))
            unit.audit(SYSTEM, "certificate.quarantined", "certificate", one.id, kind=one.kind)
            self._fail_run(unit, one.mobile_id)
            return
        unit.save(
            one.issued(
                der=verified.der,
                chain=verified.chain,
                serial=format(verified.serial, "x"),
                at=unit.now,
            )
        )
        unit.audit(SYSTEM, "certificate.stored", "certificate", one.id, kind=one.kind)

    def settle(self, mobile_id: str) -> None:
        """T4, or what else the certificates of a profile allow."""
        user_id = self._owner_of(mobile_id)
        with self._units() as unit:
            unit.users.lock(user_id)
            if self._settlement.settle(unit, mobile_id):
                unit.commit()

    def _tell(self, certificate: Certificate) -> None:
        """Tell the CA what we want, then believe only its own word.

        Meanwhile we may want something else, and somebody else may have told and asked the CA. What
        was told here can have come to it after that, so its word is heard in any case.
        """
        word = self._word(certificate)
        told = word not in GONE and word.value != certificate.wanted.value
        if told:
            self._demand(certificate, self._authority(certificate), word)
            word = self._word(certificate)
        while not self._store_word(certificate, word) and told:
            certificate = self._read(certificate.id)
            word = self._word(certificate)

    def _authority(self, certificate: Certificate) -> Authority:
        """Return the CA of a certificate; one that is not in the settings any more is away."""
        try:
            return self._authorities[certificate.ca]
        except KeyError:
            raise Unavailable(
                f'The CA "{certificate.ca}" is not in the settings; put it back, or declare it gone '
                f"with: mobid ca declare-gone {certificate.ca}"
            ) from None

    def _word(self, certificate: Certificate) -> CAState:
        """Return the CA's own word on a certificate, unless its end is reached: that is the clock's.

        A certificate past its end is of no use to anybody, whatever its CA says, and whether it
        says anything. A quarantined one that the CA does not know is absent: those bytes came from
        we do not know where, nobody was given them, and there is nothing that this CA could revoke.
        A certificate that we have verified stays `unknown`: its CA has lost it, and a person must
        look at that.
        """
        try:
            word = HEARD[self._authority(certificate).status(certificate.der or b"")]
        except AuthorityError:
            if not _is_past_end(certificate, self._now()):
                raise
            return CAState.EXPIRED
        if word is not CAState.REVOKED and _is_past_end(certificate, self._now()):
            return CAState.EXPIRED
        return CAState.ABSENT if certificate.quarantined and word is CAState.UNKNOWN else word

    def _demand(self, certificate: Certificate, authority: Authority, word: CAState) -> None:
        """Call the CA. What it rejects may be done already, or not be its own: its word will tell."""
        try:
            if certificate.wanted is Wanted.REVOKED:
                self._revoke(authority, certificate, certificate.revoked_at or self._now())
                crashpoint(CrashPoint.REVOKE_CALLED)
            elif isinstance(authority, Holds) and certificate.wanted is Wanted.HELD:
                authority.hold(certificate.der or b"", self._now())
            elif isinstance(authority, Holds) and word is CAState.HELD:
                authority.release(certificate.der or b"", self._now())
        except Rejected as rejection:
            _log.warning("demand_rejected", certificate=certificate.id, reason=str(rejection))

    @staticmethod
    def _revoke(authority: Authority, certificate: Certificate, at: datetime) -> None:
        """Revoke with our reason, or without one where the CA knows no reasons: said in the log."""
        reason = SENT_REASON[certificate.reason]
        if reason not in authority.capabilities().reasons:
            _log.info("revocation_reason_not_sent", certificate=certificate.id, reason=reason.name)
            reason = Reason.UNSPECIFIED
        authority.revoke(certificate.der or b"", reason, at)

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
                self._revoked_by_ca(unit, unit.mobile_ids.get(one.mobile_id), one)
            self._settlement.settle(unit, one.mobile_id)
            if word is CAState.REVOKED:
                unit.passes(CrashPoint.REVOKE_STORED)

        self._change(seen.id, store)
        return stored

    def _revoked_by_ca(self, unit: UnitOfWork, profile: MobileID, one: Certificate) -> None:
        """The CA revoked without us: what depends on it ends."""
        by = Actor(ActorKind.CA, one.ca)
        unit.audit(by, "certificate.revoked_by_ca", "certificate", one.id)
        if profile.state is ProfileState.PENDING:
            self._fail_run(unit, profile.id)
        elif profile.live:
            lock_profile(unit, profile, by=by, reason=LockReason.CA_REVOKED)

    def _change(
        self, certificate_id: str, change: Callable[[UnitOfWork, Certificate], None]
    ) -> Certificate:
        """Change a certificate in a unit of work of its own, with its user locked."""
        seen = self._read(certificate_id)
        user_id = self._owner_of(seen.mobile_id)
        with self._units() as unit:
            unit.users.lock(user_id)
            change(unit, unit.certificates.get(certificate_id))
            unit.commit()
        return seen

    def _read(self, certificate_id: str) -> Certificate:
        with self._units.reading() as unit:
            return unit.certificates.get(certificate_id)

    def _owner_of(self, mobile_id: str) -> str:
        with self._units.reading() as unit:
            return unit.mobile_ids.get(mobile_id).user_id

    def _now(self) -> datetime:
        with self._units.reading() as unit:
            return unit.now


def _is_past_end(certificate: Certificate, now: datetime) -> bool:
    """Tell whether the certificate that came back has ended, by its own words, not by our order."""
    try:
        end = x509.load_der_x509_certificate(certificate.der or b"").not_valid_after_utc
    except ValueError:
        return False
    return now >= end
