"""The CA's key and its self-signed certificate: two files in a private folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mobid.ca.errors import InvalidSettings
from mobid.config.errors import BrokenKey, KeyExists
from mobid.config.keys import KeyFolder
from mobid.config.private import make_private_folder

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

KEY_FILE: Final = "ca.key"
CERTIFICATE_FILE: Final = "ca.pem"
LEAST_YEARS: Final = 10
MOST_YEARS: Final = 20
MOST_NAME: Final = 64

# A CA that begins to exist now would make the first certificates void on a phone whose clock is late.
_BACKDATED: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA key with its certificate."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def key_id(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo, in hexadecimal digits."""
        info = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(info).hexdigest()

    @property
    def key_identifier(self) -> x509.SubjectKeyIdentifier:
        """The SubjectKeyIdentifier that everything signed here points to."""
        return self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)


def initialise(
    folder: Path, *, name: str, now: datetime, years: int = 15, organization: str | None = None
) -> x509.Certificate:
    """Create the CA key (P-256) and its self-signed certificate; return the certificate.

    `folder` is made with mode 0700 if it is absent. A crash in between is healed by the next call,
    which keeps the key. Raise `KeyExists` if both are there, `InvalidSettings` for a bad name or
    life, `UnsafeFile` if the folder or a key in it is open to others.
    """
    _check_wishes(name, years, organization)
    make_private_folder(folder)
    if (folder / CERTIFICATE_FILE).exists():
        raise KeyExists(folder / CERTIFICATE_FILE)
    files = KeyFolder(folder)
    files.read_or_create(KEY_FILE, _new_key)
    certificate = _self_signed(_load_key(files), _ca_name(name, organization), now, years)
    files.create(CERTIFICATE_FILE, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate


def load(folder: Path) -> Issuer:
    """Read key and certificate; raise `KeyMissing`, `UnsafeFile` or `BrokenKey`."""
    files = KeyFolder(folder)
    key = _load_key(files)
    pem = files.read(CERTIFICATE_FILE)
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except (ValueError, x509.ExtensionNotFound):
        raise BrokenKey(folder / CERTIFICATE_FILE, expected="a CA certificate in PEM") from None
    if not constraints.ca or certificate.public_key() != key.public_key():
        expected = f"the CA certificate of the key in {KEY_FILE}"
        raise BrokenKey(folder / CERTIFICATE_FILE, expected=expected)
    return Issuer(key, certificate)


def _check_wishes(name: str, years: int, organization: str | None) -> None:
    faults = [
        f'{setting} "{text}" is not one printable line of 1 to {MOST_NAME} bytes'
        for setting, text in (("name", name), ("organization", organization))
        if text is not None
        and not (text.strip() and text.isprintable() and len(text.encode()) <= MOST_NAME)
    ]
    if not LEAST_YEARS <= years <= MOST_YEARS:
        faults.append(f"years is {years}; a CA lives {LEAST_YEARS} to {MOST_YEARS} years")
    if faults:
        raise InvalidSettings(faults)


def _ca_name(name: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if organization is not None:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _self_signed(
    key: ec.EllipticCurvePrivateKey, name: x509.Name, now: datetime, years: int
) -> x509.Certificate:
    """Return an issuing CA that can have no CA below it (path length 0)."""
    start = now.replace(microsecond=0) - _BACKDATED
    public_key = key.public_key()
    return (
        x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * years))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_CA_KEY_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )


_CA_KEY_USAGE: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load_key(files: KeyFolder) -> ec.EllipticCurvePrivateKey:
    pem = files.read(KEY_FILE)
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise BrokenKey(files.path / KEY_FILE, expected="a P-256 key in PEM without a password")
    return key
