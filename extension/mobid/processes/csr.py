"""The checks of a phone's certificate request. It gives us the public key and nothing else.

Names and extensions in a request are ignored: subject, names and validity come from our own data.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mobid.processes.errors import BadCertificateRequest, KeyTypeNotAllowed
from mobid.processes.weak_rsa import weakness

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from mobid.domain.options import Kind

MOST_BYTES: Final = 16 * 1024
LEAST_RSA_BITS: Final = 2048
MOST_RSA_BITS: Final = 4096
RSA_EXPONENT: Final = 65537

PUBLISHED_KEYS: Final = frozenset(
    bytes.fromhex(digest)
    for digest in (
        "b2b04340cfaee616ec9c2c62d261b208e54bb197498df52e8cadede23ac0ba5e",
        "c4c10105a0be0ed4dd3354428dc38a9bfee64da141ce16e75c94eda272f9dd3a",
        "8fb6bad671cfe698393c453357da61b56d757ab8c0f3fb9c87f2849e63131878",
    )
)
"""SHA-256 of the SubjectPublicKeyInfo of keys that everybody has: testECCP256, testECCP384 and
testRSA2048 of RFC 9500."""


class KeyType(StrEnum):
    """The types of key that a policy can allow."""

    P256 = "EC P-256"
    P384 = "EC P-384"
    RSA = "RSA 2048-4096 with exponent 65537"


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """Which types of key a phone may bring."""

    allowed: frozenset[KeyType] = frozenset({KeyType.P256})

    def __str__(self) -> str:
        return " or ".join(sorted(self.allowed))


DEFAULT_POLICY: Final = KeyPolicy()


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


def check_csr(kind: Kind, der: bytes, policy: KeyPolicy = DEFAULT_POLICY) -> CheckedRequest:
    """Check a PKCS#10 request (RFC 2986) in DER.

    Raise `BadCertificateRequest` for what is no request, proves nothing or has a known or weak
    key, `KeyTypeNotAllowed` for a sound key of a type that the policy does not allow.
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
    _check_type(kind, key, policy)
    return _not_known(kind, der, key)


def _check_type(kind: Kind, key: CertificatePublicKeyTypes, policy: KeyPolicy) -> None:
    found, text = _type_of(key)
    if found is None or found not in policy.allowed:
        raise KeyTypeNotAllowed(kind, text, str(policy))
    if isinstance(key, rsa.RSAPublicKey):
        problem = weakness(key.public_numbers().n)
        if problem is not None:
            raise BadCertificateRequest(kind, f"has a weak key, {problem}")


def _type_of(key: CertificatePublicKeyTypes) -> tuple[KeyType | None, str]:
    """Return the type that a policy can name, if it is one, and words for any type."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        curves = {"secp256r1": KeyType.P256, "secp384r1": KeyType.P384}
        return curves.get(key.curve.name), f"EC {key.curve.name}"
    if isinstance(key, rsa.RSAPublicKey):
        exponent = key.public_numbers().e
        sound = (
            LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS
            and key.key_size % 8 == 0
            and exponent == RSA_EXPONENT
        )
        return KeyType.RSA if sound else None, f"RSA {key.key_size} with exponent {exponent}"
    return None, type(key).__name__.removesuffix("PublicKey")


def _not_known(kind: Kind, der: bytes, key: CertificatePublicKeyTypes) -> CheckedRequest:
    checked = CheckedRequest(der, key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    if checked.key_hash in PUBLISHED_KEYS:
        raise BadCertificateRequest(
            kind, "has a key that is published for tests (RFC 9500), so everybody has it"
        )
    return checked
