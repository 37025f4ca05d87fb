"""INSERT … ON CONFLICT, which both databases know and SQLAlchemy has in two dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Table


def insert_or(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_if_new(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless one of its unique values is taken; say whether it was inserted.

    The row count of an INSERT means something else on each driver, so the row itself is asked for.
    """
    new = insert_or(connection, table).values(values).on_conflict_do_nothing()
    key = next(iter(table.primary_key.columns))
    return connection.execute(new.returning(key)).first() is not None
