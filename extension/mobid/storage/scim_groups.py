"""Groups for SCIM: what they are searched by, who is in them, and in which a user is.

A user is in a group directly, or by being in a group that is in it, and so on; a circle of groups ends
where it began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, case, exists, false, func, literal, not_, select, true

from mobid.storage.given import is_given
from mobid.storage.scim import Place, ResourceTable, address
from mobid.storage.scim_filter import Attributes, Either, Relation, in_row
from mobid.storage.scim_values import Words
from mobid.storage.tables import group_members, groups, users

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CTE, ColumnElement, Connection, Row

    from mobid.storage.scim_filter import Elements

USER: Final = "User"
GROUP: Final = "Group"
_DIRECT: Final = "direct"
_INDIRECT: Final = "indirect"
_SUBGROUP: Final = groups.alias("subgroup")
_AROUND: Final = groups.alias("around")
_MEMBERS: Final = group_members.outerjoin(users, users.c.id == group_members.c.user_id).outerjoin(
    _SUBGROUP, _SUBGROUP.c.id == group_members.c.subgroup_id
)


def _by_kind(user: ColumnElement[str], group: ColumnElement[str]) -> ColumnElement[str]:
    """Return the one for users, the one for groups, or null for strangers, who have nothing but an id."""
    is_user, is_group = (
        each.is_not(None) for each in (group_members.c.user_id, group_members.c.subgroup_id)
    )
    return case((is_user, user), (is_group, group))


_MEMBERS_OF: Final = (
    select(
        group_members.c.group_id,
        group_members.c.member_id,
        _by_kind(literal(USER, Text), literal(GROUP, Text)).label("kind"),
    )
    .where(is_given(group_members.c.group_id, "groups"))
    .order_by(group_members.c.group_id, group_members.c.member_id)
)
_MEMBERS_NAMED: Final = _MEMBERS_OF.add_columns(
    func.coalesce(users.c.display_name, _SUBGROUP.c.display_name).label("display")
).select_from(_MEMBERS)


def _nested() -> CTE:
    """Return which group is below which other one, at any depth."""
    table, further = group_members.c, group_members.alias("further").c
    first = select(table.subgroup_id.label("below"), table.group_id.label("above"))
    pairs = first.where(table.subgroup_id.is_not(None)).cte("nested", recursive=True)
    # UNION leaves out what was there before, so that a circle ends.
    return pairs.union(
        select(pairs.c.below, further.group_id).where(further.subgroup_id == pairs.c.above)
    )


# One object: a statement may ask for it several times, and has it once.
_NESTED: Final = _nested()


_GROUPS: Final = ResourceTable(
    groups,
    "Group",
    true(),
    (groups.c.id, groups.c.version, groups.c.created_at, groups.c.changed_at, groups.c.doc),
    gone=false(),
)


def group_place(client: str, base_url: str) -> Place:
    """Return where groups are, as a client sees them."""
    return Place(_GROUPS, client, base_url)


def group_attributes(*, schema: str) -> Attributes:
    """Return what groups are searched by."""
    name = Words(groups.c.display_name_key, backwards=groups.c.display_name_key_reversed)
    return Attributes(
        named={
            **_GROUPS.common(),
            "schemas": in_row(Words(literal(schema))),
            "displayName": in_row(name),
        },
        several={"members": _members()},
    )


def groups_of_users() -> Elements:
    """Return the groups that users are in, as an attribute of users."""
    return Either((_direct(), _indirect()))


def members_of(
    connection: Connection, group_ids: Sequence[str], *, names: bool
) -> Sequence[Row[Any]]:
    """Return the members of some groups: group, id, kind, and its name if asked for.

    A kind is the name of a resource type; a stranger, whom only the client knows, has none.
    """
    statement = _MEMBERS_NAMED if names else _MEMBERS_OF
    return connection.execute(statement, {"groups": group_ids}).all()


def _direct() -> Relation:
    table = group_members.c
    return Relation(
        resource=users.c.id,
        owner=table.user_id,
        rows=group_members.join(_AROUND, _AROUND.c.id == table.group_id),
        where=true(),
        subs={
            "value": Words(table.group_id),
            "$ref": Words(address("Group", table.group_id)),
            "display": Words(_AROUND.c.display_name_key),
            "type": Words(literal(_DIRECT)),
        },
    )


def _indirect() -> Relation:
    table, own = group_members.c, group_members.alias("own").c
    above = _NESTED.c.above
    is_direct = exists().where(own.group_id == above, own.member_id == table.user_id)
    return Relation(
        resource=users.c.id,
        owner=table.user_id,
        rows=_NESTED.join(group_members, table.group_id == _NESTED.c.below).join(
            _AROUND, _AROUND.c.id == above
        ),
        where=not_(is_direct.correlate(_NESTED, group_members)),
        subs={
            "value": Words(above),
            "$ref": Words(address("Group", above)),
            "display": Words(_AROUND.c.display_name_key),
            "type": Words(literal(_INDIRECT)),
        },
    )


def _members() -> Relation:
    table = group_members.c
    return Relation(
        resource=groups.c.id,
        owner=table.group_id,
        rows=_MEMBERS,
        where=true(),
        subs={
            "value": Words(table.member_id),
            "$ref": Words(
                _by_kind(address(USER, table.user_id), address(GROUP, table.subgroup_id))
            ),
            # As it is compared: in any case.
            "type": Words(_by_kind(literal("user", Text), literal("group", Text))),
            "display": Words(
                func.coalesce(users.c.display_name_folded, _SUBGROUP.c.display_name_key)
            ),
        },
    )
