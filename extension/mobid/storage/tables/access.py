"""Who may call, and how often: tokens of SCIM clients and administrators, front ends, counters."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import Column, Index, LargeBinary, Table, UniqueConstraint

from mobid.storage.columns import JSON, Choice, Instant, Key, Number, Several, one_of
from mobid.storage.tables.schema import metadata


class Audience(StrEnum):
    """Which surface a token is for."""

    SCIM = "scim"
    ADMIN = "admin"


api_tokens: Final = Table(
    "api_tokens",
    metadata,
    Column("id", Key, primary_key=True),
    Column("client", Key, nullable=False),
    Column("audience", Choice(Audience), nullable=False),
    Column("scopes", Several(str), nullable=False),
    # What its client is known to say otherwise than the RFCs of SCIM.
    Column("dialect", Key, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("last_used_at", Instant),
    one_of("audience", Audience),
    UniqueConstraint("secret_hash"),
)

frontends: Final = Table(
    "frontends",
    metadata,
    Column("name", Key, primary_key=True),
    Column("public_jwk", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

counters: Final = Table(
    "counters",
    metadata,
    Column("what", Key, primary_key=True),
    Column("whose", Key, primary_key=True),
    Column("number", Number, nullable=False),
    Column("ends_at", Instant, nullable=False),
)
Index("ix_counters_ends_at", counters.c.ends_at)
