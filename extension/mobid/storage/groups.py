"""Groups as rows: SCIM writes them, and changes members one by one, however many there are.

Who changes members locks users first and groups then, each in the order of their ids, as everybody does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, insert, select, update

from mobid.domain.users import UserState
from mobid.storage.columns import is_storable
from mobid.storage.given import is_given
from mobid.storage.mapping import RowMap
from mobid.storage.tables import group_members, groups, users

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRow:
    """One row of `groups`."""

    id: str
    display_name: str
    display_name_key: str
    version: int = 1
    created_at: datetime
    changed_at: datetime
    client: str
    doc: str


_GROUP_ROWS: Final = RowMap(GroupRow)
_INSERT: Final = insert(groups)
_UPDATE: Final = update(groups).where(groups.c.id == bindparam("its_id"))
_MEMBERS: Final = insert(group_members)
_MEMBERS_OF: Final = select(group_members.c.member_id).where(
    group_members.c.group_id == bindparam("its_group")
)
_MEMBERS_AMONG: Final = _MEMBERS_OF.where(is_given(group_members.c.member_id, "ids"))
_REMOVE: Final = delete(group_members).where(
    group_members.c.group_id == bindparam("its_group"),
    is_given(group_members.c.member_id, "ids"),
)
_LEAVE: Final = delete(group_members).where(
    is_given(group_members.c.group_id, "ids"),
    group_members.c.member_id == bindparam("its_member"),
)
_CHANGED: Final = (
    update(groups)
    .where(is_given(groups.c.id, "ids"))
    .values(version=groups.c.version + 1, changed_at=bindparam("at"))
)
_USERS_THERE: Final = (
    select(users.c.id)
    .where(users.c.state != UserState.DELETED, is_given(users.c.id, "ids"))
    .order_by(users.c.id)
    .with_for_update(read=True, key_share=True)
)
_USERS_GONE: Final = select(users.c.id).where(
    users.c.state == UserState.DELETED, is_given(users.c.id, "ids")
)
_LOCK: Final = (
    select(groups.c.id, groups.c.version)
    .where(is_given(groups.c.id, "ids"))
    .order_by(groups.c.id)
    .with_for_update()
)


def insert_group(connection: Connection, row: GroupRow) -> None:
    """Write a new group without members."""
    connection.execute(_INSERT, _columns(row))


def update_group(connection: Connection, before: GroupRow, after: GroupRow) -> None:
    """Write what is different of a group, which the caller has locked."""
    old, new = _columns(before), _columns(after)
    changed = {name: value for name, value in new.items() if value != old[name]}
    connection.execute(_UPDATE, {**changed, "its_id": before.id})


def group_row(row: Row[Any]) -> GroupRow:
    """Return a found row as what can be changed and written back."""
    return _GROUP_ROWS.entity(row)


def delete_group(connection: Connection, group_id: str) -> int:
    """Delete a group that is in no other one, and return how many members it had."""
    mine = group_members.c.group_id == group_id
    members = connection.execute(delete(group_members).where(mine)).rowcount
    connection.execute(delete(groups).where(groups.c.id == group_id))
    return members


def users_there(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return which of these are users who are not deleted, and keep them so until the commit."""
    return _found(connection, _USERS_THERE, ids)


def users_gone(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return which of these were users, and are deleted."""
    return _found(connection, _USERS_GONE, ids)


def lock_groups(connection: Connection, ids: Collection[str]) -> dict[str, int]:
    """Return the versions of those that there are; nobody else changes them until the commit."""
    known = _storable(ids)
    rows = connection.execute(_LOCK, {"ids": known}) if known else ()
    return {row.id: row.version for row in rows}


def groups_around(connection: Connection, member_id: str) -> list[str]:
    """Return the groups that a user or group is in, directly."""
    table = group_members.c
    of_user = select(table.group_id).where(table.user_id == member_id)
    of_group = select(table.group_id).where(table.subgroup_id == member_id)
    return [*connection.execute(of_user.union(of_group)).scalars()]


def members_among(connection: Connection, group_id: str, ids: Collection[str] | None) -> set[str]:
    """Return which of these are members of a group, or all of its members."""
    here = {"its_group": group_id}
    if ids is None:
        return set(connection.execute(_MEMBERS_OF, here).scalars())
    return _found(connection, _MEMBERS_AMONG, ids, **here)


def add_members(
    connection: Connection,
    group_id: str,
    *,
    user_ids: Collection[str] = (),
    subgroup_ids: Collection[str] = (),
    strangers: Collection[str] = (),
) -> None:
    """Write members who are none yet; strangers are known to the client alone."""
    rows = [{"member_id": one, "user_id": one, "subgroup_id": None} for one in sorted(user_ids)]
    rows += [
        {"member_id": one, "user_id": None, "subgroup_id": one} for one in sorted(subgroup_ids)
    ]
    rows += [{"member_id": one, "user_id": None, "subgroup_id": None} for one in sorted(strangers)]
    if rows:
        connection.execute(_MEMBERS, [{"group_id": group_id, **row} for row in rows])


def remove_members(connection: Connection, group_id: str, ids: Collection[str]) -> None:
    """Take members out of a group."""
    if ids:
        connection.execute(_REMOVE, {"its_group": group_id, "ids": sorted(ids)})


def leave_groups(connection: Connection, member_id: str, *, at: datetime) -> int:
    """Take a user or group out of all groups, each of which changes; return how many there were."""
    around = lock_groups(connection, groups_around(connection, member_id))
    if around:
        connection.execute(_LEAVE, {"ids": sorted(around), "its_member": member_id})
        connection.execute(_CHANGED, {"ids": sorted(around), "at": at})
    return len(around)


def _columns(row: GroupRow) -> dict[str, object]:
    return {**_GROUP_ROWS.columns(row), "display_name_key_reversed": row.display_name_key[::-1]}


def _found(
    connection: Connection, query: Select[Any], ids: Collection[str], **more: str
) -> set[str]:
    """Return which of the ids a query finds; where there are none, it is not asked."""
    known = _storable(ids)
    return set(connection.execute(query, {"ids": known, **more}).scalars()) if known else set()


def _storable(ids: Collection[str]) -> list[str]:
    """Return the ids that could be in the database."""
    return sorted(one for one in ids if is_storable(one))
