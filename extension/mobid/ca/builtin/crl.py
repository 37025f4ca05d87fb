"""The revocation list (RFC 5280, 5), made when it is asked for and not fresh enough."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from mobid.ca.builtin import der
from mobid.ca.builtin.store import SavedCRL
from mobid.processes.authority import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from cryptography.x509 import ObjectIdentifier

    from mobid.ca.builtin.keys import Issuer
    from mobid.ca.builtin.store import CAStore, RevokedEntry

MOST_AGE: Final = timedelta(seconds=60)
"""Nobody gets a list that is older than this."""
LEAST_AGE_OF_LONG: Final = timedelta(seconds=30)
LONG: Final = 10_000
"""A list of more entries is not made anew after every revocation, but when it is 30 s old."""
STAYS_AFTER_EXPIRY: Final = timedelta(hours=1)
"""RFC 5280, 3.3: an entry stays until it was on one list that was made after the certificate's
end. It goes when the list before this one was made at least this long after the end."""

_HOLD: Final = 6


class RevocationList:
    """Hands out the newest list of one CA key, and makes it if need be."""

    def __init__(
        self, issuer: Issuer, store: CAStore, clock: Callable[[], datetime], life: timedelta
    ) -> None:
        self._issuer = issuer
        self._store = store
        self._clock = clock
        self._life = life
        self._making = threading.Lock()

    def newest(self) -> bytes:
        """Return a list (DER) that is at most 60 s old. May raise `StoreUnavailable`."""
        with self._making:
            kept = self._store.latest_crl(self._issuer.key_id)
            if kept is not None and self._is_fresh(kept):
                return kept.der
            return self._make(kept)

    def _is_fresh(self, kept: SavedCRL) -> bool:
        age = self._clock() - kept.this_update
        if not timedelta() <= age < MOST_AGE:
            return False
        if kept.entry_count > LONG and age < LEAST_AGE_OF_LONG:
            return True
        return self._store.changes(self._issuer.key_id) == kept.changes

    def _make(self, before: SavedCRL | None) -> bytes:
        issuer = self._issuer.key_id
        floor = None if before is None else before.this_update - STAYS_AFTER_EXPIRY
        draft = self._store.draft_crl(issuer, not_after_from=floor)
        # Read after the draft: no entry is newer than the list that it is on.
        this_update = self._clock().replace(microsecond=0)
        next_update = this_update + self._life
        made = SavedCRL(
            issuer=issuer,
            number=draft.number,
            changes=draft.changes,
            entry_count=len(draft.entries),
            this_update=this_update,
            next_update=next_update,
            der=_signed(self._issuer, draft.number, this_update, next_update, draft.entries),
        )
        self._store.save_crl(made)
        return made.der


def _signed(
    issuer: Issuer,
    number: int,
    this_update: datetime,
    next_update: datetime,
    entries: Sequence[RevokedEntry],
) -> bytes:
    """Return a CertificateList. Written directly: a million entries are no Python objects twice."""
    aki = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer.key_identifier)
    extensions = der.tlv(
        der.SEQUENCE,
        _extension(ExtensionOID.AUTHORITY_KEY_IDENTIFIER, aki.public_bytes()),
        _extension(ExtensionOID.CRL_NUMBER, der.integer(number)),
    )
    tbs = der.tlv(
        der.SEQUENCE,
        der.integer(1),  # version 2
        der.ECDSA_WITH_SHA256,
        issuer.certificate.subject.public_bytes(),
        der.time(this_update),
        der.time(next_update),
        # RFC 5280, 5.1.2.6: without entries the field is absent, not empty.
        der.tlv(der.SEQUENCE, *map(_entry, entries)) if entries else b"",
        der.tlv(der.EXPLICIT_0, extensions),
    )
    return der.signed(tbs, issuer.key)


def _entry(entry: RevokedEntry) -> bytes:
    reason = _HOLD if entry.reason is None else entry.reason
    extensions = _REASON_ALONE.get(reason, b"")
    if entry.invalid_since is not None:
        since = _extension(
            CRLEntryExtensionOID.INVALIDITY_DATE, der.generalized_time(entry.invalid_since)
        )
        extensions = der.tlv(der.SEQUENCE, _REASONS.get(reason, b""), since)
    return der.tlv(der.SEQUENCE, der.integer(entry.serial), der.time(entry.revoked_at), extensions)


def _extension(oid: ObjectIdentifier, value: bytes) -> bytes:
    """Return a non-critical extension."""
    return der.tlv(der.SEQUENCE, der.object_identifier(oid), der.tlv(der.OCTET_STRING, value))


_REASONS: Final = {
    code: _extension(CRLEntryExtensionOID.CRL_REASON, der.tlv(der.ENUMERATED, bytes((code,))))
    for code in (*Reason, _HOLD)
    # RFC 5280, 5.3.1: unspecified is said by leaving the reason out.
    if code != Reason.UNSPECIFIED
}
_REASON_ALONE: Final = {code: der.tlv(der.SEQUENCE, one) for code, one in _REASONS.items()}
