"""The record of the built-in CA, as a protocol: what it planned, signed, held and revoked.

The storage layer implements it and alone writes its tables. Every method is one transaction of its
own: when it returns, its effect is durable; when it raises, there is none, except that after
`StoreUnavailable` the effect may be there, which is why each method can simply be called again.
Any number of threads and processes call it at once. All times are aware, UTC.
Serial numbers have up to 159 bits, which no integer column holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mobid.processes.authority import Reason


class Standing(StrEnum):
    """What the CA says of a certificate. Revoked never goes back."""

    VALID = "valid"
    HELD = "held"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A certificate that the CA is about to sign, complete but for its signature."""

    order_key: str
    """Unique in the whole store."""
    order_digest: bytes
    """SHA-256 of what was ordered, so that another order under the same key is noticed."""
    issuer: str
    """The id of the CA key: SHA-256 of its SubjectPublicKeyInfo, 64 hexadecimal digits."""
    serial: int
    """Unique per issuer; up to 159 bits."""
    key_hash: bytes
    """SHA-256 of the certified SubjectPublicKeyInfo. Unique in the whole store."""
    profile: str
    profile_hash: str
    tbs: bytes
    """DER of the TBSCertificate (RFC 5280, 4.1), which is what will be signed, byte for byte."""
    not_after: datetime
    planned_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the record holds of one certificate."""

    intent: Intent
    certificate: bytes | None = None
    """DER; None as long as nothing is recorded, and then nothing was handed out."""
    standing: Standing = Standing.VALID
    revoked_at: datetime | None = None
    """Since when it is held or revoked. A revocation after a hold keeps the time of the hold."""
    reason: Reason | None = None
    """Only of a revoked one."""
    invalid_since: datetime | None = None


class RevokedEntry(NamedTuple):
    """One line of a revocation list."""

    serial: int
    revoked_at: datetime
    reason: Reason | None
    """None: it is on hold."""
    invalid_since: datetime | None


@dataclass(frozen=True, slots=True)
class CRLDraft:
    """What goes into the next revocation list."""

    number: int
    changes: int
    """The mark of `CAStore.changes` that `entries` correspond to."""
    entries: Sequence[RevokedEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCRL:
    """A signed revocation list."""

    issuer: str
    number: int
    changes: int
    entry_count: int
    this_update: datetime
    next_update: datetime
    der: bytes


class CAStore(Protocol):
    """The record. Every method may raise `StoreUnavailable`."""

    def reserve(self, intent: Intent) -> Entry:
        """Commit the intent, unless its order key is known; return the entry that stands.

        Idempotent and decided by unique constraints: of many callers with one order key exactly
        one intent is committed, and all of them get that one back. So the caller compares
        `order_digest`, and signs the returned `tbs`, never its own.
        Raise `KeyTaken` if another order has the key hash, `SerialTaken` if the issuer has used the
        serial number; nothing is written then.
        """

    def record(self, issuer: str, serial: int, certificate: bytes) -> None:
        """Commit the signed certificate (DER) of an intent.

        Again with the same bytes is no error. Raise `OtherCertificate` if other bytes are there,
        `NotIssued` if nothing was reserved. The standing is left alone.
        """

    def by_order(self, order_key: str) -> Entry | None:
        """Return the entry of an order, recorded or not."""

    def by_serial(self, issuer: str, serial: int) -> Entry | None:
        """Return the entry of a serial number, recorded or not."""

    def revoke(
        self,
        issuer: str,
        serial: int,
        *,
        at: datetime,
        reason: Reason,
        invalid_since: datetime | None = None,
    ) -> None:
        """Make it revoked, if it is valid or held, in one conditional update.

        `revoked_at` becomes `at`, or stays what the hold set. A revoked one is left as it is, with
        its first reason and time, and is no error. A change counts in `changes`. Raise `NotIssued`.
        """

    def hold(self, issuer: str, serial: int, *, at: datetime) -> None:
        """Make it held, if it is valid, in one conditional update; a held one is left as it is.

        A change counts in `changes`. Raise `AlreadyRevoked`, `NotIssued`.
        """

    def release(self, issuer: str, serial: int) -> None:
        """Make it valid, if it is held, in one conditional update; a valid one is left as it is.

        `revoked_at` becomes None. A change counts in `changes`. Raise `AlreadyRevoked`, `NotIssued`.
        """

    def changes(self, issuer: str) -> int:
        """Return a mark that differs after every committed revoke, hold or release of this issuer.

        Cheap. Marks are compared for equality only. 0 for an issuer without any.
        """

    def draft_crl(self, issuer: str, *, not_after_from: datetime | None) -> CRLDraft:
        """Take the next CRL number and, behind it, read who is held or revoked.

        Numbers of an issuer start at 1 and only rise (RFC 5280, 5.2.3); gaps are allowed. Number,
        mark and entries are read in one transaction that first locks the number, so that a list
        with a higher number never knows less than one with a lower number. Entries whose
        certificate ended before `not_after_from` are left out (None: none is); by serial number.
        """

    def save_crl(self, crl: SavedCRL) -> None:
        """Keep the list if its number is higher than that of the kept one; else do nothing."""

    def latest_crl(self, issuer: str) -> SavedCRL | None:
        """Return the kept list."""
