"""Certificate profiles as data, each with a digest, so that a changed one shows in every record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    ObjectIdentifier,
)

from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

KEY_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
DOCUMENT_SIGNING: Final = "1.3.6.1.5.5.7.3.36"
"""RFC 9336."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What every certificate of one sort has beside its subject, names, key and validity."""

    name: str
    key_usage: tuple[str, ...]
    """Names of `x509.KeyUsage`."""
    extended_key_usage: tuple[str, ...]
    """Dotted object identifiers."""
    policies: tuple[str, ...] = ()
    crl_url: str | None = None
    ocsp_url: str | None = None
    chain_url: str | None = None
    ocsp_no_check: bool = False
    """RFC 6960, 4.2.2.2.1: nobody asks for the status of a short-lived OCSP responder."""

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of all fields."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def extensions(
        self,
        key: CertificatePublicKeyTypes,
        issuer: x509.SubjectKeyIdentifier,
        san: Sequence[x509.GeneralName],
    ) -> Iterator[tuple[x509.ExtensionType, bool]]:
        """Yield all extensions, each with its criticality (RFC 5280, 4.2)."""
        yield x509.BasicConstraints(ca=False, path_length=None), True
        yield x509.KeyUsage(**{usage: usage in self.key_usage for usage in KEY_USAGES}), True
        yield x509.ExtendedKeyUsage(map(ObjectIdentifier, self.extended_key_usage)), False
        yield x509.SubjectKeyIdentifier.from_public_key(key), False
        yield x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), False
        if san:
            yield x509.SubjectAlternativeName(san), False
        if self.policies:
            named = (ObjectIdentifier(policy) for policy in self.policies)
            yield (
                x509.CertificatePolicies([x509.PolicyInformation(oid, None) for oid in named]),
                False,
            )
        yield from self._pointers()

    def _pointers(self) -> Iterator[tuple[x509.ExtensionType, bool]]:
        """Yield where to ask whether the certificate is still good, and who issued it."""
        if self.crl_url is not None:
            place = x509.DistributionPoint(
                [x509.UniformResourceIdentifier(self.crl_url)], None, None, None
            )
            yield x509.CRLDistributionPoints([place]), False
        accesses = [
            x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
            for method, url in (
                (AuthorityInformationAccessOID.OCSP, self.ocsp_url),
                (AuthorityInformationAccessOID.CA_ISSUERS, self.chain_url),
            )
            if url is not None
        ]
        if accesses:
            yield x509.AuthorityInformationAccess(accesses), False
        if self.ocsp_no_check:
            yield x509.OCSPNoCheck(), False


def _profile(name: str, usage: str, *purposes: str) -> Profile:
    return Profile(name=name, key_usage=(usage,), extended_key_usage=purposes)


_CLIENT_AUTH: Final = ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string
_SMARTCARD_LOGON: Final = ExtendedKeyUsageOID.SMARTCARD_LOGON.dotted_string
_EMAIL_PROTECTION: Final = ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string

AUTHENTICATION: Final = _profile(
    "authentication", "digital_signature", _CLIENT_AUTH, _SMARTCARD_LOGON
)
SIGNATURE: Final = _profile("signature", "content_commitment", _EMAIL_PROTECTION, DOCUMENT_SIGNING)
ENCRYPTION: Final = _profile("encryption", "key_agreement", _EMAIL_PROTECTION)
OCSP_RESPONDER: Final = replace(
    _profile("ocsp-responder", "digital_signature", ExtendedKeyUsageOID.OCSP_SIGNING.dotted_string),
    ocsp_no_check=True,
)


def profiles_for(pki_url: str, policies: tuple[str, ...]) -> Mapping[Kind, Profile]:
    """Return the profile of each kind, with the addresses below `pki_url` and the policies."""
    return {
        kind: replace(
            profile,
            policies=policies,
            crl_url=f"{pki_url}/crl",
            ocsp_url=f"{pki_url}/ocsp",
            chain_url=f"{pki_url}/chain",
        )
        for kind, profile in (
            (Kind.AUTHENTICATION, AUTHENTICATION),
            (Kind.SIGNATURE, SIGNATURE),
            (Kind.ENCRYPTION, ENCRYPTION),
        )
    }
