"""The migrations make exactly what the code believes in, on both databases."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from mobid.storage import (
    StorageError,
    Transactions,
    UnsuitableDatabase,
    migrate,
    open_engine,
)
from mobid.storage.migrate import is_current
from mobid.storage.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection, Engine
    from tests.conftest import Database
    from tests.extension.storage.conftest import Make

    from mobid.storage import SQLUnits

SQLITE_CATALOG = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version'"
POSTGRESQL_CATALOG = """
SELECT 'column', attrelid::regclass::text || '.' || attname, concat_ws(' ', attnum,
       format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation, attidentity,
       pg_get_expr(adbin, adrelid))
  FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
   AND relname <> 'alembic_version'
UNION ALL
SELECT 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
   AND conrelid::regclass::text <> 'alembic_version'
UNION ALL
SELECT 'index', indexname, indexdef FROM pg_indexes
 WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""


def catalog(connection: Connection) -> dict[tuple[str, str], list[str]]:
    """Return all that the database knows about its tables."""
    is_sqlite = connection.dialect.name == "sqlite"
    query = text(SQLITE_CATALOG if is_sqlite else POSTGRESQL_CATALOG)
    found = {(kind, name): what for kind, name, what in connection.execute(query)}
    # SQLite keeps the text of the statement, in which the order of constraints means nothing.
    return {key: lines(what) if is_sqlite else [what] for key, what in found.items()}


def lines(statement: str | None) -> list[str]:
    """Return the lines of a statement, sorted."""
    return sorted(line.strip().rstrip(",") for line in (statement or "").splitlines())


@pytest.fixture
def database(fresh_database: Database) -> Database:
    """Here tables are dropped and changed."""
    return fresh_database


class TestTheMigrations:
    """From nothing to what the tables of the code say."""

    def test_make_what_the_tables_say(self, database: Database) -> None:
        """Every column, type, collation, default, constraint and index, to the letter."""
        with Transactions(database.engine).writing() as connection:
            migrated = catalog(connection)
            metadata.drop_all(connection)
            assert catalog(connection) == {}
            metadata.create_all(connection)
            assert catalog(connection) == migrated
        assert len(migrated) > 60

    def test_leave_alembic_nothing_to_do(self, database: Database) -> None:
        """Its own comparison agrees."""
        with Transactions(database.engine).reading() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, metadata) == []

    def test_can_be_asked_for_again(self, database: Database) -> None:
        """A database that is current stays as it is."""
        assert is_current(database.engine)
        migrate(database.engine)
        assert is_current(database.engine)


class TestAFreshDatabase:
    """One that nobody has migrated yet."""

    def test_is_not_current(self, tmp_path: Path) -> None:
        """Who asks is told, and not with an error."""
        engine = open_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
        assert not is_current(engine)
        engine.dispose()

    def test_is_migrated_once_by_many_that_start_together(
        self, database: Database, tmp_path: Path
    ) -> None:
        """Servers and workers all migrate at their start; one does it and the others wait."""
        fresh = self._emptied(database, tmp_path)
        failed: list[BaseException] = []

        def start() -> None:
            try:
                migrate(fresh)
            except Exception as error:  # noqa: BLE001  # told by the assertion below
                failed.append(error)

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert is_current(fresh)
        fresh.dispose()

    @staticmethod
    def _emptied(database: Database, tmp_path: Path) -> Engine:
        if database.name == "sqlite":
            return open_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
        with Transactions(database.engine).writing() as connection:
            metadata.drop_all(connection)
            connection.execute(text("DROP TABLE alembic_version"))
        return database.engine


class TestADatabaseOfALaterVersion:
    """One that a newer mobid has migrated, and that an older one meets."""

    @pytest.mark.parametrize("step", [migrate, is_current])
    def test_is_left_alone(self, database: Database, step: Callable[[Engine], object]) -> None:
        """The revision is named, and what to run instead."""
        with Transactions(database.engine).writing() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(UnsuitableDatabase, match=r'"9999".*run that version'):
            step(database.engine)


class TestALaterMigration:
    """What the next revisions may do."""

    def test_can_make_a_table_anew_that_others_refer_to(
        self, database: Database, units: SQLUnits, make: Make, user_id: str
    ) -> None:
        """The rows stay, and so do those that refer to them."""
        profile = make.mobile_id(user_id)
        with units() as unit:
            unit.add(profile)
            unit.commit()
        with Transactions(database.engine).migrating() as connection:
            operations = Operations(MigrationContext.configure(connection))
            with operations.batch_alter_table("users", recreate="auto") as users:
                users.alter_column("client", new_column_name="made_by")
        with units() as unit:
            assert unit.mobile_ids.get(profile.id) == profile
            assert unit.users.get(user_id).active

    def test_cannot_leave_references_to_nothing(
        self, database: Database, units: SQLUnits, make: Make, user_id: str
    ) -> None:
        """All of it is undone, and references are checked again afterwards."""
        profile = make.mobile_id(user_id)
        with units() as unit:
            unit.add(profile)
            unit.commit()
        with pytest.raises(StorageError), Transactions(database.engine).migrating() as connection:
            connection.execute(text("DELETE FROM users"))
        with units.reading() as unit:
            assert unit.users.get(user_id).active
        with pytest.raises(StorageError), Transactions(database.engine).writing() as connection:
            connection.execute(text("DELETE FROM users"))


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_every_key_of_postgresql_is_sorted_by_code_points(
    postgresql_database: Database, table: str
) -> None:
    """No index of text depends on the locale of the server."""
    query = text(
        """SELECT attname FROM pg_index
             JOIN pg_attribute ON attrelid = indexrelid
            WHERE indrelid = CAST(:table AS regclass) AND attcollation NOT IN
                  (0, CAST('"C"' AS regcollation))"""
    )
    with Transactions(postgresql_database.engine).reading() as connection:
        assert connection.execute(query, {"table": table}).all() == []
