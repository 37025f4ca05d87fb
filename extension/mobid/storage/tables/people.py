"""Users as SCIM wrote them: columns to find and sort by, a side table of values, and the document."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Index, PrimaryKeyConstraint, Table, UniqueConstraint, false

from mobid.domain.users import UserState
from mobid.storage.columns import Choice, Instant, Key, Number, Text, one_of, reference
from mobid.storage.tables.schema import metadata, partial_index

users: Final = Table(
    "users",
    metadata,
    Column("id", Key, primary_key=True),
    Column("state", Choice(UserState), nullable=False),
    Column("user_name", Text, nullable=False),
    Column("user_name_key", Key, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("display_name_key", Key),
    Column("family_name_key", Key),
    Column("given_name_key", Key),
    Column("email", Text),
    Column("principal_name", Text),
    # The attribute `active` as a client wrote it; what holds is `state`.
    Column("scim_active", Boolean),
    Column("version", Number, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Column("client", Key, nullable=False),
    Column("doc", Text, nullable=False),
    one_of("state", UserState),
)

_NOT_DELETED: Final = users.c.state != "deleted"
partial_index(
    "ux_users_user_name_key",
    users.c.user_name_key,
    unique=True,
    where=_NOT_DELETED,
)
Index("ix_users_created_at", users.c.created_at, users.c.id)
Index("ix_users_changed_at", users.c.changed_at, users.c.id)
Index("ix_users_display_name_key", users.c.display_name_key, users.c.id)
Index("ix_users_family_name_key", users.c.family_name_key, users.c.id)

user_values: Final = Table(
    "user_values",
    metadata,
    reference("user_id", "users.id"),
    Column("attr", Key, nullable=False),
    Column("position", Number, nullable=False),
    Column("type", Key),
    Column("value", Text),
    Column("value_key", Key),
    # The key backwards, which makes "ends with" a range of the index.
    Column("value_key_reversed", Key),
    Column("is_primary", Boolean, nullable=False, server_default=false()),
    PrimaryKeyConstraint("user_id", "attr", "position"),
)

Index(
    "ix_user_values_value_key", user_values.c.attr, user_values.c.value_key, user_values.c.user_id
)
Index(
    "ix_user_values_value_key_reversed",
    user_values.c.attr,
    user_values.c.value_key_reversed,
    user_values.c.user_id,
)

external_ids: Final = Table(
    "external_ids",
    metadata,
    Column("resource_type", Key, nullable=False),
    Column("client", Key, nullable=False),
    Column("external_id", Key, nullable=False),
    Column("resource_id", Key, nullable=False),
    PrimaryKeyConstraint("resource_type", "client", "external_id"),
    UniqueConstraint("resource_type", "resource_id", "client"),
)
