"""Engines for SQLite and PostgreSQL, and the transactions on them: writing and reading.

SQLite has one writer at a time. Its own waiting is unfair, so the writers of one process queue at a
lock of ours first, and then begin with BEGIN IMMEDIATE. PostgreSQL writes at READ COMMITTED, and
reads without a transaction round its statements.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from mobid.storage.errors import DatabaseUnavailable, UnsuitableDatabase, from_database
from mobid.storage.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import URL, Connection, Engine

_LOCK: Final = "mobid_write_lock"
_WRITES: Final = "mobid_writes"
_PATIENCE_SECONDS: Final = 30
"""How long a writer waits for other writers before its caller is told to come back later."""
_CONNECTIONS: Final = 20
_POSTGRESQL_OPTIONS: Final = " ".join(
    f"-c {setting}"
    for setting in (
        f"lock_timeout={_PATIENCE_SECONDS}s",
        "idle_in_transaction_session_timeout=60s",
        "timezone=UTC",
    )
)

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


def open_engine(url: str, *, connections: int = _CONNECTIONS) -> Engine:
    """Return an engine for `sqlite:////file` or `postgresql+psycopg://…`.

    Raise `UnsuitableDatabase` for anything else. Nothing is connected yet.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise UnsuitableDatabase("The address of the database cannot be read as a URL.") from None
    match address.get_backend_name():
        case "sqlite":
            return _open_sqlite(address, connections)
        case "postgresql":
            return _open_postgresql(address, connections)
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
        with _queue(self._engine), _translated(), self._engine.connect() as connection:
            yield connection.execution_options(**{_WRITES: True})

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Begin one that writes; it is committed at the end, or rolled back by an exception."""
        with self.begin() as connection:
            yield connection
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with. On SQLite all its statements see one moment."""
        how = {"isolation_level": "AUTOCOMMIT"} if is_postgresql(self._engine) else {}
        with _translated(), self._engine.connect() as connection:
            yield connection.execution_options(**how)


def is_postgresql(engine: Engine) -> bool:
    """Tell which of the two databases this is."""
    return engine.dialect.name == "postgresql"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        meaning = from_database(error, metadata)
        if meaning is error:
            raise
        raise meaning from error


def _queue(engine: Engine) -> AbstractContextManager[None]:
    if is_postgresql(engine):
        return nullcontext()
    lock = engine.get_execution_options().get(_LOCK)
    if lock is None:
        raise UnsuitableDatabase("This engine has no lock for writers; make it with open_engine.")
    return _turn(cast("threading.Lock", lock))


@contextmanager
def _turn(lock: threading.Lock) -> Iterator[None]:
    if not lock.acquire(timeout=_PATIENCE_SECONDS):
        raise DatabaseUnavailable(f"another writer has not finished for {_PATIENCE_SECONDS} s")
    try:
        yield
    finally:
        lock.release()


def _open_postgresql(address: URL, connections: int) -> Engine:
    return create_engine(
        address.set(drivername="postgresql+psycopg"),
        connect_args={"options": _POSTGRESQL_OPTIONS, "application_name": "mobid"},
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
    )


def _open_sqlite(address: URL, connections: int) -> Engine:
    if address.database in {None, "", ":memory:"}:
        raise UnsuitableDatabase(
            "mobid needs a database in a file, such as sqlite:////var/mobid.db."
        )
    engine = create_engine(
        address.set(drivername="sqlite+pysqlite"),
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
        execution_options={_LOCK: threading.Lock()},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Make a new connection durable and strict, and leave it to us when a transaction begins."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_SECONDS * 1000}")
    connection.execute(f"PRAGMA journal_mode = {journal_for(sqlite3.sqlite_version_info)}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
