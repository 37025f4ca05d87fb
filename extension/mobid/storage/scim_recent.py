"""What has changed lately: the search that clients keep in step by, `meta.lastModified gt "…"`.

A page is in the order of creation, and SQLite, which has no statistics, would walk all resources in
that order to find the few that have changed. So it is asked first whether they are few.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, true

from mobid_scim.filter import And, Comparison, Operator

if TYPE_CHECKING:
    from sqlalchemy import Connection, FromClause, Table

    from mobid.storage.scim_filter import Condition
    from mobid_scim.filter import Filter

FEW: Final = 2_000
"""So many ids are found and sorted in a few milliseconds."""


def among_recent(connection: Connection, table: Table, tree: Filter | None) -> Condition:
    """Return a condition that adds nothing to a filter, but begins with its changes if they are few."""
    since = _since(tree)
    if since is None or connection.dialect.name != "sqlite" or not _is_indexed(table):
        return true()
    changes = _changes(table).c
    recent = select(changes.id).where(changes.changed_at >= since)
    number = select(func.count()).select_from(recent.limit(FEW + 1).subquery())
    if connection.execute(number).scalar_one() > FEW:
        return true()
    return table.c.id.in_(recent)


@cache
def _changes(table: Table) -> FromClause:
    """Return a table under another name. There are few tables, and each needs no more than one."""
    return table.alias("changes")


def _since(tree: Filter | None) -> datetime | None:
    """Return the moment that a change must not be before, for the filter to hold."""
    terms = tree.operands if isinstance(tree, And) else (tree,)
    moments = [
        term.value
        for term in terms
        if isinstance(term, Comparison)
        and str(term.path) == "meta.lastModified"
        and term.operator in {Operator.GT, Operator.GE}
        and isinstance(term.value, datetime)
    ]
    return max(moments, default=None)


def _is_indexed(table: Table) -> bool:
    return any(index.columns.keys()[0] == "changed_at" for index in table.indexes)
