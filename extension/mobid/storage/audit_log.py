"""The audit log in the database: events beside what they record, sealed into a chain a little later.

No row is hot: writers only append. One sealer at a time gives numbers to what is committed, so that
no number is ever missing or given twice; what commits later is numbered later.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    bindparam,
    exists,
    func,
    insert,
    select,
    true,
    type_coerce,
    update,
)

from mobid.audit import (
    GENESIS,
    Checkpoint,
    Head,
    Sealed,
    checkpoint_due,
    seal,
    sign_checkpoint,
    verify,
)
from mobid.storage.columns import microseconds
from mobid.storage.engine import Transactions
from mobid.storage.mapping import RowMap
from mobid.storage.tables import audit_checkpoints, audit_events
from mobid.storage.transaction import Transaction, clock_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )
    from sqlalchemy import ColumnElement, Connection, Engine, Row

    from mobid.audit import AuditEvent, Report
    from mobid.processes.ports import Clock

_ONE_SEALER: Final = 7_236_840
"""The number of the advisory lock that a sealer holds on PostgreSQL."""
_BATCH: Final = 1000
_SEARCHED: Final = ("actor", "action", "object_type", "object_id")
_AS_IT_STANDS: Final = (
    audit_events.c.seq,
    audit_events.c.record,
    audit_events.c.hash,
    type_coerce(audit_events.c.at, BigInteger).label("at"),
    *(audit_events.c[name] for name in _SEARCHED),
)
_APPEND: Final = insert(audit_events)
_CHECKPOINTS: Final = RowMap(Checkpoint, apart={"head"})


@dataclass(frozen=True, slots=True)
class Sealing:
    """What one call of the sealer did."""

    events: int
    """How many events were sealed; a full batch means that there may be more."""
    checkpoint: Checkpoint | None = None
    """What was signed, to be kept away from the database as well."""


def append(connection: Connection, events: Sequence[AuditEvent]) -> None:
    """Write events in the transaction of what they record, in this order."""
    rows = [
        {
            "at": event.at,
            "actor": str(event.actor),
            "action": event.action,
            "object_type": event.object_type,
            "object_id": event.object_id,
            "record": event.record(),
        }
        for event in events
    ]
    if rows:
        connection.execute(_APPEND, rows)


class AuditLog:
    """Seals what was appended, and reads it again from the first record on."""

    def __init__(self, engine: Engine, *, clock: Clock | None = None, batch: int = _BATCH) -> None:
        self._transactions: Final = Transactions(engine)
        self._clock: Final = clock_of(engine, clock)
        self._batch: Final = batch

    def seal(self, key: Ed25519PrivateKey) -> Sealing:
        """Chain the committed events, at most a batch, and sign a checkpoint when one is due.

        If another sealer is at work, nothing is done.
        """
        if not self._is_anything_to_do():
            return Sealing(0)
        with self._transactions.writing() as connection:
            if not _is_only_sealer(connection):
                return Sealing(0)
            head, sealed = self._seal_events(connection)
            return Sealing(sealed, self._sign(connection, head, key))

    def verify(self, public_key: Ed25519PublicKey) -> Report:
        """Read the whole log as a stream, and say whether anybody has touched it."""
        return verify(self.sealed(), self.checkpoints(), public_key)

    def sealed(self) -> Iterator[Sealed]:
        """Yield what is sealed, in the order of its numbers. No transaction is held in between.

        A row whose columns say something else than its record is searched for, and found, as what
        nobody sealed: its record is empty.
        """
        query = select(*_AS_IT_STANDS).order_by(audit_events.c.seq).limit(self._batch)
        condition: ColumnElement[bool] = audit_events.c.seq.is_not(None)
        while True:
            with self._transactions.reading() as connection:
                rows = connection.execute(query.where(condition)).all()
            yield from (Sealed(row.seq, _record(row), _octets(row.hash)) for row in rows)
            if len(rows) < self._batch:
                return
            condition = audit_events.c.seq > rows[-1].seq

    def checkpoints(self) -> Iterator[Checkpoint]:
        """Yield the checkpoints there are at the first call, in the order of their numbers."""
        with self._transactions.reading() as connection:
            last = connection.execute(select(func.max(audit_checkpoints.c.seq))).scalar()
        if last is None:
            return
        query = select(audit_checkpoints).where(audit_checkpoints.c.seq <= last)
        query = query.order_by(audit_checkpoints.c.seq).limit(self._batch)
        condition: ColumnElement[bool] = true()
        while True:
            with self._transactions.reading() as connection:
                rows = connection.execute(query.where(condition)).all()
            yield from (_checkpoint(row) for row in rows)
            if len(rows) < self._batch:
                return
            condition = audit_checkpoints.c.seq > rows[-1].seq

    def _is_anything_to_do(self) -> bool:
        """Look before the write lock is asked for: most seconds have nothing to seal."""
        with self._transactions.reading() as connection:
            unsealed = select(exists().where(audit_events.c.seq.is_(None)))
            if connection.execute(unsealed).scalar_one():
                return True
            now = Transaction(connection, clock=self._clock, writes=False).now
            return checkpoint_due(_head(connection), at=now, last=_last_checkpoint(connection))

    def _seal_events(self, connection: Connection) -> tuple[Head, int]:
        """Give the next numbers to committed events; return the new head, and how many there were."""
        rows = connection.execute(
            select(audit_events.c.id, audit_events.c.record)
            .where(audit_events.c.seq.is_(None))
            .order_by(audit_events.c.id)
            .limit(self._batch)
        ).all()
        head = _head(connection)
        if not rows:
            return head, 0
        chain = list(seal((row.record for row in rows), head))
        connection.execute(
            update(audit_events)
            .where(audit_events.c.id == bindparam("row"))
            .values(seq=bindparam("number"), hash=bindparam("link")),
            [
                {"row": row.id, "number": link.seq, "link": link.hash}
                for row, link in zip(rows, chain, strict=True)
            ],
        )
        return chain[-1].head, len(rows)

    def _sign(
        self, connection: Connection, head: Head, key: Ed25519PrivateKey
    ) -> Checkpoint | None:
        now = Transaction(connection, clock=self._clock, writes=True).now
        last = _last_checkpoint(connection)
        if not checkpoint_due(head, at=now, last=last):
            return None
        signed = sign_checkpoint(head, at=now, previous=last, key=key)
        connection.execute(
            insert(audit_checkpoints).values(
                seq=signed.head.seq, hash=signed.head.hash, **_CHECKPOINTS.columns(signed)
            )
        )
        return signed


def _record(row: Row[Any]) -> bytes:
    """Return the record of a row, unless the columns beside it tell another story."""
    record = _octets(row.record)
    try:
        told = json.loads(record)
        at = microseconds(datetime.fromisoformat(told["at"]))
        same = at == row.at and all(told[name] == getattr(row, name) for name in _SEARCHED)
    except (ValueError, LookupError, TypeError):
        return record  # not what anybody sealed, as its hash will tell
    return record if same else b""


def _octets(value: bytes | str) -> bytes:
    """Return what stands there as octets: on SQLite, whoever tampers may leave text in their place."""
    return value.encode() if isinstance(value, str) else value


def _head(connection: Connection) -> Head:
    query = select(audit_events.c.seq, audit_events.c.hash).where(audit_events.c.seq.is_not(None))
    row = connection.execute(query.order_by(audit_events.c.seq.desc()).limit(1)).first()
    return GENESIS if row is None else Head(row.seq, row.hash)


def _last_checkpoint(connection: Connection) -> Checkpoint | None:
    query = select(audit_checkpoints).order_by(audit_checkpoints.c.seq.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else _checkpoint(row)


def _checkpoint(row: Row[Any]) -> Checkpoint:
    return _CHECKPOINTS.entity(row, head=Head(row.seq, row.hash))


def _is_only_sealer(connection: Connection) -> bool:
    """Tell whether no other sealer is at work; on SQLite the write lock says so."""
    if connection.dialect.name != "postgresql":
        return True
    alone = select(func.pg_try_advisory_xact_lock(_ONE_SEALER))
    return bool(connection.execute(alone).scalar_one())
