"""The checks of a phone's certificate request. It gives us the public key and nothing else.

Names and extensions in a request are ignored: subject, names and validity come from our own data.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mobid.processes.errors import BadCertificateRequest, KeyTypeNotAllowed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from mobid.domain.options import Kind

MOST_BYTES: Final = 16 * 1024
KEY_TYPE: Final = "EC P-256"
"""The one type of key that we issue for, as phones are told."""
PUBLISHED_KEY: Final = bytes.fromhex(
    "b2b04340cfaee616ec9c2c62d261b208e54bb197498df52e8cadede23ac0ba5e"
)
"""SHA-256 of the SubjectPublicKeyInfo of testECCP256 (RFC 9500), whose private key everybody has."""


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request that proves possession of a sound key of an allowed type."""

    der: bytes
    public_key_info: bytes
    """DER of the SubjectPublicKeyInfo."""

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo; one key belongs to one order."""
        return hashlib.sha256(self.public_key_info).digest()


def check_csr(kind: Kind, der: bytes) -> CheckedRequest:
    """Check a PKCS#10 request (RFC 2986) in DER.

    Raise `BadCertificateRequest` for what is no request, proves nothing or has a known key,
    `KeyTypeNotAllowed` for any key but one on P-256.
    """
    if len(der) > MOST_BYTES:
        raise BadCertificateRequest(kind, f"has {len(der)} bytes; at most {MOST_BYTES} are read")
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        possessed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise BadCertificateRequest(kind, "is no PKCS#10 in DER of a key that we know") from None
    if not possessed:
        raise BadCertificateRequest(
            kind, "is not signed with the key that it names, so possession is not proved"
        )
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        raise KeyTypeNotAllowed(kind, _type_of(key), KEY_TYPE)
    checked = CheckedRequest(der, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    if checked.key_hash == PUBLISHED_KEY:
        raise BadCertificateRequest(
            kind, "has a key that is published for tests (RFC 9500), so everybody has it"
        )
    return checked


def _type_of(key: CertificatePublicKeyTypes) -> str:
    """Return words for a type of key that was not asked for."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return type(key).__name__.removesuffix("PublicKey")
