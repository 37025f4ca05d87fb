"""The audit log: events in the order of writing, sealed into a chain later, and signed checkpoints."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    UniqueConstraint,
)

from mobid.storage.columns import Instant, Key, Number, Text
from mobid.storage.tables.schema import metadata, partial_index

audit_events: Final = Table(
    "audit_events",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    # What can be searched for; what counts is the record, which the chain covers, and verify compares.
    Column("at", Instant, nullable=False),
    Column("actor", Key, nullable=False),
    Column("action", Key, nullable=False),
    Column("object_type", Key, nullable=False),
    Column("object_id", Key, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("seq", Number),
    Column("hash", LargeBinary),
    CheckConstraint("(seq IS NULL) = (hash IS NULL)", name="sealed_or_not"),
    UniqueConstraint("seq"),
)
Index("ix_audit_events_object", audit_events.c.object_type, audit_events.c.object_id)
partial_index(
    "ix_audit_events_unsealed",
    audit_events.c.id,
    where=audit_events.c.seq.is_(None),
)

audit_checkpoints: Final = Table(
    "audit_checkpoints",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    Column("at", Instant, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
