"""Checks of the database, on both kinds; what is broken is found, and told with a remedy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from mobid.app.doctor.database import clocks, database, postgresql, schema, sqlite
from mobid.app.doctor.finding import Finding, Health
from mobid.storage import open_engine
from mobid.storage.condition import (
    PostgreSQLCondition,
    SQLiteCondition,
    capabilities_answered_at,
    condition_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conftest import Database, StandingClock

    from mobid.ca.builtin import BuiltinCA
    from mobid.storage import SQLUnits

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SQLITE = SQLiteCondition(version=(3, 51, 3), journal="wal", synchronous=2)
POSTGRESQL = PostgreSQLCondition(
    version=(16, 2),
    now=NOW,
    isolation="read committed",
    encoding="UTF8",
    fsync=True,
    synchronous_commit="on",
    text_index=True,
)


def by_name(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return findings by what they are about; each is told once."""
    found = list(findings)
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


class TestDatabase:
    """A real one."""

    def test_that_answers(self, fresh_database: Database) -> None:
        """It is named with its version, and asked about durability."""
        found = by_name(check(fresh_database))
        name = "SQLite" if fresh_database.name == "sqlite" else "PostgreSQL"
        assert found["database"].seen.startswith(f"{name} ")
        assert found["database"].health is not Health.FAILED
        if fresh_database.name == "postgresql":
            # The server of the tests keeps nothing that it could lose.
            assert found["durability"].health is Health.FAILED
            assert "fsync is off" in found["durability"].seen
            assert found["clocks"].health is Health.OK
        else:
            assert found["durability"].health is Health.OK

    def test_whose_clock_is_wrong(self, postgresql_database: Database) -> None:
        """Codes and certificates end by it."""
        wrong = datetime.now(UTC) + timedelta(minutes=3)
        found = by_name(database(postgresql_database.engine, lambda: wrong))
        assert found["clocks"].health is Health.FAILED

    def test_that_is_away(self, tmp_path: Path) -> None:
        """A server that nobody runs."""
        engine = open_engine(f"postgresql+psycopg://mobid@127.0.0.1:1/{tmp_path.name}")
        (found,) = database(engine, lambda: NOW)
        assert (found.name, found.health) == ("database", Health.FAILED)
        assert "The database is not available" in found.seen

    def test_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        """To look must not leave an empty database behind."""
        engine = open_engine(f"sqlite:///{tmp_path}/mobid.db")
        (found,) = database(engine, lambda: NOW)
        assert found.health is Health.FAILED
        assert "No such file" in found.seen
        assert list(tmp_path.iterdir()) == []

    def test_that_is_something_else(self, tmp_path: Path) -> None:
        """A file of another kind is no database."""
        (tmp_path / "mobid.db").write_bytes(b"thesis" * 1000)
        (found,) = database(open_engine(f"sqlite:///{tmp_path}/mobid.db"), lambda: NOW)
        assert found.health is Health.FAILED

    def test_says_how_its_transactions_are(self, fresh_database: Database) -> None:
        """Ours are, whatever the server's default is."""
        condition = condition_of(fresh_database.engine)
        if isinstance(condition, PostgreSQLCondition):
            assert (condition.isolation, condition.encoding) == ("read committed", "UTF8")
        else:
            assert condition.synchronous == 2


def check(database_of_test: Database) -> Iterable[Finding]:
    """Check the database of a test by the right time."""
    return database(database_of_test.engine, lambda: datetime.now(UTC))


class TestCapabilities:
    def test_when_a_ca_answered_is_known(
        self, database: Database, units: SQLUnits, builtin_ca: BuiltinCA, clock: StandingClock
    ) -> None:
        """On both kinds; of a CA that never did, nothing is."""
        assert capabilities_answered_at(database.engine, "builtin") is None
        with units() as unit:
            unit.authorities.record("builtin", builtin_ca.capabilities())
            unit.commit()
        assert capabilities_answered_at(database.engine, "builtin") == clock()


