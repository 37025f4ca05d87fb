"""Engines for SQLite and PostgreSQL, and the transactions on them: writing and reading.

SQLite has one writer at a time. Its own waiting is unfair, so the writers of one process queue at a
lock of ours first, and then begin with BEGIN IMMEDIATE. PostgreSQL writes at READ COMMITTED, and
reads without a transaction round its statements.

Only `Transactions` begins them: on SQLite, a connection that is taken from the engine itself commits
each statement.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError, SQLAlchemyError

from mobid.storage.errors import DatabaseUnavailable, UnsuitableDatabase, from_database
from mobid.storage.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_QUEUE: Final = "mobid_writers"
_RESTED_SINCE: Final = "mobid_rested_since"
_CONNECTIONS: Final = 20
_PATIENCE: Final = timedelta(seconds=30)
"""How long a writer waits for other writers before its caller is told to come back later."""
_RESTED: Final = 5.0
"""Seconds after which a connection to PostgreSQL is asked whether it is still there. A server that has
gone since then costs one request a 503, which is the same as if it had gone during that request."""

Version = tuple[int, int, int]


class Journal(StrEnum):
    """How SQLite makes a transaction atomic."""

    WAL = "wal"
    TRUNCATE = "truncate"


def journal_for(version: Version) -> Journal:
    """Return the journal that is safe with a build of SQLite.

    From 3.7.0 to 3.51.2 a WAL can be reset while another connection reads it, which damages the
    database (https://sqlite.org/wal.html#walresetbug); 3.44.6 and 3.50.7 have the repair, too.
    """
    repaired = (3, 44, 6) <= version < (3, 45, 0) or (3, 50, 7) <= version < (3, 51, 0)
    faulty = (3, 7, 0) <= version <= (3, 51, 2) and not repaired
    return Journal.TRUNCATE if faulty else Journal.WAL


def open_engine(
    url: str, *, connections: int = _CONNECTIONS, patience: timedelta = _PATIENCE
) -> Engine:
    """Return an engine for `sqlite:////file` or `postgresql+psycopg://…`; nothing is connected yet.

    It has so many connections, and its writers wait so long for each other at most. Raise
    `UnsuitableDatabase` for anything else.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise UnsuitableDatabase("The address of the database cannot be read as a URL.") from None
    match address.get_backend_name():
        case "sqlite":
            return _open_sqlite(address, connections, patience)
        case "postgresql":
            return _open_postgresql(address, connections, patience)
        case other:
            raise UnsuitableDatabase(f"mobid runs on sqlite and postgresql, not on {other}.")


class Transactions:
    """Where transactions of one engine come from.

    Errors of the database leave as `ConstraintBroken` or `DatabaseUnavailable`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Begin one that writes; unless the caller commits, it is rolled back."""
        with _queue(self._engine), translated(), self._engine.connect() as connection:
            _begin_to_write(connection)
            with _left_clean(connection):
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin one that writes; it is committed at the end, or rolled back by an exception."""
        with self.begin() as connection:
            yield connection
            connection.commit()

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Begin one in which tables may be made anew; like `writing` otherwise.

        SQLite changes most of a table by making it anew, and would then find that others refer to
        what was dropped. So their references are checked at the end; raise `UnsuitableDatabase`.
        """
        with (
            _queue(self._engine),
            translated(),
            self._engine.connect() as connection,
            _unchecked_references(connection),
            _left_clean(connection),
        ):
            _begin_to_write(connection)
            yield connection
            _check_references(connection)
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with. On SQLite all its statements see one moment."""
        with translated(), self._engine.connect() as connection:
            if is_postgresql(self._engine):
                connection.execution_options(isolation_level="AUTOCOMMIT")
            else:
                _begin_to_read(connection)
            yield connection


def is_postgresql(engine: Engine) -> bool:
    """Tell which of the two databases this is."""
    return engine.dialect.name == "postgresql"


@contextmanager
def translated() -> Iterator[None]:
    """Let errors of the database leave as ours."""
    try:
        yield
    except SQLAlchemyError as error:
        meaning = from_database(error, metadata)
        if meaning is error:
            raise
        raise meaning from error


def _begin_to_write(connection: Connection) -> None:
    connection.begin()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_to_read(connection: Connection) -> None:
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        # It cannot fail, as SQLite takes no lock yet: so it need not go through SQLAlchemy.
        raw.execute("BEGIN")


@contextmanager
def _left_clean(connection: Connection) -> Iterator[None]:
    """End what a failed COMMIT leaves open on SQLite; SQLAlchemy believes that it has ended."""
    try:
        yield
    except BaseException:
        # PostgreSQL is not asked for its connection, which it may have ended.
        if connection.dialect.name == "sqlite":
            raw = connection.connection.driver_connection
            if isinstance(raw, sqlite3.Connection):
                raw.rollback()
        raise


@contextmanager
def _unchecked_references(connection: Connection) -> Iterator[None]:
    """Have SQLite not look at references; it takes this order between transactions only."""
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        yield
        return
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise UnsuitableDatabase(
            f'A migration would leave rows of table "{broken[0]}" that refer to nothing.'
        )


class _Writers:
    """The writers of one process on SQLite, one after the other."""

    def __init__(self, patience: timedelta) -> None:
        self._lock: Final = threading.Lock()
        self._patience: Final = patience.total_seconds()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn; raise `DatabaseUnavailable` when it does not come."""
        if not self._lock.acquire(timeout=self._patience):
            raise DatabaseUnavailable(f"another writer has not finished for {self._patience:g} s")
        try:
            yield
        finally:
            self._lock.release()


def _queue(engine: Engine) -> AbstractContextManager[None]:
    if is_postgresql(engine):
        return nullcontext()
    writers = engine.get_execution_options().get(_QUEUE)
    if not isinstance(writers, _Writers):
        raise UnsuitableDatabase("This engine has no queue for writers; make it with open_engine.")
    return writers.turn()


def _open_postgresql(address: URL, connections: int, patience: timedelta) -> Engine:
    settings = (
        f"lock_timeout={_milliseconds(patience)}",
        "idle_in_transaction_session_timeout=60s",
        "timezone=UTC",
    )
    options = " ".join(f"-c {setting}" for setting in settings)
    engine = create_engine(
        address.set(drivername="postgresql+psycopg"),
        connect_args={"options": options, "application_name": "mobid"},
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
    )

    def ask_if_rested(raw: DBAPIConnection, record: ConnectionPoolEntry, _fairy: object) -> None:
        since = record.info.get(_RESTED_SINCE)
        if since is not None and time.monotonic() - since > _RESTED:
            _ask(engine, raw)

    event.listen(engine, "checkout", ask_if_rested)
    event.listen(engine, "checkin", _note_rest)
    return engine


def _ask(engine: Engine, raw: DBAPIConnection) -> None:
    """Raise `InvalidatePoolError`, which opens new connections, if the server does not answer."""
    try:
        engine.dialect.do_ping(raw)
    except engine.dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _note_rest(_raw: object, record: ConnectionPoolEntry) -> None:
    record.info[_RESTED_SINCE] = time.monotonic()


def _open_sqlite(address: URL, connections: int, patience: timedelta) -> Engine:
    if address.database in {None, "", ":memory:"}:
        raise UnsuitableDatabase(
            "mobid needs a database in a file, such as sqlite:////var/mobid.db."
        )
    engine = create_engine(
        address.set(drivername="sqlite+pysqlite"),
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        execution_options={_QUEUE: _Writers(patience)},
    )

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        _prepare_sqlite(connection, patience)

    event.listen(engine, "connect", prepare)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, patience: timedelta) -> None:
    """Make a new connection durable and strict, and leave it to us when a transaction begins."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_milliseconds(patience)}")
    connection.execute(f"PRAGMA journal_mode = {journal_for(sqlite3.sqlite_version_info)}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _milliseconds(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)
