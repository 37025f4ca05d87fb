"""What repositories work on: one connection, one moment, and whether it may write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import literal_column, select

from mobid.storage.columns import Instant
from mobid.storage.engine import is_postgresql
from mobid.storage.errors import EndedUnit, ReadOnlyUnit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, CursorResult, Engine, Executable, Row

    from mobid.processes.ports import Clock

DATABASE_TIME: Final = literal_column(
    "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", Instant
)
"""The time of a database that has a clock."""
_ASK_THE_TIME: Final = select(DATABASE_TIME)


def clock_of(engine: Engine, clock: Clock | None) -> Clock | None:
    """Return the clock to use on an engine: the given one, or else the database's (none) if it has one.

    Several servers share PostgreSQL and so its clock; SQLite has one server, whose clock it is.
    """
    return clock or (None if is_postgresql(engine) else _process_clock)


def _process_clock() -> datetime:
    return datetime.now(UTC)


class Transaction:
    """A connection inside a unit of work. After its commit it can be read with, and no more."""

    def __init__(self, connection: Connection, *, clock: Clock | None, writes: bool) -> None:
        self._connection = connection
        self._clock = clock
        self._now: datetime | None = None
        self._writes = writes
        self._ended = False

    @property
    def now(self) -> datetime:
        """The time, the same at every call: of the given clock, or else of the database."""
        if self._now is None:
            self._now = self._clock() if self._clock else self._ask_the_database()
        return self._now

    def _ask_the_database(self) -> datetime:
        time: datetime = self._connection.execute(_ASK_THE_TIME).scalar_one()
        return time

    def all(self, query: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Return the rows of a query; `values` are those that it leaves open."""
        return self._connection.execute(query, values).all()

    def first(self, query: Executable) -> Row[Any] | None:
        """Return the first row of a query, or none."""
        return self._connection.execute(query).first()

    def write(
        self,
        statement: Executable,
        rows: Sequence[Mapping[str, Any]] | None = None,
    ) -> CursorResult[Any]:
        """Execute what writes or locks; raise as `writable` does."""
        return self.writable().execute(statement, rows)

    def writable(self) -> Connection:
        """Return the connection; raise `ReadOnlyUnit`, or `EndedUnit` after the commit."""
        if not self._writes:
            raise ReadOnlyUnit
        if self._ended:
            raise EndedUnit
        return self._connection

    def commit(self) -> None:
        """Commit; nothing can be written any more."""
        self.writable().commit()
        self._ended = True
