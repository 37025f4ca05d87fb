"""The phone's certificates: requests for them, checks of what comes, and PKCS#12 files to keep them in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs12

from .errors import StrangeAnswer, WrongCertificate
from .jose import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric import ec

KDF_ROUNDS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Delivered:
    """One certificate that came for one of our keys."""

    kind: str
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the certificate in DER."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).digest()


def request_for(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a PKCS#10 request in DER. It names nobody: names come from the server alone."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def delivered(
    answer: Mapping[str, Any], keys: Mapping[str, ec.EllipticCurvePrivateKey]
) -> list[Delivered]:
    """Return the certificates in an answer: one for each of our keys, and under its CA."""
    try:
        found = [_read(one) for one in answer["certificates"]]
    except (KeyError, TypeError, ValueError):
        raise StrangeAnswer("The server sent certificates that cannot be read.") from None
    if sorted(one.kind for one in found) != sorted(keys):
        raise WrongCertificate("The server sent other certificates than this phone asked for.")
    for one in found:
        _must_be_ours(one, keys[one.kind])
    return found


def pkcs12_of(
    one: Delivered, key: ec.EllipticCurvePrivateKey, *, name: str, password: bytes
) -> bytes:
    """Return key, certificate and chain under PBES2 with AES-256, with a MAC of SHA-256."""
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(KDF_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(password)
    )
    return pkcs12.serialize_key_and_certificates(
        f"{name} ({one.kind})".encode(), key, one.certificate, one.chain, encryption
    )


def _read(one: Mapping[str, Any]) -> Delivered:
    chain: Sequence[str] = one["chain"]
    return Delivered(
        str(one["kind"]),
        x509.load_der_x509_certificate(decode(one["certificate"])),
        tuple(x509.load_der_x509_certificate(decode(above)) for above in chain),
    )


def _must_be_ours(one: Delivered, key: ec.EllipticCurvePrivateKey) -> None:
    if one.certificate.public_key() != key.public_key():
        raise WrongCertificate(f"The certificate for {one.kind} is not for this phone's key.")
    below = one.certificate
    for above in one.chain:
        try:
            below.verify_directly_issued_by(above)
        except (InvalidSignature, ValueError, TypeError):
            raise WrongCertificate(f"The certificate for {one.kind} does not fit its CA.") from None
        below = above
