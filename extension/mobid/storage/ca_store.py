"""The record of the built-in CA in the database. Nothing else writes its tables."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)
from typing_extensions import override

from mobid.ca.builtin.store import (
    CAStore,
    CRLDraft,
    Entry,
    Intent,
    RevokedEntry,
    SavedCRL,
    Standing,
)
from mobid.ca.errors import (
    AlreadyRevoked,
    KeyTaken,
    NotIssued,
    OtherCertificate,
    SerialTaken,
    StoreUnavailable,
)
from mobid.processes.authority import Reason
from mobid.storage.columns import Instant, instant, is_storable
from mobid.storage.engine import Transactions
from mobid.storage.errors import DatabaseUnavailable
from mobid.storage.mapping import RowMap
from mobid.storage.tables import ca_certificates, ca_crls, ca_intents
from mobid.storage.tables.builtin_ca import IS_ON_THE_LIST
from mobid.storage.upsert import insert_if_new, insert_or

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Row

_REASONS: Final = {reason.value: reason for reason in Reason}
_INTENTS: Final = RowMap(Intent, apart={"serial"})
_ENTRIES: Final = RowMap(Entry, apart={"intent", "reason"})
_CRLS: Final = RowMap(SavedCRL, apart={"changes"})
_LARGEST: Final = 2**160


class SQLCAStore(CAStore):
    """Implements `CAStore`, each method in one short transaction."""

    def __init__(self, engine: Engine) -> None:
        self._transactions: Final = Transactions(engine)

    @override
    def reserve(self, intent: Intent) -> Entry:
        with self._writing() as connection:
            if not insert_if_new(connection, ca_intents, _intent_values(intent)):
                return _standing_entry(connection, intent)
            connection.execute(
                insert(ca_certificates).values(
                    issuer=intent.issuer,
                    serial=_digits(intent.serial),
                    standing=Standing.VALID,
                    not_after=intent.not_after,
                )
            )
            return Entry(intent=intent)

    @override
    def record(self, issuer: str, serial: int, certificate: bytes) -> None:
        with self._writing() as connection:
            place = _place(issuer, serial)
            first = ca_certificates.c.certificate.is_(None)
            change = update(ca_certificates).where(place, first).values(certificate=certificate)
            if connection.execute(change).rowcount == 0:
                there = connection.execute(select(ca_certificates.c.certificate).where(place))
                row = there.first()
                if row is None:
                    raise NotIssued(serial)
                if row.certificate != certificate:
                    raise OtherCertificate(serial)

    @override
    def by_order(self, order_key: str) -> Entry | None:
        if not is_storable(order_key):
            return None
        with self._reading() as connection:
            return _entry_where(connection, ca_intents.c.order_key == order_key)

    @override
    def by_serial(self, issuer: str, serial: int) -> Entry | None:
        if not (is_storable(issuer) and 0 <= serial < _LARGEST):
            return None
        with self._reading() as connection:
            return _entry_where(connection, _place(issuer, serial))

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
        with self._writing() as connection:
            change = update(ca_certificates).where(
                _place(issuer, serial), ca_certificates.c.standing != Standing.REVOKED
            )
            done = connection.execute(
                change.values(
                    standing=Standing.REVOKED,
                    revoked_at=func.coalesce(ca_certificates.c.revoked_at, literal(at, Instant)),
                    reason=reason.value,
                    invalid_since=invalid_since,
                )
            )
            if done.rowcount:
                _count_change(connection, issuer)
            else:
                _standing_of(connection, issuer, serial)

    @override
    def hold(self, issuer: str, serial: int, *, at: datetime) -> None:
        self._move(issuer, serial, Standing.VALID, Standing.HELD, revoked_at=at)

    @override
    def release(self, issuer: str, serial: int) -> None:
        self._move(issuer, serial, Standing.HELD, Standing.VALID, revoked_at=None)

    @override
    def changes(self, issuer: str) -> int:
        query = select(ca_crls.c.changes).where(ca_crls.c.issuer == issuer)
        with self._reading() as connection:
            return connection.execute(query).scalar() or 0

    @override
    def draft_crl(self, issuer: str, *, not_after_from: datetime | None) -> CRLDraft:
        with self._writing() as connection:
            number, changes = _next_number(connection, issuer)
            return CRLDraft(number, changes, _listed(connection, issuer, not_after_from))

    @override
    def save_crl(self, crl: SavedCRL) -> None:
        kept = _CRLS.columns(crl) | {"crl_changes": crl.changes}
        with self._writing() as connection:
            connection.execute(
                insert_or(connection, ca_crls)
                .values(last_number=crl.number, changes=crl.changes, **kept)
                .on_conflict_do_update(
                    index_elements=[ca_crls.c.issuer],
                    set_=kept,
                    where=or_(ca_crls.c.number.is_(None), ca_crls.c.number < crl.number),
                )
            )

    @override
    def latest_crl(self, issuer: str) -> SavedCRL | None:
        query = select(ca_crls).where(ca_crls.c.issuer == issuer, ca_crls.c.number.is_not(None))
        with self._reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _CRLS.entity(row, changes=row.crl_changes)

    def _move(
        self,
        issuer: str,
        serial: int,
        before: Standing,
        after: Standing,
        *,
        revoked_at: datetime | None,
    ) -> None:
        """Move between valid and held, unless it is there already; raise for one that is revoked."""
        with self._writing() as connection:
            change = update(ca_certificates).where(
                _place(issuer, serial), ca_certificates.c.standing == before
            )
            if connection.execute(change.values(standing=after, revoked_at=revoked_at)).rowcount:
                _count_change(connection, issuer)
            elif _standing_of(connection, issuer, serial) is Standing.REVOKED:
                raise AlreadyRevoked(serial)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._transactions.writing() as connection:
                yield connection
        except DatabaseUnavailable as error:
            raise StoreUnavailable(str(error)) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._transactions.reading() as connection:
                yield connection
        except DatabaseUnavailable as error:
            raise StoreUnavailable(str(error)) from error


def _digits(serial: int) -> str:
    """Return a serial number as text whose order is that of the numbers."""
    return f"{serial:040x}"


def _place(issuer: str, serial: int) -> ColumnElement[bool]:
    return (ca_certificates.c.issuer == issuer) & (ca_certificates.c.serial == _digits(serial))


def _standing_of(connection: Connection, issuer: str, serial: int) -> Standing:
    query = select(ca_certificates.c.standing).where(_place(issuer, serial))
    standing: Standing | None = connection.execute(query).scalar()
    if standing is None:
        raise NotIssued(serial)
    return standing


def _standing_entry(connection: Connection, intent: Intent) -> Entry:
    """Return what stands under the order key of an intent that was not written, or say why it was not."""
    found = _entry_where(connection, ca_intents.c.order_key == intent.order_key)
    if found is not None:
        return found
    same_key = select(ca_intents.c.order_key).where(ca_intents.c.key_hash == intent.key_hash)
    if connection.execute(same_key).first() is not None:
        raise KeyTaken(intent.order_key)
    raise SerialTaken(intent.serial)


def _entry_where(connection: Connection, condition: ColumnElement[bool]) -> Entry | None:
    query = (
        select(
            ca_intents,
            ca_certificates.c.certificate,
            ca_certificates.c.standing,
            ca_certificates.c.revoked_at,
            ca_certificates.c.reason,
            ca_certificates.c.invalid_since,
        )
        .join_from(
            ca_intents,
            ca_certificates,
            (ca_intents.c.issuer == ca_certificates.c.issuer)
            & (ca_intents.c.serial == ca_certificates.c.serial),
        )
        .where(condition)
    )
    row = connection.execute(query).first()
    return None if row is None else _entry(row)


def _entry(row: Row[Any]) -> Entry:
    intent = _INTENTS.entity(row, serial=int(row.serial, 16))
    return _ENTRIES.entity(row, intent=intent, reason=_REASONS.get(row.reason))


def _intent_values(intent: Intent) -> dict[str, Any]:
    return _INTENTS.columns(intent) | {"serial": _digits(intent.serial)}


def _count_change(connection: Connection, issuer: str) -> None:
    connection.execute(
        insert_or(connection, ca_crls)
        .values(issuer=issuer, last_number=0, changes=1)
        .on_conflict_do_update(
            index_elements=[ca_crls.c.issuer], set_={"changes": ca_crls.c.changes + 1}
        )
    )


def _next_number(connection: Connection, issuer: str) -> tuple[int, int]:
    """Take the next number of an issuer, whose row is locked from here on; return the mark, too."""
    row = connection.execute(
        insert_or(connection, ca_crls)
        .values(issuer=issuer, last_number=1, changes=0)
        .on_conflict_do_update(
            index_elements=[ca_crls.c.issuer], set_={"last_number": ca_crls.c.last_number + 1}
        )
        .returning(ca_crls.c.last_number, ca_crls.c.changes)
    ).one()
    return row.last_number, row.changes


def _listed(
    connection: Connection, issuer: str, not_after_from: datetime | None
) -> list[RevokedEntry]:
    """Return the lines of a list; with a million of them, every detour per line is a second."""
    query = (
        select(
            ca_certificates.c.serial,
            type_coerce(ca_certificates.c.revoked_at, BigInteger),
            type_coerce(ca_certificates.c.reason, BigInteger),
            type_coerce(ca_certificates.c.invalid_since, BigInteger),
        )
        .where(ca_certificates.c.issuer == issuer, IS_ON_THE_LIST)
        .order_by(ca_certificates.c.serial)
    )
    if not_after_from is not None:
        query = query.where(ca_certificates.c.not_after >= not_after_from)
    return [
        RevokedEntry(
            int(serial, 16),
            instant(revoked_at),
            _REASONS.get(reason),
            None if invalid_since is None else instant(invalid_since),
        )
        for serial, revoked_at, reason, invalid_since in connection.execute(query)
    ]
