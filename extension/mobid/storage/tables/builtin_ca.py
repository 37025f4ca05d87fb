"""The record of the built-in CA. Only `ca_store` writes here."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from mobid.ca.builtin.store import Standing
from mobid.storage.columns import Choice, Instant, Key, Number, Text, one_of
from mobid.storage.tables.schema import metadata, partial_index

ca_intents: Final = Table(
    "ca_intents",
    metadata,
    Column("order_key", Key, primary_key=True),
    Column("order_digest", LargeBinary, nullable=False),
    Column("issuer", Key, nullable=False),
    # 40 hexadecimal digits, so that the order of the texts is that of the numbers.
    Column("serial", Key, nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    Column("profile", Text, nullable=False),
    Column("profile_hash", Text, nullable=False),
    Column("tbs", LargeBinary, nullable=False),
    Column("not_after", Instant, nullable=False),
    Column("planned_at", Instant, nullable=False),
    UniqueConstraint("issuer", "serial"),
    UniqueConstraint("key_hash"),
)

ca_certificates: Final = Table(
    "ca_certificates",
    metadata,
    Column("issuer", Key, nullable=False),
    Column("serial", Key, nullable=False),
    Column("certificate", LargeBinary),
    Column("standing", Choice(Standing), nullable=False),
    Column("revoked_at", Instant),
    Column("reason", Number),
    Column("invalid_since", Instant),
    Column("not_after", Instant, nullable=False),
    PrimaryKeyConstraint("issuer", "serial"),
    ForeignKeyConstraint(["issuer", "serial"], ["ca_intents.issuer", "ca_intents.serial"]),
    one_of("standing", Standing),
    CheckConstraint(
        "(standing = 'valid') = (revoked_at IS NULL) AND (standing = 'revoked') = (reason IS NOT NULL)",
        name="standing_has_its_facts",
    ),
)
# A partial index serves a query that has its very condition, word for word.
IS_ON_THE_LIST: Final = text("standing != 'valid'")
# What a revocation list is read from, without a look at the table.
partial_index(
    "ix_ca_certificates_revoked",
    ca_certificates.c.issuer,
    ca_certificates.c.serial,
    ca_certificates.c.revoked_at,
    ca_certificates.c.reason,
    ca_certificates.c.invalid_since,
    ca_certificates.c.not_after,
    where=IS_ON_THE_LIST,
)

ca_crls: Final = Table(
    "ca_crls",
    metadata,
    Column("issuer", Key, primary_key=True),
    Column("last_number", Number, nullable=False),
    Column("changes", Number, nullable=False),
    Column("number", Number),
    Column("crl_changes", Number),
    Column("entry_count", Number),
    Column("this_update", Instant),
    Column("next_update", Instant),
    Column("der", LargeBinary),
)
