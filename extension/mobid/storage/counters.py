"""Counters against guessing and flooding: how often somebody did a thing in its present window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, case, delete, select, tuple_

from mobid.processes.ports import Count
from mobid.storage.tables import counters
from mobid.storage.upsert import insert_or

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

    from mobid.storage.transaction import Transaction

_KEY: Final = [counters.c.what, counters.c.whose]


class SQLCounters:
    """Implements the port `Counters`."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def add(self, what: str, whose: str, *, window: timedelta) -> Count:
        """Count one; a window begins with its first event and ends for all of them together.

        One statement reads and writes, so that of two at once none is lost. A clock that was set
        back would leave an end that is further away than a window is long: then it is moved up.
        """
        connection, now = self._transaction.writable(), self._transaction.now
        insert = insert_or(connection, counters)
        new = insert.values(what=what, whose=whose, number=1, ends_at=now + window)
        over = counters.c.ends_at <= now
        nearest = case(
            (and_(~over, counters.c.ends_at < new.excluded.ends_at), counters.c.ends_at),
            else_=new.excluded.ends_at,
        )
        counted = new.on_conflict_do_update(
            index_elements=_KEY,
            set_={"number": case((over, 1), else_=counters.c.number + 1), "ends_at": nearest},
        ).returning(counters.c.number, counters.c.ends_at)
        row = connection.execute(counted).one()
        return Count(number=row.number, ends_at=row.ends_at)


def purge_counters(connection: Connection, *, before: datetime, limit: int = 1000) -> int:
    """Forget windows that were over by then; return how many there were.

    The end is asked for twice: another transaction may begin a new window of a row that was found.
    """
    past = counters.c.ends_at < before
    found = select(*_KEY).where(past).limit(limit)
    return connection.execute(delete(counters).where(past, tuple_(*_KEY).in_(found))).rowcount
