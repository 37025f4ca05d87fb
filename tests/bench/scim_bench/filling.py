"""Many users at once: the rows that the product would write, without asking it over HTTP.

What a row says comes from the product's own functions; only the statements are ours, because each of them
writes thousands of rows. Before anything is filled, what they write of one user is compared with what the
product writes of the same user.
"""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event, insert, select

from mobid.provisioning.types import USER_TYPE
from mobid.provisioning.user_rows import DOCUMENTS, new_row
from mobid.storage import Transactions, open_engine
from mobid.storage.scim_users import user_place
from mobid.storage.tables import external_ids, user_values, users
from mobid.storage.users import USER_ROWS, insert_user
from mobid_scim.validation import read_resource

from .people import person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection, Engine, Table

    from mobid.storage.users import UserRow
    from mobid_scim.resource import Resource

CLIENT: Final = "bench"
AT_ONCE: Final = 5_000
_FAST: Final = {
    "sqlite": ("PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000"),
    "postgresql": ("SET synchronous_commit = off",),
}
"""What is filled in may be lost by a crash, unlike what is measured then."""

Rows = dict["Table", list[dict[str, Any]]]
New = tuple["Resource", "UserRow"]


class NotAsTheProduct(Exception):
    """What is filled in is not what the product writes: this module has to follow it."""


def fill(url: str, size: int, told: Callable[[int], object] = lambda _: None) -> float:
    """Write users 0 to `size` - 1 into an empty database, and return the seconds that it took."""
    engine = open_engine(url)
    event.listen(engine, "connect", _make_fast)
    begun, now = time.monotonic(), datetime.now(UTC)
    try:
        _check(engine, now)
        for start in range(0, size, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, size))
            # No two are created at the same moment, and the last one was a moment ago.
            news = [_new(number, now - timedelta(milliseconds=size - number)) for number in numbers]
            with Transactions(engine).writing() as connection:
                _write(connection, news)
            told(numbers.stop)
        if engine.dialect.name == "postgresql":
            # Its autovacuum does this within a minute. SQLite is left as the product leaves it.
            with engine.connect() as alone:
                alone.execution_options(isolation_level="AUTOCOMMIT")
                alone.exec_driver_sql("VACUUM ANALYZE")
    finally:
        engine.dispose()
    return time.monotonic() - begun


def _make_fast(connection: Any, _record: object) -> None:
    kind = "sqlite" if isinstance(connection, sqlite3.Connection) else "postgresql"
    cursor = connection.cursor()
    for order in _FAST[kind]:
        cursor.execute(order)
    connection.commit()


def _new(number: int, at: datetime) -> New:
    resource = read_resource(person(number), USER_TYPE)
    return resource, new_row(resource, CLIENT, at)


def _write(connection: Connection, news: Iterable[New]) -> None:
    """Write the rows of many new users."""
    rows: Rows = {users: [], user_values: [], external_ids: []}
    for resource, row in news:
        folded = {"display_name_folded": row.display_name.casefold()}
        rows[users].append(USER_ROWS.columns(row) | folded)
        rows[user_values].extend(
            {"user_id": row.id, **one._asdict()} for one in DOCUMENTS.rows(resource)
        )
        rows[external_ids].append(
            {
                "resource_type": "User",
                "client": CLIENT,
                "external_id": resource.external_id,
                "resource_id": row.id,
            }
        )
    for table, some in rows.items():
        connection.execute(insert(table), some)


def _write_as_the_product(connection: Connection, new: New) -> None:
    resource, row = new
    insert_user(connection, row)
    DOCUMENTS.write(connection, row.id, resource)
    user_place(CLIENT, "").keep_external_id(connection, row.id, None, resource.external_id)


def _check(engine: Engine, now: datetime) -> None:
    """Raise NotAsTheProduct unless both ways write the same rows of a user."""
    new = _new(0, now)
    ours = _written(engine, lambda connection: _write(connection, [new]))
    products = _written(engine, lambda connection: _write_as_the_product(connection, new))
    if ours != products:
        raise NotAsTheProduct(f"Filled in: {ours}\nThe product writes: {products}")


def _written(engine: Engine, write: Callable[[Connection], None]) -> list[list[Any]]:
    """Return what is in the tables after writing, and leave nothing there."""
    with Transactions(engine).begin() as connection:
        write(connection)
        tables = (users, user_values, external_ids)
        return [sorted(map(repr, connection.execute(select(table)))) for table in tables]
