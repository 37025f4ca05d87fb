"""In which groups a user is: directly, or by being in a group that is in it, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, exists, select

from mobid.storage.tables import group_members, groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Select


def _groups_in(wanted: ColumnElement[bool]) -> Select[Any]:
    table, above = group_members.c, group_members.alias("above").c
    first = select(table.user_id, table.group_id).where(wanted)
    reached = first.cte("reached", recursive=True)
    # UNION leaves out what was reached before, so that a circle ends.
    reached = reached.union(
        select(reached.c.user_id, above.group_id).where(above.subgroup_id == reached.c.group_id)
    )
    direct = exists().where(
        table.group_id == reached.c.group_id, table.member_id == reached.c.user_id
    )
    query = select(
        reached.c.user_id,
        groups.c.id,
        groups.c.display_name,
        direct.correlate(reached).label("is_direct"),
    ).where(groups.c.id == reached.c.group_id)
    return query.order_by(reached.c.user_id, groups.c.display_name_key, groups.c.id)


_OF_ONE: Final = _groups_in(group_members.c.user_id == bindparam("user"))
_OF_SEVERAL: Final = _groups_in(group_members.c.user_id.in_(bindparam("users", expanding=True)))


def groups_in(user_ids: Sequence[str]) -> tuple[Select[Any], Mapping[str, object]]:
    """Return what asks for the groups that some users are in, and the values that it leaves open.

    It answers with user, id, name, and whether directly; by name.
    """
    if len(user_ids) == 1:
        # SQLAlchemy writes a list anew each time, which costs more than the database needs.
        return _OF_ONE, {"user": user_ids[0]}
    return _OF_SEVERAL, {"users": user_ids}
