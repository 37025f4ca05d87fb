"""Ordering a certificate, from the intent to the verified answer (T2, T3, T4).

T2 commits that the order is about to leave; then the CA is called outside any transaction; T3 stores
what came back, verified. After a crash or a lost answer the CA is asked with `find` before anything
is sent again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from cryptography import x509

from mobid.crashpoints import CrashPoint, crashpoint
from mobid.domain.actors import SYSTEM
from mobid.domain.certificates import CAState, Wanted
from mobid.processes.authority import Issued, Pending, Rejected
from mobid.processes.ending import fail_get_of
from mobid.processes.not_yet import NotYet
from mobid.processes.orders import duplicate_of, is_stored, order_of, serial_text
from mobid.processes.owner_lock import owner_locked
from mobid.processes.verification import WrongCertificate, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.domain.certificates import Certificate
    from mobid.processes.authority import Authority, Order
    from mobid.processes.certificate_rows import CertificateRows
    from mobid.processes.ports import UnitOfWork, Units
    from mobid.processes.settlement import Settlement

_log: Final = structlog.get_logger(__name__)


class Issuing:
    """Brings a certificate row that has no certificate yet to one, or to none for good."""

    def __init__(
        self,
        units: Units,
        rows: CertificateRows,
        settlement: Settlement,
        *,
        longest_call: timedelta,
    ) -> None:
        self._units = units
        self._rows = rows
        self._settlement = settlement
        self._longest_call = longest_call

    def order(self, certificate: Certificate, authority: Authority) -> None:
        """Find or place the order of a row, and store what the CA answers.

        Raise `NotYet` while the CA has not decided, and what the CA raises, to be tried again.
        """
        order = order_of(certificate)
        was_sent = certificate.sent_at is not None
        answers: Sequence[Issued | Pending] = authority.find(order) if was_sent else ()
        if not answers:
            self._must_be_sure(certificate, authority)
            if certificate.wanted is Wanted.REVOKED:
                self._give_up(certificate)
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
        self._store(certificate, order, list(issued.values()), authority)

    def _must_be_sure(self, certificate: Certificate, authority: Authority) -> None:
        """Raise `NotYet` while an order that the CA was asked for in vain may still turn up there."""
        if certificate.sent_at is None:
            return
        wait = timedelta(seconds=authority.capabilities().settle_seconds)
        if certificate.wanted is Wanted.REVOKED:
            # Who placed it may still be at it, and die before its answer is stored.
            wait += self._longest_call
        left = (certificate.sent_at + wait - self._rows.now()).total_seconds()
        if left > 0:
            raise NotYet("An order without an answer may still be issued.", left)

    def _intend(self, seen: Certificate) -> None:
        """T2: from here on the outcome may be unknown."""

        def intend(unit: UnitOfWork, one: Certificate) -> None:
            if (one.wanted, one.sent_at, one.der) != (seen.wanted, seen.sent_at, None):
                raise NotYet("Somebody else has dealt with this order meanwhile.")
            unit.save(one.sent(unit.now))

        self._rows.change(seen.id, intend)

    def _give_up(self, seen: Certificate) -> None:
        """Nothing is wanted any more, and the CA knows of no certificate: it is absent."""

        def absent(unit: UnitOfWork, one: Certificate) -> None:
            if one.der is None and one.sent_at == seen.sent_at:
                unit.save(one.heard(CAState.ABSENT, at=unit.now))
                self._settlement.settle(unit, one.mobile_id)

        self._rows.change(seen.id, absent)

    def _rejected(self, certificate_id: str, rejection: Rejected) -> None:
        """The CA refuses for good: the Get fails, all or nothing."""

        def refuse(unit: UnitOfWork, one: Certificate) -> None:
            if one.der is None:
                unit.save(one.heard(CAState.ABSENT, at=unit.now))
                fail_get_of(unit, one.mobile_id, "CA_REJECTED", by=SYSTEM)

        _log.warning("order_rejected", certificate=certificate_id, reason=str(rejection))
        self._rows.change(certificate_id, refuse)

    def _store(
        self,
        seen: Certificate,
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
                _take(unit, one, order, new.pop(0), trusted)
            for extra in new:
                _quarantine_duplicate(unit, one, extra)
            unit.save(unit.mobile_ids.get(one.mobile_id).touch(at=unit.now))
            unit.passes(CrashPoint.ISSUE_STORED)

        self._rows.change(seen.id, store)
        self._settle(seen.mobile_id)

    def _settle(self, mobile_id: str) -> None:
        """T4, or what else the certificates of a profile allow."""
        with owner_locked(self._units, mobile_id) as unit:
            if self._settlement.settle(unit, mobile_id):
                unit.commit()


def _take(
    unit: UnitOfWork,
    one: Certificate,
    order: Order,
    answer: Issued,
    trusted: Sequence[x509.Certificate],
) -> None:
    """Store the certificate of an order, if it is what was ordered; else nobody gets it."""

    def serial_is_new(found: x509.Certificate) -> bool:
        return not unit.certificates.serial_known(one.ca, serial_text(found.serial_number))

    try:
        verified = verify(order, answer, issuers=trusted, now=unit.now, serial_is_new=serial_is_new)
    except WrongCertificate as wrong:
        _log.error("wrong_certificate", certificate=one.id, findings=str(wrong))
        unit.save(one.quarantine(der=answer.certificate, serial=None, at=unit.now))
        unit.audit(SYSTEM, "certificate.quarantined", "certificate", one.id, kind=one.kind)
        fail_get_of(unit, one.mobile_id, "CA_REJECTED", by=SYSTEM)
        return
    unit.save(
        one.issued(
            der=verified.der,
            chain=verified.chain,
            serial=serial_text(verified.serial),
            at=unit.now,
        )
    )
    unit.audit(SYSTEM, "certificate.stored", "certificate", one.id, kind=one.kind)


def _quarantine_duplicate(unit: UnitOfWork, one: Certificate, extra: Issued) -> None:
    duplicate = duplicate_of(one, extra, at=unit.now)
    _log.error("duplicate_certificate", certificate=one.id, duplicate=duplicate.id)
    unit.add(duplicate)
    unit.audit(SYSTEM, "certificate.duplicate", "certificate", duplicate.id)
