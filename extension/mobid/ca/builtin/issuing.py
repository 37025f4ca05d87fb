"""Issuing in two halves: plan and commit the whole certificate, then sign what was committed.

Whatever the CA key signs was in the record before. A crash between the two halves leaves a plan
that nobody has seen; finishing it later gives the same certificate, byte for byte.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mobid.ca.builtin import der
from mobid.ca.builtin.lint import findings
from mobid.ca.builtin.store import Intent
from mobid.ca.errors import LintFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

    from mobid.ca.builtin.keys import Issuer
    from mobid.ca.builtin.profiles import Profile
    from mobid.ca.builtin.store import CAStore, Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A certificate that is wanted, checked."""

    order_key: str
    profile: Profile
    subject: x509.Name
    san: tuple[x509.GeneralName, ...]
    key: CertificatePublicKeyTypes
    not_before: datetime
    not_after: datetime

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo."""
        info = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(info).digest()

    @property
    def digest(self) -> bytes:
        """SHA-256 of everything that makes it this wish and no other; the profile may change."""
        parts = (
            self.profile.name.encode(),
            self.key_hash,
            self.subject.public_bytes(),
            *(x509.SubjectAlternativeName([name]).public_bytes() for name in self.san),
            der.generalized_time(self.not_before),
            der.generalized_time(self.not_after),
        )
        return hashlib.sha256(b"".join(der.tlv(der.OCTET_STRING, part) for part in parts)).digest()


@dataclass(frozen=True, slots=True)
class Issuing:
    """The two halves, for one CA key and one record."""

    issuer: Issuer
    store: CAStore
    clock: Callable[[], datetime]

    def plan(self, wish: Wish) -> Entry:
        """Commit what will be signed, and return what stands committed for this order.

        Raise `LintFailed`, `KeyTaken`, `SerialTaken`, `StoreUnavailable`; nothing is committed then.
        """
        rehearsal = self._rehearse(wish)
        faults = findings(rehearsal, wish.profile, self.issuer.certificate)
        if faults:
            raise LintFailed(faults)
        intent = Intent(
            order_key=wish.order_key,
            order_digest=wish.digest,
            issuer=self.issuer.key_id,
            serial=rehearsal.serial_number,
            key_hash=wish.key_hash,
            profile=wish.profile.name,
            profile_hash=wish.profile.digest,
            tbs=rehearsal.tbs_certificate_bytes,
            not_after=rehearsal.not_valid_after_utc,
            planned_at=self.clock(),
        )
        return self.store.reserve(intent)

    def sign(self, intent: Intent) -> bytes:
        """Return the certificate (DER): the committed bytes under the CA key's only signature."""
        return der.signed(intent.tbs, self.issuer.key)

    def _rehearse(self, wish: Wish) -> x509.Certificate:
        """Build the certificate and sign it with a key that is nobody's."""
        builder = x509.CertificateBuilder(
            issuer_name=self.issuer.certificate.subject,
            subject_name=wish.subject,
            public_key=wish.key,
            serial_number=x509.random_serial_number(),
            not_valid_before=wish.not_before.replace(microsecond=0),
            not_valid_after=wish.not_after.replace(microsecond=0),
        )
        for extension, critical in wish.profile.extensions(
            wish.key, self.issuer.key_identifier, wish.san
        ):
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(_throw_away_key(), hashes.SHA256())


@cache
def _throw_away_key() -> ec.EllipticCurvePrivateKey:
    """Return the key of all rehearsals in this process; no certificate names it."""
    return ec.generate_private_key(ec.SECP256R1())
