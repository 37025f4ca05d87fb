"""Who comes into a group and who goes: what a client asked for against what is there.

A member may be a stranger, whom only the client knows. Referential integrity is a provider's choice
(RFC 7643, 2.3.7), and clients that send a whole group take a refusal of one member for the end of the group.
A stranger is kept and shown by id alone, without `$ref`, `type` and `display`, and counts for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from mobid.provisioning.keys import checked_key
from mobid.storage.groups import (
    add_members,
    lock_groups,
    members_among,
    remove_members,
    users_gone,
    users_there,
)
from mobid_scim.errors import InvalidValue, NotFound, PreconditionFailed
from mobid_scim.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mobid_scim.resource import Values
    from mobid_scim.rows import RowChanges

_USER: Final = "user"
_GROUP: Final = "group"
_ENDPOINTS: Final = frozenset({"Users", "Groups"})


@dataclass(frozen=True, slots=True)
class Moves:
    """Members that come, by what they are, and those that go; each of them does change something."""

    users: frozenset[str]
    groups: frozenset[str]
    strangers: frozenset[str]
    gone: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Tell whether anything changes."""
        return bool(self.added or self.gone)

    @property
    def added(self) -> int:
        """How many come."""
        return len(self.users) + len(self.groups) + len(self.strangers)

    def carry_out(self, connection: Connection, group_id: str) -> None:
        """Write them."""
        remove_members(connection, group_id, self.gone)
        add_members(
            connection,
            group_id,
            user_ids=self.users,
            subgroup_ids=self.groups,
            strangers=self.strangers,
        )


def first_members(connection: Connection, rows: Mapping[str, Values]) -> Moves:
    """Return what makes the members of a new group, or raise InvalidValue."""
    users = users_there(connection, rows)
    groups = set(lock_groups(connection, rows.keys() - users))
    return _coming(connection, rows, users, groups)


def planned(
    connection: Connection, group_id: str, changes: RowChanges, *, expected_version: str | None
) -> Moves:
    """Lock a group, and return what the changes do to it.

    Raises InvalidValue for a member that cannot be, NotFound, or PreconditionFailed.
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
    if group_id in coming:
        raise InvalidValue(f"members: {quoted(group_id)} is the group itself.")
    rows = {member: changes.added[member] for member in coming}
    moves = _coming(connection, rows, users & coming, versions.keys() & coming)
    gone = there if changes.cleared else there & changes.removed
    return replace(moves, gone=frozenset(gone - added))


def _check_version(group_id: str, versions: Mapping[str, int], expected: str | None) -> None:
    if group_id not in versions:
        raise NotFound(f"There is no Group {quoted(group_id)}.")
    if expected not in {None, str(versions[group_id])}:
        raise _changed(group_id)


def _changed(group_id: str) -> PreconditionFailed:
    return PreconditionFailed(
        f"Group {quoted(group_id)} was changed by somebody else; read it again."
    )


def _coming(
    connection: Connection, rows: Mapping[str, Values], users: set[str], groups: set[str]
) -> Moves:
    """Refuse members that are gone, or something else than the client says."""
    known = dict.fromkeys(users, _USER) | dict.fromkeys(groups, _GROUP)
    strangers = rows.keys() - known.keys()
    for member in sorted(users_gone(connection, strangers)):
        raise InvalidValue(f"members: User {quoted(member)} is deleted.")
    for member in sorted(strangers):
        _check_stranger(member, rows[member].get("$ref"))
    for member, kind in known.items():
        if str(rows[member].get("type", kind)).casefold() != kind:
            raise InvalidValue(f"members: {quoted(member)} is a {kind.title()}, by its id.")
        _check_reference(member, kind, rows[member].get("$ref"))
    return Moves(frozenset(users), frozenset(groups), frozenset(strangers))


def _check_stranger(member: str, reference: object) -> None:
    """Refuse what no resource can be called (RFC 7643, 3.1), and what no index can hold.

    Refused is also a `$ref` to another User or Group, who would not be a member in spite of it.
    """
    endpoint, leads_to = _destination(reference)
    if endpoint in _ENDPOINTS and leads_to != member:
        raise InvalidValue(
            f"members: $ref {quoted(str(reference))} leads to somebody else than {quoted(member)}; leave it."
        )
    if member.casefold().startswith("bulkid:"):
        raise InvalidValue(f"members: {quoted(member)} has a meaning in Bulk requests alone.")
    checked_key("members.value", member)


def _check_reference(member: str, kind: str, reference: object) -> None:
    """Refuse a `$ref` that leads to somebody else: nobody could tell who is meant."""
    if reference is None:
        return
    endpoint, leads_to = _destination(reference)
    if leads_to != member or endpoint in _ENDPOINTS - {f"{kind.title()}s"}:
        raise InvalidValue(
            f"members: {quoted(member)} is a {kind.title()}, and $ref {quoted(str(reference))}"
            " leads elsewhere; leave it."
        )


def _destination(reference: object) -> tuple[str, str]:
    """Return the last two parts of a reference: an endpoint, if there is one, and an id."""
    *_, endpoint, last = ("", *str(reference).split("/"))
    return endpoint, last
