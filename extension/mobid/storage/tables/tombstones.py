"""What deleted users were known by, and which groups they were in, who may be restored."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, PrimaryKeyConstraint, Table

from mobid.storage.columns import Key, reference
from mobid.storage.tables.schema import metadata

former_external_ids: Final = Table(
    "former_external_ids",
    metadata,
    reference("user_id", "users.id"),
    Column("client", Key, nullable=False),
    Column("external_id", Key, nullable=False),
    PrimaryKeyConstraint("user_id", "client"),
)

former_memberships: Final = Table(
    "former_memberships",
    metadata,
    reference("user_id", "users.id"),
    # A group that is deleted meanwhile is simply not there any more.
    Column("group_id", Key, nullable=False),
    PrimaryKeyConstraint("user_id", "group_id"),
)
