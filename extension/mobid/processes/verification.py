"""The full check of an issued certificate against its order. No CA is believed, ours included.

What does not pass is never handed out; the caller quarantines it and wants it revoked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from mobid.processes.authority import Issued, Order

MOST_SERIAL: Final = 1 << 159
"""RFC 5280, 4.1.2.2: at most 20 octets, of which the first bit is the sign."""
MOST_SHORTER: Final = timedelta(days=1)
"""A CA may round the end down to a day; a certificate that ends earlier is not what was ordered."""

DOCUMENT_SIGNING: Final = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
"""RFC 9336."""
_Value = TypeVar("_Value", bound=x509.ExtensionType)
_WEAK_HASHES: Final = (hashes.MD5, hashes.SHA1)
_KNOWN_CRITICAL: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    }
)
_KEY_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_ORDERED_KEY_USAGES: Final = {
    Kind.AUTHENTICATION: frozenset({"digital_signature"}),
    Kind.SIGNATURE: frozenset({"content_commitment"}),
    Kind.ENCRYPTION: frozenset({"key_agreement"}),
}


class Fault(StrEnum):
    """What can be wrong with a certificate."""

    NOT_A_CERTIFICATE = "not_a_certificate"
    KEY = "key"
    SUBJECT = "subject"
    SAN = "san"
    KEY_USAGE = "key_usage"
    EXTENDED_KEY_USAGE = "extended_key_usage"
    EXTENSION = "extension"
    VALIDITY = "validity"
    IS_CA = "is_ca"
    ISSUER = "issuer"
    SIGNATURE = "signature"
    CHAIN = "chain"
    SERIAL = "serial"
    SERIAL_REUSED = "serial_reused"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one certificate, with the words for an operator."""

    fault: Fault
    text: str

    def __str__(self) -> str:
        return self.text


