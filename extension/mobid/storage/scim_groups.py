"""Groups for SCIM: what they are searched by, who is in them, and in which a user is.

A user is in a group directly, or by being in a group that is in it, and so on; a circle of groups ends
where it began.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, case, exists, func, literal, not_, select, true

from mobid.storage.scim import Place, concat
from mobid.storage.scim_filter import Attributes, Either, Relation, in_row
from mobid.storage.scim_values import Words
from mobid.storage.tables import group_members, groups, users

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CTE, Connection, Row

    from mobid.storage.scim_filter import Elements

_DIRECT: Final = "direct"
_INDIRECT: Final = "indirect"
_SUBGROUP: Final = groups.alias("subgroup")
_AROUND: Final = groups.alias("around")
_MEMBERS: Final = group_members.outerjoin(users, users.c.id == group_members.c.user_id).outerjoin(
    _SUBGROUP, _SUBGROUP.c.id == group_members.c.subgroup_id
)


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


def group_place(client: str) -> Place:
    """Return where groups are, as a client sees them."""
    return Place(groups, "Group", client, true())


def group_attributes(client: str, *, base_url: str, schema: str) -> Attributes:
    """Return what groups are searched by."""
    name = Words(groups.c.display_name_key, backwards=groups.c.display_name_key_reversed)
    return Attributes(
        named={
            **group_place(client).common(f"{base_url}/Groups"),
            "schemas": in_row(Words(literal(schema))),
            "displayName": in_row(name),
        },
        several={"members": _members(base_url)},
    )


def groups_of_users(endpoint: str) -> Elements:
    """Return the groups that users are in, as an attribute of users."""
    return Either((_direct(endpoint), _indirect(endpoint)))


def members_of(
    connection: Connection, group_ids: Sequence[str], *, names: bool
) -> Sequence[Row[Any]]:
    """Return the members of some groups: group, id, whether it is a user, and its name if asked for."""
    table = group_members.c
    shown = select(table.group_id, table.member_id, table.user_id.is_not(None).label("is_user"))
    if names:
        name = func.coalesce(users.c.display_name, _SUBGROUP.c.display_name)
        shown = shown.add_columns(name.label("display")).select_from(_MEMBERS)
    query = shown.where(table.group_id.in_(group_ids))
    return connection.execute(query.order_by(table.group_id, table.member_id)).all()


def _direct(endpoint: str) -> Relation:
    table = group_members.c
    return Relation(
        resource=users.c.id,
        owner=table.user_id,
        rows=group_members.join(_AROUND, _AROUND.c.id == table.group_id),
        where=true(),
        subs={
            "value": Words(table.group_id),
            "$ref": Words(concat(f"{endpoint}/", table.group_id)),
            "display": Words(_AROUND.c.display_name_key),
            "type": Words(literal(_DIRECT)),
        },
    )


def _indirect(endpoint: str) -> Relation:
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
            "$ref": Words(concat(f"{endpoint}/", above)),
            "display": Words(_AROUND.c.display_name_key),
            "type": Words(literal(_INDIRECT)),
        },
    )


def _members(base_url: str) -> Relation:
    table = group_members.c
    is_user = table.user_id.is_not(None)
    endpoint = case(
        (is_user, literal(f"{base_url}/Users/", Text)), else_=literal(f"{base_url}/Groups/", Text)
    )
    return Relation(
        resource=groups.c.id,
        owner=table.group_id,
        rows=_MEMBERS,
        where=true(),
        subs={
            "value": Words(table.member_id),
            "$ref": Words(concat(endpoint, table.member_id)),
            # As it is compared: in any case.
            "type": Words(case((is_user, literal("user", Text)), else_=literal("group", Text))),
            "display": Words(
                func.coalesce(users.c.display_name_folded, _SUBGROUP.c.display_name_key)
            ),
        },
    )
