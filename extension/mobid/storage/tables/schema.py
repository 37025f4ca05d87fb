"""The schema that all tables belong to, how constraints are named, and the columns of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, CheckConstraint, Column, Index, MetaData, false, text

from mobid.storage.columns import Instant, Number, Text

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table, TextClause
    from sqlalchemy.schema import SchemaItem

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)


def partial_index(
    name: str, *columns: Column[Any], where: ColumnElement[bool] | TextClause, unique: bool = False
) -> None:
    """Index the rows that meet a condition. It serves a query that has this very condition."""
    Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def work_columns() -> list[SchemaItem]:
    """Return the columns of a row that can want work done outside its transaction.

    `work_claimed` is the newest attempt that somebody has taken on; only effects write it.
    """
    return [
        Column("work_wanted", Boolean, nullable=False, server_default=false()),
        Column("work_attempt", Number, nullable=False, server_default="0"),
        Column("work_claimed", Number, nullable=False, server_default="0"),
        Column("nudged_at", Instant),
        Column("wanted_since", Instant),
        Column("work_error", Text),
        Column("work_dead", Boolean, nullable=False, server_default=false()),
        CheckConstraint("work_claimed <= work_attempt", name="work_claim_was_nudged"),
    ]


def index_work(table: Table) -> None:
    """Index the rows that want work, by the time of their last nudge."""
    Index(
        f"ix_{table.name}_work",
        table.c.nudged_at,
        # As each database is asked for it: a partial index serves the very same condition only.
        postgresql_where=text("work_wanted"),
        sqlite_where=text("work_wanted = 1"),
    )
