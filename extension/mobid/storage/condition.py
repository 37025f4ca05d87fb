"""What a database says of itself: its build, its settings, its clock, its schema. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from mobid.storage.engine import Transactions, is_postgresql
from mobid.storage.tables import authority_records
from mobid.storage.text_index import has_text_index

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class SQLiteCondition:
    """SQLite, as this process has it open."""

    version: tuple[int, int, int]
    journal: str
    synchronous: int
    """2 is FULL, 3 EXTRA: a commit is on the disk when it returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQLCondition:
    """A PostgreSQL server, as our connections find it."""

    version: tuple[int, int]
    now: datetime
    isolation: str
    encoding: str
    fsync: bool
    synchronous_commit: str
    text_index: bool
    """Whether parts of texts are found by an index."""


Condition = SQLiteCondition | PostgreSQLCondition


def condition_of(engine: Engine) -> Condition:
    """Ask a database; raise `DatabaseUnavailable` or `UnsuitableDatabase`."""
    with Transactions(engine).reading() as connection:
        if is_postgresql(engine):
            return _postgresql(engine, connection)
        return _sqlite(connection)


def capabilities_answered_at(engine: Engine, name: str) -> datetime | None:
    """Return when a CA last said what it can do; none if it never did."""
    query = select(authority_records.c.answered_at).where(authority_records.c.name == name)
    with Transactions(engine).reading() as connection:
        found: datetime | None = connection.execute(query).scalar()
    return found


def _sqlite(connection: Connection) -> SQLiteCondition:
    major, minor, patch = str(_one(connection, "SELECT sqlite_version()")).split(".")[:3]
    return SQLiteCondition(
        version=(int(major), int(minor), int(patch)),
        journal=_one(connection, "PRAGMA journal_mode"),
        synchronous=_one(connection, "PRAGMA synchronous"),
    )


def _postgresql(engine: Engine, connection: Connection) -> PostgreSQLCondition:
    version = int(_one(connection, "SHOW server_version_num"))
    return PostgreSQLCondition(
        version=(version // 10_000, version % 10_000),
        now=_one(connection, "SELECT clock_timestamp()"),
        isolation=_isolation(engine),
        encoding=_one(connection, "SHOW server_encoding"),
        fsync=_one(connection, "SHOW fsync") == "on",
        synchronous_commit=_one(connection, "SHOW synchronous_commit"),
        text_index=has_text_index(connection),
    )


def _isolation(engine: Engine) -> str:
    """Return the level of a transaction that writes; it is rolled back."""
    with Transactions(engine).begin() as connection:
        return str(_one(connection, "SHOW transaction_isolation"))


def _one(connection: Connection, statement: str) -> Any:
    return connection.execute(text(statement)).scalar_one()