class WrongCertificate(Exception):
    """A CA returned something else than what was ordered; `findings` has every fault."""

    def __init__(self, order_key: str, findings: Sequence[Finding]) -> None:
        self.order_key = order_key
        self.findings = tuple(findings)
        super().__init__(
            f"The certificate for order {order_key} is not what was ordered and must not be"
            f" handed out: {'; '.join(map(str, findings))}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCertificate:
    """A certificate that is what was ordered. Only `verify` makes one."""

    der: bytes
    chain: tuple[bytes, ...]
    """CA certificates (DER), issuer first."""
    serial: int
    not_before: datetime
    not_after: datetime
    key_hash: bytes
    """SHA-256 of the SubjectPublicKeyInfo."""

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate."""
        return hashlib.sha256(self.der).digest()


def verify(
    order: Order,
    issued: Issued,
    *,
    issuers: Sequence[x509.Certificate],
    now: datetime,
    serial_is_new: Callable[[x509.Certificate], bool],
) -> VerifiedCertificate:
    """Return the certificate if it is exactly what was ordered, else raise `WrongCertificate`.

    `issuers` are the CA certificates that may have signed it directly. `serial_is_new` says
    whether no certificate of another order has the same issuer and serial number.
    """
    try:
        certificate = x509.load_der_x509_certificate(issued.certificate)
        key_info = certificate.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        findings = [
            *_identity(order, certificate, key_info),
            *_usages(order, certificate),
            *_validity(order, certificate, now),
            *_signature(certificate, issuers, now),
            *_chain(certificate, issued.chain),
        ]
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension):
        unreadable = Finding(Fault.NOT_A_CERTIFICATE, "it is no X.509 certificate in DER")
        raise WrongCertificate(order.key, [unreadable]) from None
    findings += _serial(certificate, serial_is_new)
    if findings:
        raise WrongCertificate(order.key, findings)
    return VerifiedCertificate(
        der=issued.certificate,
        chain=issued.chain,
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        key_hash=hashlib.sha256(key_info).digest(),
    )


def _identity(order: Order, certificate: x509.Certificate, key_info: bytes) -> Iterator[Finding]:
    if key_info != order.public_key_info:
        yield Finding(Fault.KEY, "its public key is not the one of the request")
    if certificate.subject != order.subject:
        yield Finding(
            Fault.SUBJECT,
            f'its subject is "{certificate.subject.rfc4514_string()}",'
            f' ordered was "{order.subject.rfc4514_string()}"',
        )
    extension = _find(certificate, x509.SubjectAlternativeName)
    names = [] if extension is None else list(extension.value)
    if _encoded(names) != _encoded(order.san):
        yield Finding(
            Fault.SAN,
            f"it has {len(names)} alternative names that are not exactly"
            f" the {len(order.san)} ordered",
        )


def _encoded(names: Iterable[x509.GeneralName]) -> Counter[bytes]:
    return Counter(x509.SubjectAlternativeName([name]).public_bytes() for name in names)


def _usages(order: Order, certificate: x509.Certificate) -> Iterator[Finding]:
    found = _key_usages(certificate)
    ordered = _ORDERED_KEY_USAGES[order.kind]
    if found != ordered:
        yield Finding(
            Fault.KEY_USAGE,
            f"its key usage is {_listed(found)}, a certificate for {order.kind}"
            f" has {_listed(ordered)}",
        )
    extended = _find(certificate, x509.ExtendedKeyUsage)
    purposes = frozenset() if extended is None else frozenset(extended.value)
    if not _purposes_fit(order.kind, purposes):
        dotted = _listed({purpose.dotted_string for purpose in purposes})
        yield Finding(
            Fault.EXTENDED_KEY_USAGE,
            f"its extended key usage {dotted} does not fit a certificate for {order.kind}",
        )
    constraints = _find(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.value.ca:
        yield Finding(Fault.IS_CA, "it is a CA certificate")
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _KNOWN_CRITICAL:
            yield Finding(
                Fault.EXTENSION,
                f"its critical extension {extension.oid.dotted_string} is none that we know",
            )


def _key_usages(certificate: x509.Certificate) -> frozenset[str]:
    extension = _find(certificate, x509.KeyUsage)
    if extension is None:
        return frozenset()
    return frozenset(name for name in _KEY_USAGES if getattr(extension.value, name))


def _purposes_fit(kind: Kind, purposes: frozenset[ObjectIdentifier]) -> bool:
    if kind is Kind.AUTHENTICATION:
        needed = ExtendedKeyUsageOID.CLIENT_AUTH
        return needed in purposes <= {needed, ExtendedKeyUsageOID.SMARTCARD_LOGON}
    mail = ExtendedKeyUsageOID.EMAIL_PROTECTION
    if kind is Kind.SIGNATURE:
        return bool(purposes) and purposes <= {mail, DOCUMENT_SIGNING}
    return purposes == {mail}


def _validity(order: Order, certificate: x509.Certificate, now: datetime) -> Iterator[Finding]:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    # X.509 knows whole seconds only, so the order's first second is cut.
    if start < order.not_before.replace(microsecond=0) or end > order.not_after:
        yield Finding(
            Fault.VALIDITY,
            f"it is valid from {start.isoformat()} to {end.isoformat()},"
            f" outside {order.not_before.isoformat()} to {order.not_after.isoformat()}",
        )
    if end < order.not_after - MOST_SHORTER:
        yield Finding(
            Fault.VALIDITY,
            f"it ends at {end.isoformat()}, too early for {order.not_after.isoformat()}",
        )
    if end <= now:
        yield Finding(Fault.VALIDITY, f"it expired at {end.isoformat()}")
    if start > end:
        yield Finding(Fault.VALIDITY, "it starts after its end")


def _signature(
    certificate: x509.Certificate, issuers: Sequence[x509.Certificate], now: datetime
) -> Iterator[Finding]:
    named = [issuer for issuer in issuers if issuer.subject == certificate.issuer]
    if not named:
        name = certificate.issuer.rfc4514_string()
        yield Finding(Fault.ISSUER, f'its issuer "{name}" is none of the CA\'s certificates')
        return
    signers = [issuer for issuer in named if _signed_by(certificate, issuer)]
    if not signers:
        yield Finding(Fault.SIGNATURE, "its signature is not that of its issuer")
    elif not any(_is_valid_ca(issuer, now) for issuer in signers):
        yield Finding(Fault.ISSUER, "its issuer is no CA certificate that is valid now")
    if isinstance(certificate.signature_hash_algorithm, _WEAK_HASHES):
        yield Finding(Fault.SIGNATURE, "it is signed with a broken hash algorithm")


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_valid_ca(issuer: x509.Certificate, now: datetime) -> bool:
    constraints = _find(issuer, x509.BasicConstraints)
    in_time = issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc
    return in_time and constraints is not None and constraints.value.ca


def _chain(certificate: x509.Certificate, chain: Sequence[bytes]) -> Iterator[Finding]:
    """Check that the chain, if there is one, starts at the issuer and goes up link by link."""
    below = certificate
    for position, der in enumerate(chain, start=1):
        try:
            above = x509.load_der_x509_certificate(der)
        except ValueError:
            yield Finding(Fault.CHAIN, f"number {position} of its chain is no certificate in DER")
            return
        if not _signed_by(below, above):
            yield Finding(
                Fault.CHAIN, f"certificate {position} of its chain did not sign the one before"
            )
        below = above


def _serial(
    certificate: x509.Certificate, serial_is_new: Callable[[x509.Certificate], bool]
) -> Iterator[Finding]:
    if not 0 < certificate.serial_number < MOST_SERIAL:
        yield Finding(Fault.SERIAL, "its serial number is not positive or has over 20 octets")
    elif not serial_is_new(certificate):
        yield Finding(
            Fault.SERIAL_REUSED,
            f"its serial number {certificate.serial_number:x} belongs to another order",
        )


def _find(certificate: x509.Certificate, kind: type[_Value]) -> x509.Extension[_Value] | None:
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
