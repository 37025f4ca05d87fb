"""Who comes into a group and who goes: what a client asked for against what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobid.storage.groups import (
    add_members,
    lock_groups,
    members_among,
    remove_members,
    users_there,
)
from mobid_scim.errors import InvalidValue, NotFound, PreconditionFailed
from mobid_scim.path import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mobid_scim.resource import Values
    from mobid_scim.rows import RowChanges

_USER: Final = "user"
_GROUP: Final = "group"


@dataclass(frozen=True, slots=True)
class Moves:
    """Users and groups that come, and members that go; each of them does change something."""

    users: frozenset[str]
    groups: frozenset[str]
    gone: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Tell whether anything changes."""
        return bool(self.users or self.groups or self.gone)

    @property
    def added(self) -> int:
        """How many come."""
        return len(self.users) + len(self.groups)

    def carry_out(self, connection: Connection, group_id: str) -> None:
        """Write them."""
        remove_members(connection, group_id, self.gone)
        add_members(connection, group_id, user_ids=self.users, subgroup_ids=self.groups)


def first_members(connection: Connection, rows: Mapping[str, Values]) -> Moves:
    """Return what makes the members of a new group, or raise InvalidValue."""
    users = users_there(connection, rows)
    return _checked(rows, users, set(lock_groups(connection, rows.keys() - users)))


def planned(
    connection: Connection, group_id: str, changes: RowChanges, *, expected_version: str | None
) -> Moves:
    """Lock a group, and return what the changes do to it.

    Raises InvalidValue for a member that does not exist, NotFound, or PreconditionFailed.
    """
    added = changes.added.keys()
    asked = None if changes.cleared else added | changes.removed
    # Users are locked before groups, so what was read without a lock is looked at again.
    first = added - members_among(connection, group_id, asked)
    users = users_there(connection, first)
    versions = lock_groups(connection, (first - users) | {group_id})
    _check_version(group_id, versions, expected_version)
    there = members_among(connection, group_id, asked)
    coming = added - there
    if coming - first:
        raise _changed(group_id)
    rows = {member: changes.added[member] for member in coming}
    moves = _checked(rows, users & coming, versions.keys() & coming - {group_id})
    gone = there if changes.cleared else there & changes.removed
    return Moves(moves.users, moves.groups, frozenset(gone - added))


def _check_version(group_id: str, versions: Mapping[str, int], expected: str | None) -> None:
    if group_id not in versions:
        raise NotFound(f"There is no Group {quoted(group_id)}.")
    if expected not in {None, str(versions[group_id])}:
        raise _changed(group_id)


def _changed(group_id: str) -> PreconditionFailed:
    return PreconditionFailed(
        f"Group {quoted(group_id)} was changed by somebody else; read it again."
    )


def _checked(rows: Mapping[str, Values], users: set[str], groups: set[str]) -> Moves:
    """Refuse members that do not exist, and those that are something else than the client says."""
    for member, row in rows.items():
        if member not in users and member not in groups:
            raise InvalidValue(f"members: there is no other User or Group {quoted(member)}.")
        kind = _USER if member in users else _GROUP
        if str(row.get("type", kind)).casefold() != kind:
            raise InvalidValue(f"members: {quoted(member)} is a {kind.title()}, by its id.")
        _check_reference(member, kind, row.get("$ref"))
    return Moves(frozenset(users), frozenset(groups))


def _check_reference(member: str, kind: str, reference: object) -> None:
    """Refuse a `$ref` that leads to somebody else: nobody could tell who is meant."""
    if reference is None:
        return
    *before, last = str(reference).split("/")
    endpoint = before[-1] if before else ""
    if last != member or endpoint in {"Users", "Groups"} - {f"{kind.title()}s"}:
        raise InvalidValue(
            f"members: {quoted(member)} is a {kind.title()}, and $ref {quoted(str(reference))}"
            " leads elsewhere; leave it."
        )
