"""The audit log in the database: events beside what they record, sealed into the chain a little later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Text, cast, func, insert, literal

from mobid.storage.tables import audit_events

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from mobid.audit import AuditEvent


def append(connection: Connection, event: AuditEvent) -> None:
    """Write an event in the transaction of what it records."""
    connection.execute(
        insert(audit_events).values(
            transaction_id=_this_transaction(connection),
            at=event.at,
            actor=str(event.actor),
            action=event.action,
            object_type=event.object_type,
            object_id=event.object_id,
            record=event.record(),
        )
    )


def _this_transaction(connection: Connection) -> ColumnElement[int]:
    if connection.dialect.name == "postgresql":
        return cast(cast(func.pg_current_xact_id(), Text), BigInteger)
    return literal(0, BigInteger)
