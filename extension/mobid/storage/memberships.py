"""In which groups a user is: directly, or by being in a group that is in it, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import exists, select

from mobid.storage.given import is_given
from mobid.storage.tables import group_members, groups

if TYPE_CHECKING:
    from sqlalchemy import Select


def _groups_in() -> Select[Any]:
    table, above = group_members.c, group_members.alias("above").c
    first = select(table.user_id, table.group_id).where(is_given(table.user_id, "users"))
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


GROUPS_IN: Final = _groups_in()
"""Asks for the groups that some `users` are in: user, id, name, and whether directly; by name."""
