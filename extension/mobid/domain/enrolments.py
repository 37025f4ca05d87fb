"""The phone's side of a Get: the code, the phone that claimed it, and the keys that it sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid.domain.mobile_ids import Device
    from mobid.domain.options import Kind

MAIL_CODE_TRIES: Final = 5
BAD_KEYS_BURN_AT: Final = 5
"""After so many tries a mail code is dead. Its link is not: it gets another mail code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The one phone that a code is bound to, by the thumbprint (RFC 7638) of its device key."""

    thumbprint: str
    jwk: Mapping[str, str]
    device: Device
    at: datetime
    number: int
    """What the phone shows; its owner picks it among `numbers` on the page."""
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKey:
    """One key that the phone made: its request (DER PKCS#10), and SHA-256 of its SubjectPublicKeyInfo."""

    kind: Kind
    csr: bytes
    key_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """The code of a Get and what a phone did with it. Codes are derived; only their hashes are kept."""

    id: str
    instance_id: str
    user_id: str
    mobile_id: str
    code_number: int
    token_hash: bytes
    typed_code_hash: bytes
    code_expires_at: datetime
    mail_code_number: int = 0
    mail_code_hash: bytes | None = None
    """Of the second secret of a code that went by mail: only the page shows it."""
    mail_code_expires_at: datetime | None = None
    mail_code_tries: int = 0
    claim: Claim | None = None
    keys: tuple[DeviceKey, ...] = ()
    transport_jwk: Mapping[str, str] | None = None
    keys_at: datetime | None = None
    bad_keys: int = 0
    approved: bytes | None = None
    confirmed_at: datetime | None = None
    closed: bool = False
    """Whether nothing can be claimed or sent any more."""

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over device key, transport key and every CSR: exactly what the user's Next approves."""
        if self.claim is None:
            raise ValueError(
                f"Enrolment {self.id} is claimed by no phone, so there is nothing to approve."
            )
        digest = hashlib.sha256(b"mobid-approval-v1")
        parts = [self.claim.thumbprint.encode()]
        parts += [
            f"{name}={value}".encode() for name, value in sorted((self.transport_jwk or {}).items())
        ]
        parts += [
            key.kind.encode() + b"=" + key.csr
            for key in sorted(self.keys, key=lambda key: key.kind)
        ]
        for part in parts:
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()

    @property
    def by_mail(self) -> bool:
        """Whether the code went by mail, so that it binds together with its mail code only."""
        return self.mail_code_hash is not None

    @property
    def tries_left(self) -> int:
        """How many more times the mail code may be tried."""
        return max(0, MAIL_CODE_TRIES - self.mail_code_tries)

    def mail_code_lives(self, at: datetime) -> bool:
        """Whether the mail code can still be entered."""
        ends = self.mail_code_expires_at
        return ends is not None and at < ends and self.tries_left > 0

    def renewed(
        self, *, number: int, token_hash: bytes, typed_code_hash: bytes, expires_at: datetime
    ) -> Enrolment:
        """A new code: it burns the old one and whatever has claimed it, and opens a burnt enrolment.

        It has no mail code until it gets one.
        """
        return replace(
            self,
            code_number=number,
            token_hash=token_hash,
            typed_code_hash=typed_code_hash,
            code_expires_at=expires_at,
            mail_code_hash=None,
            mail_code_expires_at=None,
            mail_code_tries=0,
            claim=None,
            keys=(),
            transport_jwk=None,
            keys_at=None,
            bad_keys=0,
            approved=None,
            closed=False,
        )

    def with_mail_code(
        self, *, number: int, mail_code_hash: bytes, expires_at: datetime
    ) -> Enrolment:
        """A new mail code, with tries of its own; a phone that has claimed already stays."""
        return replace(
            self,
            mail_code_number=number,
            mail_code_hash=mail_code_hash,
            mail_code_expires_at=expires_at,
            mail_code_tries=0,
        )

    def tried(self) -> Enrolment:
        """Somebody tries a mail code; it counts before anybody knows whether it is right."""
        return replace(self, mail_code_tries=self.mail_code_tries + 1)

    def with_keys(
        self, keys: tuple[DeviceKey, ...], transport_jwk: Mapping[str, str] | None, *, at: datetime
    ) -> Enrolment:
        """The claiming phone sent all its keys."""
        return replace(self, keys=keys, transport_jwk=transport_jwk, keys_at=at)

    def with_bad_keys(self) -> Enrolment:
        """The claiming phone sent keys that cannot be; the fifth time burns the code."""
        counted = replace(self, bad_keys=self.bad_keys + 1)
        return counted.close() if counted.bad_keys >= BAD_KEYS_BURN_AT else counted

    def approve(self) -> Enrolment:
        """The user approved this phone and these keys; what is approved is stored."""
        return replace(self, approved=self.fingerprint)

    def confirm(self, *, at: datetime) -> Enrolment:
        """The phone has installed every certificate."""
        return replace(self, confirmed_at=at)

    def close(self) -> Enrolment:
        """Burn the code: the run has ended."""
        return replace(self, closed=True)
