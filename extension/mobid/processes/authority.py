"""The CA protocol: orders, answers, and errors that say what a caller may do next.

A connector is a settings schema and these five verbs. `mobid.ca` re-exports this module for authors.

    AuthorityError
    ├── Rejected          the CA said no; final
    ├── Unavailable       nothing was sent; retry when you like
    ├── OutcomeUnknown    it was sent, no answer came; `find` before any retry
    └── Unsupported       this CA cannot do that at all
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mobid.domain.options import Kind


class AuthorityError(Exception):
    """Something went wrong between us and a CA."""


class Rejected(AuthorityError):
    """The CA refuses this order for good."""


class Unavailable(AuthorityError):
    """Nothing reached the CA; the same call may be made again."""


class OutcomeUnknown(AuthorityError):
    """The call may have taken effect; look it up with `find` or `status` before another try."""


class Unsupported(AuthorityError):
    """This CA has no such ability."""


class Reason(IntEnum):
    """Why a certificate is revoked (RFC 5280, 5.3.1). Hold and its removal are verbs of their own."""

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    PRIVILEGE_WITHDRAWN = 9


class Status(StrEnum):
    """What the CA's own record says of a certificate."""

    VALID = "valid"
    HELD = "held"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One certificate that is wanted. The CSR gives the public key only; all else is our data."""

    key: str
    """Our idempotency key: one order, one certificate, ever."""
    csr: bytes
    """DER of the PKCS#10 request (RFC 2986). It gives the public key and the proof of possession only."""
    kind: Kind
    subject: x509.Name
    san: tuple[x509.GeneralName, ...]
    not_before: datetime
    not_after: datetime

    @property
    def public_key_info(self) -> bytes:
        """DER of the SubjectPublicKeyInfo in the CSR."""
        key = x509.load_der_x509_csr(self.csr).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo; one key belongs to one order."""
        return hashlib.sha256(self.public_key_info).digest()


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that the CA made (DER), with its chain, issuer first (DER)."""

    certificate: bytes
    chain: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """The CA has the order and will answer later; ask again with `find` after `poll_after` seconds."""

    reference: str
    poll_after: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a CA can do. Asking for it is also the probe of its health."""

    kinds: frozenset[Kind]
    reasons: frozenset[Reason]
    not_after: datetime
    """The end of the CA's own certificate; nothing it issues is valid longer."""
    profile_hash: dict[Kind, str]
    """A digest of the certificate profile per kind, so that a changed profile shows in our records."""
    issuers: tuple[bytes, ...] = ()
    """The CA certificates (DER) that sign what it issues; anything signed by others is not accepted."""
    holds: bool = False
    """Whether it can suspend a certificate (`Holds`)."""
    find: bool = True
    """Whether `find` can see orders whose answer was lost."""
    settle_seconds: float = 0.0
    """How long after a lost answer an empty `find` is still no proof that nothing was issued."""


class Authority(Protocol):
    """A CA. Every method may raise the errors of this module."""

    def capabilities(self) -> Capabilities:
        """Return what this CA can do; raise `Unavailable` if it does not answer."""

    def issue(self, order: Order) -> Issued | Pending:
        """Ask for one certificate."""

    def find(self, order: Order) -> Sequence[Issued | Pending]:
        """Return everything the CA holds for this order: nothing, one, or too many."""

    def revoke(self, certificate: bytes, reason: Reason, at: datetime) -> None:
        """Revoke for good. Revoking twice is no error."""

    def status(self, certificate: bytes) -> Status:
        """Return the CA's own word on a certificate."""


@runtime_checkable
class Holds(Protocol):
    """A CA that can suspend a certificate and take the suspension back (RFC 5280, certificateHold)."""

    def hold(self, certificate: bytes, at: datetime) -> None:
        """Suspend. Holding twice is no error; a revoked certificate is `Rejected`."""

    def release(self, certificate: bytes, at: datetime) -> None:
        """Take the suspension back. Releasing a valid one is no error; a revoked one is `Rejected`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where everybody finds what a CA publishes, as its certificates say; none where they do not."""

    chain: str | None
    crl: str | None
    ocsp: str | None


@runtime_checkable
class Publisher(Protocol):
    """A CA whose chain and revocation list we can hand out."""

    def chain(self) -> Sequence[bytes]:
        """Return the CA certificates (DER), issuer first."""

    def crl(self) -> bytes:
        """Return the newest revocation list (DER, RFC 5280, 5)."""

    def addresses(self) -> Addresses:
        """Return where this CA publishes: its own place, or ours."""
