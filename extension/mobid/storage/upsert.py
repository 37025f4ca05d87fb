"""INSERT … ON CONFLICT, which both databases know and SQLAlchemy has in two dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def insert_or(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that has `on_conflict_do_nothing` and `on_conflict_do_update`."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