class TestSchema:
    def test_the_newest(self, database: Database) -> None:
        """Nothing is pending."""
        (found,) = schema(database.engine, Path("/srv/mobid"))
        assert found.health is Health.OK
        assert found.seen.endswith(", the newest")

    @pytest.mark.parametrize(
        ("statement", "seen", "remedy"),
        [
            ("DELETE FROM alembic_version", "none; this version needs 0001", "/srv/mobid migrate"),
            ("UPDATE alembic_version SET version_num = 'r9999'", 'schema "r9999" of a', "Run the version"),
        ],
    )  # fmt: skip
    def test_another_one(
        self, fresh_database: Database, statement: str, seen: str, remedy: str
    ) -> None:
        """A pending migration and a later version are told apart."""
        with fresh_database.engine.begin() as connection:
            connection.execute(text(statement))
        (found,) = schema(fresh_database.engine, Path("/srv/mobid"))
        assert found.health is Health.FAILED
        assert seen in found.seen
        assert remedy in found.remedy


class TestSQLite:
    def test_a_repaired_build_is_well(self) -> None:
        """It has the faster journal."""
        assert [one.health for one in sqlite(SQLITE)] == [Health.OK, Health.OK]

    def test_a_build_with_the_fault_is_told(self) -> None:
        """It is used with the slower journal, and the remedy is another build."""
        faulty = replace(SQLITE, version=(3, 40, 1), journal="truncate")
        found = by_name(sqlite(faulty))["database"]
        assert found.health is Health.WARNING
        assert found.seen == (
            "SQLite 3.40.1 has the WAL-reset fault, so the slower journal truncate is used"
        )
        assert "3.51.3" in found.remedy

    def test_the_wrong_journal_for_a_build_is_dangerous(self) -> None:
        """With the fault, and WAL all the same, the database can be damaged."""
        found = by_name(sqlite(replace(SQLITE, version=(3, 40, 1))))["database"]
        assert found.health is Health.FAILED
        assert found.seen == "SQLite 3.40.1 has the journal wal, safe with it is truncate"

    def test_commits_that_can_be_lost_are_told(self) -> None:
        """Revocations and audit records are among them."""
        assert by_name(sqlite(replace(SQLITE, synchronous=1)))["durability"].health is Health.FAILED


class TestPostgreSQL:
    def test_a_good_one_is_well(self) -> None:
        """Nothing but its version, its durability, and how it searches is told."""
        assert [(one.name, one.health) for one in postgresql(POSTGRESQL)] == [
            ("database", Health.OK),
            ("durability", Health.OK),
            ("search", Health.OK),
        ]

    def test_how_parts_of_texts_are_found_is_told(self) -> None:
        """By an index, or without one and how it could be had; both are well."""
        told = by_name(postgresql(POSTGRESQL))["search"]
        assert "found by an index (pg_trgm)" in told.seen
        told = by_name(postgresql(replace(POSTGRESQL, text_index=False)))["search"]
        assert told.health is Health.OK
        assert told.seen.endswith("run: mobid migrate")

    @pytest.mark.parametrize(
        ("broken", "name", "health", "seen"),
        [
            (replace(POSTGRESQL, version=(12, 9)), "database", Health.WARNING, "PostgreSQL 12.9 gets no"),
            (replace(POSTGRESQL, encoding="SQL_ASCII"), "encoding", Health.FAILED, "SQL_ASCII cannot"),
            (replace(POSTGRESQL, isolation="serializable"), "isolation", Health.FAILED, "serializable, not"),
            (replace(POSTGRESQL, fsync=False), "durability", Health.FAILED, "fsync is off"),
            (replace(POSTGRESQL, synchronous_commit="off"), "durability", Health.WARNING, "can be lost"),
        ],
    )  # fmt: skip
    def test_each_fault_is_found(
        self, broken: PostgreSQLCondition, name: str, health: Health, seen: str
    ) -> None:
        """With what would mend it."""
        found = by_name(postgresql(broken))[name]
        assert found.health is health
        assert seen in found.seen
        assert found.remedy


class TestClocks:
    @pytest.mark.parametrize(
        ("seconds", "health"),
        [(0, Health.OK), (1.9, Health.OK), (2.5, Health.FAILED), (-2.5, Health.FAILED)],
    )
    def test_may_differ_by_two_seconds(self, seconds: float, health: Health) -> None:
        """Forward and backward; the time of asking is no difference."""
        (found,) = clocks(NOW + timedelta(seconds=seconds), NOW - timedelta(seconds=1), NOW)
        if seconds < 0:
            (found,) = clocks(NOW + timedelta(seconds=seconds), NOW, NOW + timedelta(seconds=1))
        assert found.health is health
