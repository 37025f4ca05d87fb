"""The effects on a certificate: call the CA until its own word agrees with ours.

The order of things is what makes a crash harmless. T2 commits that the order is about to leave;
then the CA is called outside any transaction; T3 stores what came back, verified. After a crash or
a lost answer the CA is asked with `find` before anything is sent again.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from cryptography import x509

from mobid.crashpoints import CrashPoint, crashpoint
from mobid.domain.actors import SYSTEM, Actor, ActorKind
from mobid.domain.certificates import CAState, Certificate, RevocationReason, Wanted
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.domain.work import Work
from mobid.processes.authority import Holds, Issued, Order, Pending, Reason, Rejected, Status
from mobid.processes.ending import fail_get
from mobid.processes.locking import lock_profile
from mobid.processes.naming import san_of_text
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

_log: Final = structlog.get_logger(__name__)


class NotYet(Exception):
    """The CA has not said what we wait for; ask again, after `retry_after` seconds if they are given."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class CertificateWork:
    """Does the work that a certificate row wants. Every call is safe to repeat."""

    def __init__(
        self, units: Units, authorities: AuthorityDirectory, settlement: Settlement
    ) -> None:
        self._units = units
        self._authorities = authorities
        self._settlement = settlement

    def __call__(self, certificate_id: str) -> None:
        """Do the next thing for one certificate; raise what the CA raises, to be tried again."""
        with self._units.reading() as unit:
            certificate = unit.certificates.get(certificate_id)
        if certificate.settled:
            return
        authority = self._authorities[certificate.ca]
        if certificate.der is None:
            self._order(certificate, authority)
        else:
            self._tell(certificate, authority)
        self._must_agree(certificate_id)

    def _must_agree(self, certificate_id: str) -> None:
        """Leave the rest to a later attempt, if the CA has not yet said what we want to hear."""
        with self._units.reading() as unit:
            one = unit.certificates.get(certificate_id)
        if not one.settled:
            raise NotYet(f"The CA {one.ca} says {one.ca_state}; wanted is {one.wanted}.")

    def ask(self, certificate_id: str) -> None:
        """Ask the CA for its own word on a certificate, and draw the consequences."""
        with self._units.reading() as unit:
            certificate = unit.certificates.get(certificate_id)
        if certificate.der is not None:
            status = self._authorities[certificate.ca].status(certificate.der)
            self._store_word(certificate.id, HEARD[status])

    def _order(self, certificate: Certificate, authority: Authority) -> None:
        order = order_of(certificate)
        was_sent = certificate.sent_at is not None
        answers: Sequence[Issued | Pending] = authority.find(order) if was_sent else ()
        if not answers and certificate.wanted is Wanted.REVOKED:
            self._give_up_order(certificate, authority)
            return
        try:
            if not answers:
                self._intend(certificate.id)
                crashpoint(CrashPoint.ISSUE_INTENT)
                answers = (authority.issue(order),)
            crashpoint(CrashPoint.ISSUE_CALLED)
        except Rejected as rejection:
            self._rejected(certificate.id, rejection)
            return
        issued = [answer for answer in answers if isinstance(answer, Issued)]
        if not issued:
            pending = answers[0]
            wait = pending.poll_after if isinstance(pending, Pending) else None
            raise NotYet(f"The CA {certificate.ca} has not decided on the order yet.", wait)
        self._store(certificate.id, order, issued, authority)

    def _intend(self, certificate_id: str) -> None:
        """T2: from here on the outcome may be unknown."""
        self._change(certificate_id, lambda unit, one: unit.save(one.sent(unit.now)))

    def _give_up_order(self, certificate: Certificate, authority: Authority) -> None:
        """Nothing is wanted any more, and the CA knows of no certificate: once it is sure, it is absent."""
        settle = timedelta(seconds=authority.capabilities().settle_seconds)

        def absent(unit: UnitOfWork, one: Certificate) -> None:
            if one.sent_at is not None and unit.now < one.sent_at + settle:
                raise NotYet(
                    "An order without an answer may still be issued.", settle.total_seconds()
                )
            unit.save(one.heard(CAState.ABSENT, at=unit.now))
            self._settlement.settle(unit, one.mobile_id)

        self._change(certificate.id, absent)

    def _rejected(self, certificate_id: str, rejection: Rejected) -> None:
        """The CA refuses for good: the Get fails, all or nothing."""

        def refuse(unit: UnitOfWork, one: Certificate) -> None:
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
            first, *duplicates = issued
            try:
                verified = verify(
                    order,
                    first,
                    issuers=trusted,
                    now=unit.now,
                    serial_is_new=lambda found: (
                        not unit.certificates.serial_known(one.ca, serial_of(found))
                    ),
                )
            except WrongCertificate as wrong:
                _log.error("wrong_certificate", certificate=one.id, findings=str(wrong))
                unit.save(one.quarantine(der=first.certificate, serial=None, at=unit.now))
                self._fail_run(unit, one.mobile_id)
            else:
                serial = format(verified.serial, "x")
                unit.save(
                    one.issued(der=verified.der, chain=verified.chain, serial=serial, at=unit.now)
                )
            for extra in duplicates:
                unit.add(duplicate_of(one, extra, at=unit.now))
            unit.save(unit.mobile_ids.get(one.mobile_id).touch(at=unit.now))
            unit.audit(SYSTEM, "certificate.stored", "certificate", one.id, kind=one.kind)
            unit.passes(CrashPoint.ISSUE_STORED)

        stored = self._change(certificate_id, store)
        self.settle(stored.mobile_id)

    def settle(self, mobile_id: str) -> None:
        """T4, or what else the certificates of a profile allow."""
        with self._units.reading() as unit:
            user_id = unit.mobile_ids.get(mobile_id).user_id
        with self._units() as unit:
            unit.users.lock(user_id)
            if self._settlement.settle(unit, mobile_id):
                unit.commit()

    def _tell(self, certificate: Certificate, authority: Authority) -> None:
        """Tell the CA what we want, then believe only its own word."""
        der = certificate.der or b""
        status = HEARD[authority.status(der)]
        if status is CAState.REVOKED or status is CAState.EXPIRED:
            self._store_word(certificate.id, status)
            return
        if certificate.wanted is Wanted.REVOKED:
            at = certificate.revoked_at or certificate.ordered_at
            self._revoke(authority, certificate, at)
            crashpoint(CrashPoint.REVOKE_CALLED)
        elif isinstance(authority, Holds) and certificate.wanted is Wanted.HELD:
            authority.hold(der, self._now())
        elif isinstance(authority, Holds) and status is CAState.HELD:
            authority.release(der, self._now())
        self._store_word(certificate.id, HEARD[authority.status(der)])

    @staticmethod
    def _revoke(authority: Authority, certificate: Certificate, at: datetime) -> None:
        """Revoke with our reason, or without one where the CA knows no reasons: said in the log."""
        reason = SENT_REASON[certificate.reason]
        if reason not in authority.capabilities().reasons:
            _log.info("revocation_reason_not_sent", certificate=certificate.id, reason=reason.name)
            reason = Reason.UNSPECIFIED
        authority.revoke(certificate.der or b"", reason, at)

    def _store_word(self, certificate_id: str, word: CAState) -> None:
        """L2: store the CA's confirmed word, and what follows from it."""

        def store(unit: UnitOfWork, one: Certificate) -> None:
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

        self._change(certificate_id, store)

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
        with self._units.reading() as unit:
            seen = unit.certificates.get(certificate_id)
            user_id = unit.mobile_ids.get(seen.mobile_id).user_id
        with self._units() as unit:
            unit.users.lock(user_id)
            change(unit, unit.certificates.get(certificate_id))
            unit.commit()
        return seen

    def _now(self) -> datetime:
        with self._units.reading() as unit:
            return unit.now


def order_of(certificate: Certificate) -> Order:
    """Return the order that a certificate row stands for; the same row gives the same order."""
    return Order(
        key=certificate.id,
        csr=certificate.csr,
        kind=certificate.kind,
        subject=x509.Name.from_bytes(certificate.subject),
        san=san_of_text(certificate.san),
        not_before=certificate.not_before,
        not_after=certificate.not_after,
    )


def serial_of(certificate: x509.Certificate) -> str:
    """Return a serial number as we store and show it: lower-case hexadecimal."""
    return format(certificate.serial_number, "x")


def duplicate_of(certificate: Certificate, extra: Issued, *, at: datetime) -> Certificate:
    """Return a row for one more certificate that the CA made for an order: it is revoked, never forgotten."""
    row = replace(
        certificate,
        id=str(uuid.uuid4()),
        key_hash=hashlib.sha256(extra.certificate).digest(),
        quarantined=True,
        work=Work(),
    )
    return row.quarantine(der=extra.certificate, serial=None, at=at)
