"""The SQL of effects: which rows want work, who does it, and what became of it.

Every change is one conditional UPDATE on the attempt that its caller saw, so that of many who try
exactly one wins, on both databases. The transaction is the caller's. The clock is the
database's on PostgreSQL, where several servers write, and the process's on SQLite, where one does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from mobid.domain.certificates import Wanted
from mobid.storage.errors import NoDeadLetter, UnknownKind
from mobid.storage.tables import certificates, instances, mails
from mobid.storage.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import ColumnElement, Connection, Table

CERTIFICATE: Final = "certificate"
INSTANCE: Final = "instance"
MAIL: Final = "mail"
_TABLES: Final = {CERTIFICATE: certificates, INSTANCE: instances, MAIL: mails}
KINDS: Final = tuple(_TABLES)
"""The kinds of rows that want work, in the order in which their effects build on each other."""


class Nudge(NamedTuple):
    """A hint to look at one row: whoever follows it works only if the row is still at this attempt."""

    kind: str
    id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedWork:
    """A row that wants work, as an operator sees it."""

    kind: str
    id: str
    attempt: int
    error: str | None
    age: timedelta
    """How long it has been wanting."""
    dead: bool


class WorkRows:
    """Claims, retries, dead letters and everything else that is done to the work of a row."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self._clock: Final = clock

    def now(self, connection: Connection) -> datetime:
        """Return the time by which ages are told."""
        local = self._clock
        if local is None and connection.dialect.name != "postgresql":
            local = _process_clock
        return Transaction(connection, clock=local, writes=False).now

    def claim(self, connection: Connection, nudge: Nudge) -> bool:
        """Take this attempt, and say whether nobody had it before; its age counts from here."""
        rows = table_of(nudge.kind)
        return _changed_one(
            connection,
            sa.update(rows)
            .where(*_wanted_at(rows, nudge), rows.c.work_claimed < nudge.attempt)
            .values(work_claimed=nudge.attempt, nudged_at=self.now(connection)),
        )

    def wanting_for(self, connection: Connection, nudge: Nudge) -> timedelta | None:
        """Return how long the row has been wanting work, or None if this attempt is over."""
        rows = table_of(nudge.kind)
        found = connection.execute(
            sa.select(rows.c.wanted_since, rows.c.nudged_at).where(*_wanted_at(rows, nudge))
        ).first()
        return None if found is None else _age(*found, self.now(connection))

    def next_attempt(
        self, connection: Connection, nudge: Nudge, *, delay: timedelta, error: str | None
    ) -> Nudge | None:
        """Move the row from this attempt to the next one, due after `delay`; None: somebody else did."""
        rows = table_of(nudge.kind)
        following = nudge._replace(attempt=nudge.attempt + 1)
        won = _changed_one(
            connection,
            sa.update(rows)
            .where(*_wanted_at(rows, nudge))
            .values(
                work_attempt=following.attempt,
                work_error=error,
                nudged_at=self.now(connection) + delay,
            ),
        )
        return following if won else None

    def bury(self, connection: Connection, nudge: Nudge, *, error: str | None) -> bool:
        """Make the row a dead letter that still wants its work; a revocation is never one."""
        rows = table_of(nudge.kind)
        mortal = (rows.c.wanted != Wanted.REVOKED,) if rows is certificates else ()
        return _changed_one(
            connection,
            sa.update(rows)
            .where(*_wanted_at(rows, nudge), *mortal)
            .values(work_dead=True, work_error=error),
        )

    def revive(self, connection: Connection, kind: str, row_id: str) -> Nudge:
        """Put a dead letter back at a fresh attempt; raise `NoDeadLetter`.

        Its age begins anew, so that it is tried as long as any other row before it is dead again.
        """
        rows = table_of(kind)
        now = self.now(connection)
        attempt = connection.execute(
            sa.update(rows)
            .where(rows.c.id == row_id, rows.c.work_wanted, rows.c.work_dead)
            .values(
                work_attempt=rows.c.work_attempt + 1,
                work_dead=False,
                nudged_at=now,
                wanted_since=now,
            )
            .returning(rows.c.work_attempt)
        ).scalar()
        if attempt is None:
            raise NoDeadLetter(kind, row_id)
        return Nudge(kind, row_id, attempt)

    def quiet(
        self, connection: Connection, kind: str, *, since: datetime, limit: int
    ) -> Sequence[Nudge]:
        """Return rows that want work and were not nudged or claimed since then, the oldest first."""
        rows = table_of(kind)
        query = _quiet(rows, since).order_by(rows.c.nudged_at).limit(limit)
        return [Nudge(kind, *row) for row in connection.execute(query)]

    def lock_quiet(
        self, connection: Connection, kind: str, nudges: Collection[Nudge], *, since: datetime
    ) -> Sequence[Nudge]:
        """Return those that still are as they were seen, and that no other sweep is dealing with."""
        rows = table_of(kind)
        query = _quiet(rows, since).where(rows.c.id.in_([one.id for one in nudges]))
        locked = connection.execute(query.with_for_update(skip_locked=True))
        return [one for one in (Nudge(kind, *row) for row in locked) if one in nudges]

    def wait_on(self, connection: Connection, nudge: Nudge) -> None:
        """Note that the job of this attempt waits its turn: it is not lost."""
        rows = table_of(nudge.kind)
        connection.execute(
            sa.update(rows).where(*_wanted_at(rows, nudge)).values(nudged_at=self.now(connection))
        )

    def overview(self, connection: Connection) -> Sequence[WantedWork]:
        """Return all rows that want work, the longest wanting of each kind first."""
        now = self.now(connection)
        return [one for kind in KINDS for one in _wanting(connection, kind, now)]

    def overdue_revocations(
        self, connection: Connection, *, after: timedelta, limit: int
    ) -> Sequence[str]:
        """Return certificates whose revocation the CA has not confirmed for so long, oldest first."""
        query = sa.select(certificates.c.id).where(
            certificates.c.work_wanted,
            certificates.c.wanted == Wanted.REVOKED,
            certificates.c.wanted_since < self.now(connection) - after,
        )
        query = query.order_by(certificates.c.wanted_since).limit(limit)
        return connection.execute(query).scalars().all()


