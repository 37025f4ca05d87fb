"""The rules that we rely on, checked on a certificate before the CA key signs its like.

A linter reads what was built, not the plan for it, so that a mistake in the builder is seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from mobid.ca.builtin.profiles import KEY_USAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid.ca.builtin.profiles import Profile

LEAST_SERIAL_BITS: Final = 64
"""A serial number has at least 64 bits from a good random generator; a shorter one is no accident."""
MOST_SERIAL: Final = 1 << 159
"""RFC 5280, 4.1.2.2: at most 20 octets, of which the first bit is the sign."""

_CRITICAL: Final = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})
_ALWAYS: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
)


def findings(
    certificate: x509.Certificate, profile: Profile, issuer: x509.Certificate
) -> tuple[str, ...]:
    """Return every rule that the certificate breaks, in words; nothing if it is sound."""
    try:
        return (
            *_envelope(certificate, issuer),
            *_extensions_present(certificate, profile),
            *_identifiers(certificate, issuer),
            *_usages(certificate, profile),
            *_pointers(certificate, profile),
        )
    except x509.ExtensionNotFound as missing:
        return (f"extension {missing.oid.dotted_string} is missing",)


def _envelope(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[str]:
    if certificate.version is not x509.Version.v3:
        yield "it is not of version 3"
    if certificate.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        yield "its signature algorithm is not ecdsa-with-SHA256"
    if certificate.issuer != issuer.subject:
        yield "its issuer is not the subject of the CA certificate"
    if not certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield "its subject has no common name"
    serial = certificate.serial_number
    if serial >= MOST_SERIAL or serial.bit_length() < LEAST_SERIAL_BITS:
        yield "its serial number is not positive, random and of at most 20 octets"
    if certificate.not_valid_before_utc >= certificate.not_valid_after_utc:
        yield "it ends before it starts"
    if certificate.not_valid_after_utc > issuer.not_valid_after_utc:
        yield "it ends after the CA certificate"


def _extensions_present(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    wanted = set(_ALWAYS)
    optional = {ExtensionOID.SUBJECT_ALTERNATIVE_NAME}
    for oid, present in (
        (ExtensionOID.CERTIFICATE_POLICIES, profile.policies),
        (ExtensionOID.CRL_DISTRIBUTION_POINTS, profile.crl_url),
        (ExtensionOID.AUTHORITY_INFORMATION_ACCESS, profile.ocsp_url or profile.chain_url),
        (ExtensionOID.OCSP_NO_CHECK, profile.ocsp_no_check),
    ):
        if present:
            wanted.add(oid)
    found = {extension.oid for extension in certificate.extensions}
    for oid in wanted - found:
        yield f"extension {oid.dotted_string} is missing"
    for oid in found - wanted - optional:
        yield f"extension {oid.dotted_string} is not in the profile {profile.name}"
    for extension in certificate.extensions:
        if extension.critical != (extension.oid in _CRITICAL):
            yield f"extension {extension.oid.dotted_string} has the wrong criticality"


def _identifiers(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[str]:
    """RFC 5280, 4.2.1.1 and 4.2.1.2: how a verifier finds the way up."""
    own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    if own != x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()):
        yield "its subject key identifier is not the SHA-1 of its key"
    above = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    ca = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    if above.key_identifier != ca.digest:
        yield "its authority key identifier is not that of the CA certificate"


def _usages(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    if certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        yield "it is a CA certificate"
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    # The last two can be asked for only together with key agreement.
    names = KEY_USAGES if usage.key_agreement else KEY_USAGES[:-2]
    found = {name for name in names if getattr(usage, name)}
    if found != set(profile.key_usage):
        yield f"its key usage is not that of the profile {profile.name}"
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    if {purpose.dotted_string for purpose in purposes} != set(profile.extended_key_usage):
        yield f"its extended key usage is not that of the profile {profile.name}"


def _pointers(certificate: x509.Certificate, profile: Profile) -> Iterator[str]:
    if profile.crl_url is not None:
        lists = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        urls = [name.value for point in lists for name in point.full_name or ()]
        if urls != [profile.crl_url]:
            yield "its revocation list is not where the profile says"
    if profile.ocsp_url is not None:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess)
        places = {description.access_location.value for description in access.value}
        if places != {profile.ocsp_url, profile.chain_url}:
            yield "its OCSP and issuer addresses are not those of the profile"
