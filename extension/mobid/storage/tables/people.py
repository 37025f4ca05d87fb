"""Users and groups as SCIM wrote them: columns to find and sort by, rows of values, and the document."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

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
    # Case-folded: what members of a group are found by.
    Column("display_name_folded", Text, nullable=False),
    # The attribute `displayName`, which need not be there.
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
Index("ix_users_changed_at", users.c.changed_at, users.c.id)
# Where tombstones are, so that they can be counted.
partial_index("ix_users_deleted_at", users.c.deleted_at, where=users.c.state == "deleted")
# What pages are in the order of: they skip what comes before them without looking at its rows.
for _column in (users.c.created_at, users.c.display_name_key, users.c.family_name_key):
    partial_index(f"ix_users_{_column.name}", _column, users.c.id, where=_NOT_DELETED)

# Whatever a document says, one row per value, to find and sort by; a complex value has a row of its own, too.
user_values: Final = Table(
    "user_values",
    metadata,
    reference("user_id", "users.id"),
    Column("attr", Key, nullable=False),
    Column("position", Number, nullable=False),
    # The beginning of the text, as it is compared; null for a complex value.
    Column("value_key", Key),
    # The end of it backwards, which makes "ends with" a range of the index; null where nobody can ask that.
    Column("value_key_reversed", Key),
    # The whole of a text that is longer than its key.
    Column("long_value", Text),
    # Of several, the one that sorting goes by.
    Column("leads", Boolean, nullable=False),
    PrimaryKeyConstraint("user_id", "attr", "position"),
)

Index(
    "ix_user_values_value_key", user_values.c.attr, user_values.c.value_key, user_values.c.user_id
)
partial_index(
    "ix_user_values_value_key_reversed",
    user_values.c.attr,
    user_values.c.value_key_reversed,
    user_values.c.user_id,
    where=user_values.c.value_key_reversed.is_not(None),
)

# Word for word in queries for what is in long texts; a search of short ones needs their index alone.
partial_index(
    "ix_user_values_long_value",
    user_values.c.attr,
    user_values.c.user_id,
    where=user_values.c.long_value.is_not(None),
)

groups: Final = Table(
    "groups",
    metadata,
    Column("id", Key, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("display_name_key", Key, nullable=False),
    Column("display_name_key_reversed", Key, nullable=False),
    Column("version", Number, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("client", Key, nullable=False),
    Column("doc", Text, nullable=False),
)

Index("ix_groups_created_at", groups.c.created_at, groups.c.id)
Index("ix_groups_changed_at", groups.c.changed_at, groups.c.id)
Index("ix_groups_display_name_key", groups.c.display_name_key, groups.c.id)
Index("ix_groups_display_name_key_reversed", groups.c.display_name_key_reversed)

group_members: Final = Table(
    "group_members",
    metadata,
    reference("group_id", "groups.id"),
    # What clients call `value`: the id of a user, of a group, or of somebody whom only the client knows.
    Column("member_id", Key, nullable=False),
    reference("user_id", "users.id", nullable=True),
    reference("subgroup_id", "groups.id", nullable=True),
    CheckConstraint(
        "(user_id IS NULL OR subgroup_id IS NULL)"
        " AND member_id = coalesce(user_id, subgroup_id, member_id)",
        name="member_is_one_thing",
    ),
    CheckConstraint("member_id <> group_id", name="no_group_is_its_own_member"),
    PrimaryKeyConstraint("group_id", "member_id"),
)

Index("ix_group_members_user_id", group_members.c.user_id, group_members.c.group_id)
partial_index(
    "ix_group_members_subgroup_id",
    group_members.c.subgroup_id,
    group_members.c.group_id,
    where=group_members.c.subgroup_id.is_not(None),
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