def table_of(kind: str) -> Table:
    """Return the table whose rows want work of this kind; raise `UnknownKind`."""
    try:
        return _TABLES[kind]
    except KeyError:
        raise UnknownKind(kind, KINDS) from None


def _process_clock() -> datetime:
    return datetime.now(UTC)


def _wanted_at(rows: Table, nudge: Nudge) -> tuple[ColumnElement[bool], ...]:
    return (
        rows.c.id == nudge.id,
        rows.c.work_attempt == nudge.attempt,
        rows.c.work_wanted,
        sa.not_(rows.c.work_dead),
    )


def _quiet(rows: Table, since: datetime) -> sa.Select[Any]:
    return sa.select(rows.c.id, rows.c.work_attempt).where(
        rows.c.work_wanted, sa.not_(rows.c.work_dead), rows.c.nudged_at < since
    )


def _wanting(connection: Connection, kind: str, now: datetime) -> Sequence[WantedWork]:
    rows = table_of(kind)
    query = sa.select(rows).where(rows.c.work_wanted).order_by(rows.c.wanted_since, rows.c.id)
    return [
        WantedWork(
            kind=kind,
            id=row.id,
            attempt=row.work_attempt,
            error=row.work_error,
            age=_age(row.wanted_since, row.nudged_at, now),
            dead=row.work_dead,
        )
        for row in connection.execute(query)
    ]


def _age(wanted_since: datetime | None, nudged_at: datetime | None, now: datetime) -> timedelta:
    return max(timedelta(0), now - (wanted_since or nudged_at or now))


def _changed_one(connection: Connection, update: sa.Update) -> bool:
    return connection.execute(update).rowcount == 1
