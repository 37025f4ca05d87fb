"""Engines: durable, strict, and clear about whom they wait for."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, event, text

from mobid.storage import DatabaseUnavailable, Transactions, UnsuitableDatabase, open_engine
from mobid.storage.engine import _RESTED, _RESTED_SINCE, Journal, journal_for
from mobid.storage.users import insert_user

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine
    from sqlalchemy.pool import ConnectionPoolEntry
    from tests.conftest import Database
    from tests.extension.storage.conftest import Make

    from mobid.storage.engine import Version

IMPATIENT = timedelta(milliseconds=50)
COUNT_USERS = text("SELECT count(*) FROM users")


class TestTheJournal:
    """Which journal SQLite gets, by its version."""

    @pytest.mark.parametrize(
        ("version", "journal"),
        [
            ((3, 6, 23), Journal.WAL),
            ((3, 7, 0), Journal.TRUNCATE),
            ((3, 40, 1), Journal.TRUNCATE),
            ((3, 44, 5), Journal.TRUNCATE),
            ((3, 44, 6), Journal.WAL),
            ((3, 45, 0), Journal.TRUNCATE),
            ((3, 50, 6), Journal.TRUNCATE),
            ((3, 50, 7), Journal.WAL),
            ((3, 51, 0), Journal.TRUNCATE),
            ((3, 51, 2), Journal.TRUNCATE),
            ((3, 51, 3), Journal.WAL),
            ((3, 53, 0), Journal.WAL),
        ],
    )
    def test_is_a_wal_only_where_it_is_safe(self, version: Version, journal: Journal) -> None:
        """Builds with the WAL-reset fault, which no release repaired for them, use the old one."""
        assert journal_for(version) is journal

    def test_is_used_and_durable(self, fresh_sqlite: Database) -> None:
        """Every connection is checked for what it does, not for what it was told."""
        with Transactions(fresh_sqlite.engine).reading() as connection:
            found = {
                name: connection.execute(text(f"PRAGMA {name}")).scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        assert found == {
            "journal_mode": journal_for(sqlite3.sqlite_version_info),
            "synchronous": 2,
            "foreign_keys": 1,
        }


class TestOpening:
    """What is refused before anything is stored."""

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("nonsense", "cannot be read as a URL"),
            ("mysql://localhost/mobid", "runs on sqlite and postgresql, not on mysql"),
            ("sqlite://", "needs a database in a file"),
            ("sqlite:///:memory:", "needs a database in a file"),
        ],
    )
    def test_refuses_other_databases(self, url: str, message: str) -> None:
        """And says what would be right."""
        with pytest.raises(UnsuitableDatabase, match=message):
            open_engine(url)

    def test_of_a_sqlite_engine_elsewhere_does_not_make_it_ours(self, tmp_path: Path) -> None:
        """Without our queue, writers would meet in SQLite's own waiting."""
        engine = create_engine(f"sqlite:///{tmp_path / 'mobid.db'}")
        with (
            pytest.raises(UnsuitableDatabase, match="make it with open_engine"),
            Transactions(engine).writing(),
        ):
            pass

    @pytest.mark.parametrize(
        ("url", "cause"),
        [
            ("sqlite:////no/such/folder/mobid.db", "SQLITE_CANTOPEN"),
            ("postgresql://localhost:1/mobid", "OperationalError"),
        ],
    )
    def test_nothing_is_a_clear_error(self, url: str, cause: str) -> None:
        """A database that is not there is told as one that is away, not as a fault of ours."""
        engine = open_engine(url)
        with (
            pytest.raises(DatabaseUnavailable, match=rf"is not available \({cause}\)"),
            Transactions(engine).reading(),
        ):
            pass
        engine.dispose()

    def test_a_file_that_is_no_database_is_a_clear_error(self, tmp_path: Path) -> None:
        """Coming back later would not help, and so nobody is told to."""
        (tmp_path / "mobid.db").write_bytes(b"no database" * 1000)
        engine = open_engine(f"sqlite:///{tmp_path / 'mobid.db'}")
        with (
            pytest.raises(UnsuitableDatabase, match=r"file is not a database.*from the backup"),
            Transactions(engine).reading(),
        ):
            pass
        engine.dispose()


