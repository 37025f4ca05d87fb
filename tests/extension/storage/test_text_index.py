"""The index for parts of texts that PostgreSQL may have: searches say the same without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import registry
from sqlalchemy.exc import DBAPIError

from mobid.storage import Transactions, migrate
from mobid.storage.condition import PostgreSQLCondition, condition_of
from mobid.storage.scim_values import compared
from mobid.storage.tables import user_values
from mobid.storage.text_index import has_text_index, make_text_index
from mobid_scim.filter import Operator

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from tests.conftest import Database

KEY = user_values.c.value_key


POSTGRESQL, SQLITE = (registry.load(one)() for one in ("postgresql.psycopg", "sqlite.pysqlite"))


def sql(dialect: Dialect, part: str, column: Any = KEY) -> tuple[str, set[object]]:
    """Return how a part is searched for, and with what."""
    found = compared(column, Operator.CO, part).compile(dialect=dialect)
    return str(found), set(found.params.values())


@pytest.mark.parametrize(
    ("part", "pattern"),
    [("anna", "%anna%"), ("50%", "%50\\%%"), ("a_b", "%a\\_b%"), ("a\\b", "%a\\\\b%")],
)
def test_postgresql_is_asked_so_that_the_index_can_answer(part: str, pattern: str) -> None:
    """By a pattern that means the text as it is."""
    statement, values = sql(POSTGRESQL, part)
    assert " LIKE " in statement
    assert pattern in values


def test_trigrams_know_nothing_of_shorter_parts() -> None:
    """Two letters are looked for in the texts; so is what no index has, and everything on SQLite."""
    assert "strpos" in sql(POSTGRESQL, "an")[0]
    assert "strpos" in sql(POSTGRESQL, "anna", user_values.c.long_value)[0]
    assert "instr" in sql(SQLITE, "anna")[0]


class TestWithout:
    """The PostgreSQL of the tests has no `pg_trgm`."""

    def test_a_database_is_migrated_without_it(self, postgresql_database: Database) -> None:
        """Again, too; what says how the database is says so."""
        migrate(postgresql_database.engine)
        condition = condition_of(postgresql_database.engine)
        assert isinstance(condition, PostgreSQLCondition)
        assert not condition.text_index

    def test_a_refusal_leaves_the_transaction_as_it_was(
        self, postgresql_database: Database
    ) -> None:
        """What is written beside it is committed."""
        with Transactions(postgresql_database.engine).writing() as connection:
            connection.execute(text("CREATE TABLE beside (id INTEGER)"))
            assert not make_text_index(connection)
            assert not has_text_index(connection)
            assert connection.execute(text("SELECT count(*) FROM beside")).scalar_one() == 0

    def test_other_faults_are_not_taken_for_a_refusal(self, postgresql_database: Database) -> None:
        """A transaction that has failed already is no missing extension."""
        with postgresql_database.engine.connect() as connection:
            with pytest.raises(DBAPIError):
                connection.execute(text("SELECT 1 / 0"))
            with pytest.raises(DBAPIError):
                make_text_index(connection)
