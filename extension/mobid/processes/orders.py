"""What a certificate row orders of its CA, and the rows that more than one answer needs."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography import x509

from mobid.domain.work import Work
from mobid.processes.authority import Issued, Order
from mobid.processes.naming import san_of_text

if TYPE_CHECKING:
    from datetime import datetime

    from mobid.domain.certificates import Certificate
    from mobid.processes.ports import UnitOfWork


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


def serial_text(number: int) -> str:
    """Return a serial number as we store and show it: lower-case hexadecimal."""
    return format(number, "x")


def is_stored(unit: UnitOfWork, one: Certificate, answer: Issued) -> bool:
    """Tell whether we have an answer already, as the certificate of its order or as a duplicate."""
    return answer.certificate == one.der or unit.certificates.key_known(_mark_of(answer))


def duplicate_of(certificate: Certificate, extra: Issued, *, at: datetime) -> Certificate:
    """Return a row for one more certificate that the CA made for an order: it is revoked, never forgotten."""
    row = replace(
        certificate,
        id=str(uuid.uuid4()),
        key_hash=_mark_of(extra),
        quarantined=True,
        work=Work(),
    )
    return row.quarantine(der=extra.certificate, serial=None, at=at)


def _mark_of(extra: Issued) -> bytes:
    """Return what a duplicate has in the place of its key's hash, which is its order's alone."""
    return hashlib.sha256(extra.certificate).digest()
