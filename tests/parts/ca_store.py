"""The record of the built-in CA in memory."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import override

from mobid.ca.builtin.store import CAStore, CRLDraft, Entry, RevokedEntry, Standing
from mobid.ca.errors import (
    AlreadyRevoked,
    KeyTaken,
    NotIssued,
    OtherCertificate,
    SerialTaken,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mobid.ca import Reason
    from mobid.ca.builtin.store import Intent, SavedCRL


class MemoryCAStore(CAStore):
    """The record of the built-in CA in memory: `CAStore` with one lock for its transactions.

    A test takes the connection away by naming methods in `away` (the call is lost) or in `mute`
    (the call takes effect, its answer is lost).
    """

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.mute: set[str] = set()
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, int], Entry] = {}
        self._orders: dict[str, tuple[str, int]] = {}
        self._key_hashes: set[bytes] = set()
        self._changes: Counter[str] = Counter()
        self._numbers: Counter[str] = Counter()
        self._lists: dict[str, SavedCRL] = {}

    @override
    def reserve(self, intent: Intent) -> Entry:
        with self._transaction("reserve"):
            if intent.order_key in self._orders:
                return self._entries[self._orders[intent.order_key]]
            if intent.key_hash in self._key_hashes:
                raise KeyTaken(intent.order_key)
            place = (intent.issuer, intent.serial)
            if place in self._entries:
                raise SerialTaken(intent.serial)
            self._key_hashes.add(intent.key_hash)
            self._orders[intent.order_key] = place
            self._entries[place] = Entry(intent=intent)
            return self._entries[place]

    @override
    def record(self, issuer: str, serial: int, certificate: bytes) -> None:
        with self._transaction("record"):
            entry = self._at(issuer, serial)
            if entry.certificate not in {None, certificate}:
                raise OtherCertificate(serial)
            self._entries[issuer, serial] = replace(entry, certificate=certificate)

    @override
    def by_order(self, order_key: str) -> Entry | None:
        with self._transaction("by_order"):
            place = self._orders.get(order_key)
            return None if place is None else self._entries[place]

    @override
    def by_serial(self, issuer: str, serial: int) -> Entry | None:
        with self._transaction("by_serial"):
            return self._entries.get((issuer, serial))

    @override
    def revoke(
        self,
        issuer: str,
        serial: int,
        *,
        at: datetime,
        reason: Reason,
        invalid_since: datetime | None = None,
    ) -> None:
        with self._transaction("revoke"):
            entry = self._at(issuer, serial)
            if entry.standing is not Standing.REVOKED:
                self._change(
                    replace(
                        entry,
                        standing=Standing.REVOKED,
                        revoked_at=entry.revoked_at or at,
                        reason=reason,
                        invalid_since=invalid_since,
                    )
                )

    @override
    def hold(self, issuer: str, serial: int, *, at: datetime) -> None:
        with self._transaction("hold"):
            entry = self._at(issuer, serial)
            if entry.standing is Standing.REVOKED:
                raise AlreadyRevoked(serial)
            if entry.standing is Standing.VALID:
                self._change(replace(entry, standing=Standing.HELD, revoked_at=at))

    @override
    def release(self, issuer: str, serial: int) -> None:
        with self._transaction("release"):
            entry = self._at(issuer, serial)
            if entry.standing is Standing.REVOKED:
                raise AlreadyRevoked(serial)
            if entry.standing is Standing.HELD:
                self._change(replace(entry, standing=Standing.VALID, revoked_at=None))

    @override
    def changes(self, issuer: str) -> int:
        with self._transaction("changes"):
            return self._changes[issuer]

    @override
    def draft_crl(self, issuer: str, *, not_after_from: datetime | None) -> CRLDraft:
        with self._transaction("draft_crl"):
            self._numbers[issuer] += 1
            entries = [
                RevokedEntry(serial, entry.revoked_at, entry.reason, entry.invalid_since)
                for (of, serial), entry in sorted(self._entries.items())
                if of == issuer
                and entry.revoked_at is not None
                and (not_after_from is None or entry.intent.not_after >= not_after_from)
            ]
            return CRLDraft(self._numbers[issuer], self._changes[issuer], entries)

    @override
    def save_crl(self, crl: SavedCRL) -> None:
        with self._transaction("save_crl"):
            kept = self._lists.get(crl.issuer)
            if kept is None or kept.number < crl.number:
                self._lists[crl.issuer] = crl

    @override
    def latest_crl(self, issuer: str) -> SavedCRL | None:
        with self._transaction("latest_crl"):
            return self._lists.get(issuer)

    @contextmanager
    def _transaction(self, name: str) -> Iterator[None]:
        if name in self.away:
            raise StoreUnavailable("the database is away")
        with self._lock:
            yield
        if name in self.mute:
            raise StoreUnavailable("the database went away")

    def _at(self, issuer: str, serial: int) -> Entry:
        try:
            return self._entries[issuer, serial]
        except KeyError:
            raise NotIssued(serial) from None

    def _change(self, entry: Entry) -> None:
        self._entries[entry.intent.issuer, entry.intent.serial] = entry
        self._changes[entry.intent.issuer] += 1
