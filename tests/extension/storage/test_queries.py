"""What the processes ask for is looked up, never searched for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from mobid.storage import SQLUnits
from mobid.storage.audit_log import AuditLog

if TYPE_CHECKING:
    from tests.conftest import Database, StandingClock

Statement = tuple[str, Any]


@pytest.fixture
def statements(sqlite_database: Database) -> list[Statement]:
    """Every SELECT that is executed, as it goes to the database."""
    found: list[Statement] = []

    def note(*arguments: Any) -> None:
        if arguments[2].startswith("SELECT"):
            found.append((arguments[2], arguments[3]))

    event.listen(sqlite_database.engine, "before_cursor_execute", note)
    return found


def test_no_query_reads_a_whole_table(
    sqlite_database: Database, clock: StandingClock, statements: list[Statement]
) -> None:
    """SQLite says how it would do each: by an index, also by the partial ones."""
    units = SQLUnits(sqlite_database.engine, clock=clock)
    now = clock()
    with units.reading() as unit:
        unit.mobile_ids.live_of("u")
        unit.mobile_ids.of_user("u")
        unit.mobile_ids.past_end(now, 10)
        unit.certificates.of_mobile_id("m")
        unit.certificates.key_known(b"k")
        unit.certificates.serial_known("ca", "1f")
        unit.certificates.to_ask(now, 10)
        unit.instances.running_get("u")
        unit.instances.running_locks("m")
        unit.instances.running_of("u")
        unit.instances.due(now, 10)
        unit.enrolments.find("e")
        unit.enrolments.of_instance("i")
        unit.enrolments.by_code(b"hash")
        unit.scripts.active("s")
        unit.scripts.all("s")
        unit.authorities.capabilities("ca")
    list(AuditLog(sqlite_database.engine).sealed())
    assert len(statements) >= 17

    with sqlite_database.engine.connect() as connection:
        for statement, parameters in list(statements):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert not [row for row in plan if row[3].startswith("SCAN")], statement
