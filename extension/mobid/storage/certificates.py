"""The certificates: what we want of each, and the CA's word on it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, insert, not_, or_, select, update
from sqlalchemy.exc import IntegrityError

from mobid.domain.certificates import CAState, Certificate, Wanted
from mobid.processes.errors import KeyReused, NotFound
from mobid.storage.columns import is_storable
from mobid.storage.errors import broken_constraint
from mobid.storage.mapping import RowMap
from mobid.storage.tables import certificates, metadata
from mobid.storage.tables.profiles import IS_IN_USE
from mobid.storage.work import changed_work, new_work, work_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row, Select

    from mobid.storage.transaction import Transaction
    from mobid.storage.work import Nudges

_MAP: Final = RowMap(Certificate, apart={"chain", "work"})
_ONE_KEY_ONE_CERTIFICATE = "uq_certificates_key_hash"
_IS_ASKED_FOR = or_(
    and_(certificates.c.wanted == Wanted.VALID, certificates.c.ca_state == CAState.VALID),
    and_(certificates.c.wanted == Wanted.HELD, certificates.c.ca_state == CAState.HELD),
    and_(
        certificates.c.wanted == Wanted.HELD,
        certificates.c.ca_state == CAState.VALID,
        not_(certificates.c.holdable),
    ),
    # A CA that was declared gone may come back.
    certificates.c.given_up_at.is_not(None),
)


class SQLCertificates:
    """Implements the port `Certificates`, and writes them."""

    def __init__(self, transaction: Transaction, nudges: Nudges) -> None:
        self._transaction = transaction
        self._nudges = nudges
        self._attempts: dict[str, int] = {}

    def get(self, certificate_id: str) -> Certificate:
        """Return one; raise `NotFound`."""
        if is_storable(certificate_id):
            for found in self._read(
                select(certificates).where(certificates.c.id == certificate_id)
            ):
                return found
        raise NotFound("certificate", certificate_id)

    def of_mobile_id(self, mobile_id: str) -> Sequence[Certificate]:
        """Return all of a profile, quarantined and duplicate ones too, by kind."""
        return self._read(
            select(certificates)
            .where(certificates.c.mobile_id == mobile_id)
            .order_by(certificates.c.kind, certificates.c.ordered_at, certificates.c.id)
        )

    def key_known(self, key_hash: bytes) -> bool:
        """Return whether any certificate was ever ordered for this public key."""
        return self._is_there(select(certificates.c.id).where(certificates.c.key_hash == key_hash))

    def serial_known(self, ca: str, serial: str) -> bool:
        """Return whether this CA has given us a certificate with this serial number before."""
        return self._is_there(
            select(certificates.c.id).where(
                certificates.c.ca == ca, certificates.c.serial == serial
            )
        )

    def to_ask(self, before: datetime, limit: int) -> Sequence[Certificate]:
        """Return live settled ones whose status the CA was last asked for before then.

        Those whose CA was declared gone are among them.
        """
        return self._read(
            select(certificates)
            .where(IS_IN_USE, certificates.c.asked_at < before, _IS_ASKED_FOR)
            .order_by(certificates.c.asked_at, certificates.c.id)
            .limit(limit)
        )

    def unconfirmed(self, ca: str) -> Sequence[str]:
        """Return the ids of those whose revocation a CA has not confirmed."""
        query = select(certificates.c.id).where(
            certificates.c.ca == ca,
            certificates.c.wanted == Wanted.REVOKED,
            certificates.c.work_wanted,
        )
        return [row.id for row in self._transaction.all(query.order_by(certificates.c.id))]

    def add(self, certificate: Certificate) -> None:
        """Insert a new one; raise `KeyReused`."""
        values = _values(certificate) | new_work(certificate.work)
        try:
            self._transaction.write(insert(certificates).values(values))
        except IntegrityError as error:
            if broken_constraint(error, metadata) == _ONE_KEY_ONE_CERTIFICATE:
                raise KeyReused(certificate.kind) from error
            raise
        self._saved(certificate, read=0, stored=certificate.work.attempt)

    def save(self, certificate: Certificate) -> None:
        """Update one; raise `NotFound`."""
        if certificate.id not in self._attempts:
            self.get(certificate.id)
        read = self._attempts[certificate.id]
        work = changed_work(certificates, certificate.work, read=read)
        done = self._transaction.write(
            update(certificates)
            .where(certificates.c.id == certificate.id)
            .values(_values(certificate) | work)
            .returning(certificates.c.work_attempt)
        )
        self._saved(certificate, read=read, stored=done.scalar_one())

    def _saved(self, certificate: Certificate, *, read: int, stored: int) -> None:
        self._attempts[certificate.id] = certificate.work.attempt
        self._nudges.saved(
            "certificate", certificate.id, certificate.work, read=read, stored=stored
        )

    def _is_there(self, query: Select[Any]) -> bool:
        return self._transaction.first(query.limit(1)) is not None

    def _read(self, query: Select[Any]) -> Sequence[Certificate]:
        found = [_certificate(row) for row in self._transaction.all(query)]
        self._attempts.update((one.id, one.work.attempt) for one in found)
        return found


def _certificate(row: Row[Any]) -> Certificate:
    chain = tuple(base64.b64decode(one) for one in row.chain)
    return _MAP.entity(row, chain=chain, work=work_of(row))


def _values(certificate: Certificate) -> dict[str, Any]:
    chain = [base64.b64encode(one).decode() for one in certificate.chain]
    return _MAP.columns(certificate) | {"chain": chain}
