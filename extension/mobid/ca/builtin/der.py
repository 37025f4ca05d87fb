"""The few pieces of DER (X.690) that the built-in CA writes itself: signed wrappers and lists.

The CA signs stored bytes, so that a second signature over them is the same one; the builders of
`cryptography` make the bytes anew.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.x509 import ObjectIdentifier

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OID: Final = 0x06
ENUMERATED: Final = 0x0A
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
EXPLICIT_0: Final = 0xA0

_SHORT_FORM: Final = 0x80
_FIRST_YEAR_OF_GENERALIZED_TIME: Final = 2050


def tlv(tag: int, *content: bytes) -> bytes:
    """Return one value: tag, length in its shortest form, content."""
    body = b"".join(content)
    if len(body) < _SHORT_FORM:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT_FORM | len(length))) + length + body


def integer(value: int) -> bytes:
    """Return a non-negative INTEGER."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def object_identifier(oid: ObjectIdentifier) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *rest = map(int, oid.dotted_string.split("."))
    return tlv(OID, b"".join(_base_128(arc) for arc in (40 * first + second, *rest)))


def _base_128(arc: int) -> bytes:
    septets = [arc & 0x7F]
    while arc := arc >> 7:
        septets.insert(0, _SHORT_FORM | arc & 0x7F)
    return bytes(septets)


def time(moment: datetime) -> bytes:
    """Return a Time: UTCTime through 2049, GeneralizedTime after it (RFC 5280, 5.1.2.4)."""
    utc = _utc(moment)
    if utc.year < _FIRST_YEAR_OF_GENERALIZED_TIME:
        return tlv(UTC_TIME, utc.strftime("%y%m%d%H%M%SZ").encode())
    return generalized_time(utc)


def generalized_time(moment: datetime) -> bytes:
    """Return a GeneralizedTime in whole seconds."""
    return tlv(GENERALIZED_TIME, _utc(moment).strftime("%Y%m%d%H%M%SZ").encode())


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


ECDSA_WITH_SHA256: Final = tlv(SEQUENCE, tlv(OID, bytes.fromhex("2a8648ce3d040302")))
"""The AlgorithmIdentifier (RFC 5758, 3.2): 1.2.840.10045.4.3.2, without parameters."""


def signed(tbs: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return `SEQUENCE {tbs, algorithm, signature}`, the form of certificates and CRLs.

    The ECDSA nonce is derived from key and message (RFC 6979): the same bytes give the same
    signature, today and after a crash.
    """
    signature = key.sign(tbs, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return tlv(SEQUENCE, tbs, ECDSA_WITH_SHA256, tlv(BIT_STRING, b"\0", signature))
