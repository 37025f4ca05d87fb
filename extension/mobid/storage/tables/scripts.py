"""Versions of option scripts, which of them are active, and what the CAs said they can do."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, ForeignKeyConstraint, PrimaryKeyConstraint, Table

from mobid.storage.columns import JSON, Instant, Key, Number, Text
from mobid.storage.tables.schema import metadata

script_versions: Final = Table(
    "script_versions",
    metadata,
    Column("name", Key, nullable=False),
    Column("version", Number, nullable=False),
    Column("source", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("tests", JSON, nullable=False),
    Column("quarantined_at", Instant),
    Column("quarantined_why", Text),
    PrimaryKeyConstraint("name", "version"),
)

active_scripts: Final = Table(
    "active_scripts",
    metadata,
    Column("name", Key, primary_key=True),
    Column("version", Number, nullable=False),
    Column("activated_by", Text, nullable=False),
    Column("activated_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["name", "version"],
        ["script_versions.name", "script_versions.version"],
        deferrable=True,
        initially="DEFERRED",
    ),
)

script_activations: Final = Table(
    "script_activations",
    metadata,
    Column("name", Key, nullable=False),
    Column("number", Number, nullable=False),
    Column("version", Number, nullable=False),
    Column("replaced", Number, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("name", "number"),
)

authority_records: Final = Table(
    "authority_records",
    metadata,
    Column("name", Key, primary_key=True),
    Column("capabilities", JSON, nullable=False),
    Column("answered_at", Instant, nullable=False),
)