class TestWriting:
    """`Transactions.writing` and `begin`."""

    def test_commits_at_the_end_only(
        self, database: Database, transactions: Transactions, make: Make
    ) -> None:
        """An exception rolls back, and so does a `begin` without a commit."""
        with contextlib.suppress(ZeroDivisionError), transactions.writing() as connection:
            insert_user(connection, make.user_row())
            raise ZeroDivisionError
        with transactions.begin() as connection:
            insert_user(connection, make.user_row())
        with transactions.writing() as connection:
            insert_user(connection, make.user_row())
        with Transactions(database.engine).reading() as connection:
            assert connection.execute(COUNT_USERS).scalar() == 1

    def test_waits_for_other_writers_in_turn(self, transactions: Transactions, make: Make) -> None:
        """Eight threads write fifteen times each, and nobody is turned away."""
        rows = [make.user_row() for _ in range(8 * 15)]

        def write(mine: int) -> None:
            for row in rows[mine::8]:
                with transactions.writing() as connection:
                    connection.execute(COUNT_USERS)
                    insert_user(connection, row)

        threads = [threading.Thread(target=write, args=[mine]) for mine in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with transactions.reading() as connection:
            assert connection.execute(COUNT_USERS).scalar() == len(rows)

    def test_does_not_wait_for_ever(self, database: Database, make: Make) -> None:
        """Who cannot write because another does not finish is told to come back."""
        row = make.user_row()
        engine = open_engine(database.url, patience=IMPATIENT)
        transactions = Transactions(engine)
        lock = text("SELECT id FROM users FOR UPDATE")
        with transactions.writing() as connection:
            insert_user(connection, row)
        with transactions.begin() as first:
            if database.name == "postgresql":
                first.execute(lock)
            with pytest.raises(DatabaseUnavailable), transactions.begin() as second:
                second.execute(lock)
        engine.dispose()

    def test_does_not_wait_for_ever_for_another_process(self, sqlite_database: Database) -> None:
        """A second program that writes to the file is waited for by SQLite itself."""
        engine = open_engine(sqlite_database.url, patience=IMPATIENT)
        other = sqlite3.connect(str(engine.url.database), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with (
            pytest.raises(DatabaseUnavailable, match=r"is not available \(SQLITE_BUSY\)"),
            Transactions(engine).begin(),
        ):
            pass
        other.execute("ROLLBACK")
        with Transactions(engine).begin() as connection:
            assert connection.execute(COUNT_USERS).scalar() == 0
        other.close()
        engine.dispose()


class TestAConnectionThatIsLost:
    """What PostgreSQL ends is away, and no fault of ours."""

    def test_for_its_transaction_was_idle_too_long(self, postgresql_database: Database) -> None:
        """Who was stopped within a transaction, and comes back, can try again."""
        transactions = Transactions(postgresql_database.engine)
        is_there = text("SELECT 1 FROM pg_stat_activity WHERE pid = :pid")

        def be_stopped() -> None:
            with transactions.writing() as connection, transactions.reading() as other:
                pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '1ms'"))
                while other.execute(is_there, {"pid": pid}).first():
                    continue
                connection.execute(COUNT_USERS)

        # It depends on a moment whether the connection is found closed, or its last words are heard.
        words = r"not available \((OperationalError|IdleInTransactionSessionTimeout)\)"
        with pytest.raises(DatabaseUnavailable, match=words):
            be_stopped()

    def test_after_a_rest_nobody_notices(self, postgresql_database: Database) -> None:
        """A connection that nobody has used for a while is asked first whether it is still there."""
        engine = open_engine(postgresql_database.url)
        event.listen(engine, "checkin", _has_rested)
        end_connection(engine, by=postgresql_database)
        with Transactions(engine).reading() as connection:
            assert connection.execute(COUNT_USERS).scalar() == 0
        engine.dispose()

    def test_while_it_was_in_use_costs_one_transaction(self, postgresql_database: Database) -> None:
        """One that was used a moment ago is not asked: the next is told to come back, and then can."""
        engine = open_engine(postgresql_database.url)
        end_connection(engine, by=postgresql_database)
        with pytest.raises(DatabaseUnavailable), Transactions(engine).reading() as connection:
            connection.execute(COUNT_USERS)
        with Transactions(engine).reading() as connection:
            assert connection.execute(COUNT_USERS).scalar() == 0
        engine.dispose()


def _has_rested(_raw: object, record: ConnectionPoolEntry) -> None:
    """Let a connection that is given back look as if that was long ago."""
    record.info[_RESTED_SINCE] -= 2 * _RESTED


def end_connection(engine: Engine, *, by: Database) -> None:
    """Use a connection of an engine, and have the server end it when it is given back."""
    with Transactions(engine).reading() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    end = text("SELECT pg_terminate_backend(:pid, 5000)")
    with Transactions(by.engine).reading() as connection:
        assert connection.execute(end, {"pid": pid}).scalar_one() is True


class TestReading:
    """`Transactions.reading`."""

    def test_sees_one_moment_on_sqlite(self, sqlite_database: Database, make: Make) -> None:
        """What is committed in between shows in the next reading. PostgreSQL: per statement."""
        engine = open_engine(sqlite_database.url)
        with Transactions(engine).reading() as connection:
            assert connection.execute(COUNT_USERS).scalar() == 0
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            assert raw.in_transaction
        with Transactions(engine).writing() as connection:
            insert_user(connection, make.user_row())
        with Transactions(engine).reading() as connection:
            assert connection.execute(COUNT_USERS).scalar() == 1
        engine.dispose()

    def test_leaves_no_transaction_open_on_postgresql(self, postgresql_database: Database) -> None:
        """Each statement is its own: nothing keeps the server from tidying up."""
        with Transactions(postgresql_database.engine).reading() as connection:
            connection.execute(COUNT_USERS)
            state = text(
                "SELECT xact_start = query_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            )
            assert connection.execute(state).scalar() is True
