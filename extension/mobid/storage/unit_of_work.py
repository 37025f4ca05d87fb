"""Units of work: one transaction each, with all repositories, the audit log, and nudges."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mobid.audit import AuditEvent
from mobid.crashpoints import crashpoint
from mobid.domain.certificates import Certificate
from mobid.domain.enrolments import Enrolment
from mobid.domain.instances import Instance
from mobid.domain.mails import Mail
from mobid.domain.mobile_ids import MobileID
from mobid.storage.audit_log import append
from mobid.storage.authorities import SQLAuthorityRecords
from mobid.storage.certificates import SQLCertificates
from mobid.storage.counters import SQLCounters
from mobid.storage.engine import Transactions, translated
from mobid.storage.enrolments import SQLEnrolments
from mobid.storage.instances import SQLInstances
from mobid.storage.mails import SQLMails
from mobid.storage.mobile_ids import SQLMobileIDs
from mobid.storage.scripts import SQLScriptVersions
from mobid.storage.transaction import Transaction, clock_of
from mobid.storage.used import SQLUsed
from mobid.storage.users import SQLUsers
from mobid.storage.work import Nudges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from mobid.crashpoints import CrashPoint
    from mobid.domain.actors import Actor
    from mobid.processes.ports import Clock, Entity

    Nudge = Callable[[Connection, str, str, int], None]
    Committed = Callable[[Sequence[tuple[str, str, int]]], None]


class SQLUnits:
    """Implements the port `Units` on one engine.

    `nudge` is called in the transaction, just before its commit, with the kind (`certificate`,
    `instance` or `mail`), id and attempt of every row that wants work at a new attempt; it may not raise
    without the transaction being lost. `committed` is called once with all of them when the
    transaction is committed and the connection and the write lock are given back.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock | None = None,
        nudge: Nudge | None = None,
        committed: Committed | None = None,
    ) -> None:
        self._transactions: Final = Transactions(engine)
        self._clock: Final = clock_of(engine, clock)
        self._nudge: Final = nudge
        self._committed: Final = committed

    @contextmanager
    def __call__(self) -> Iterator[SQLUnit]:
        """Begin a unit of work that writes; unless it commits, it is rolled back."""
        unit: SQLUnit | None = None
        try:
            with self._transactions.begin() as connection:
                transaction = Transaction(connection, clock=self._clock, writes=True)
                unit = SQLUnit(transaction, nudge=self._nudge)
                yield unit
        finally:
            if unit is not None:
                self._after(unit)

    def _after(self, unit: SQLUnit) -> None:
        """Do what follows a commit, now that others can write again."""
        for point in unit.passed:
            crashpoint(point)
        if unit.nudged and self._committed is not None:
            self._committed(unit.nudged)

    @contextmanager
    def reading(self) -> Iterator[SQLUnit]:
        """Begin one that only reads, and never waits for writers."""
        with self._transactions.reading() as connection:
            yield SQLUnit(Transaction(connection, clock=self._clock, writes=False))


class SQLUnit:
    """Implements the port `UnitOfWork`. After its commit it can be read with, and no more."""

    def __init__(self, transaction: Transaction, *, nudge: Nudge | None = None) -> None:
        self._transaction: Final = transaction
        self._nudge: Final = nudge
        self._nudges: Final = Nudges()
        self._points: Final[list[CrashPoint]] = []
        self._events: Final[list[AuditEvent]] = []
        self.nudged: Sequence[tuple[str, str, int]] = ()
        """What a commit has nudged: kind, id and attempt."""
        self.passed: Sequence[CrashPoint] = ()
        """The crash points that a commit has passed."""
        self.users: Final = SQLUsers(transaction)
        self.mobile_ids: Final = SQLMobileIDs(transaction)
        self.certificates: Final = SQLCertificates(transaction, self._nudges)
        self.instances: Final = SQLInstances(transaction, self._nudges)
        self.enrolments: Final = SQLEnrolments(transaction)
        self.mails: Final = SQLMails(transaction, self._nudges)
        self.scripts: Final = SQLScriptVersions(transaction)
        self.authorities: Final = SQLAuthorityRecords(transaction)
        self.used: Final = SQLUsed(transaction)
        self.counters: Final = SQLCounters(transaction)

    @property
    def now(self) -> datetime:
        """The time of this unit of work: aware, UTC, the same at every call."""
        return self._transaction.now

    @property
    def connection(self) -> Connection:
        """The connection of a unit that writes, for other parts of storage."""
        return self._transaction.writable()

    def add(self, *entities: Entity) -> None:
        """Write new rows."""
        for entity in entities:
            match entity:
                case MobileID():
                    self.mobile_ids.add(entity)
                case Certificate():
                    self.certificates.add(entity)
                case Instance():
                    self.instances.add(entity)
                case Enrolment():
                    self.enrolments.add(entity)
                case Mail():
                    self.mails.add(entity)

    def save(self, *entities: Entity) -> None:
        """Write changed rows; raise `StaleStep`, `VersionConflict` or `NotFound`."""
        for entity in entities:
            match entity:
                case MobileID():
                    self.mobile_ids.save(entity)
                case Certificate():
                    self.certificates.save(entity)
                case Instance():
                    self.instances.save(entity)
                case Enrolment():
                    self.enrolments.save(entity)
                case Mail():
                    self.mails.save(entity)

    def audit(
        self,
        actor: Actor,
        action: str,
        thing: str,
        thing_id: str,
        **details: str | int | bool | None,
    ) -> None:
        """Record who did what to which thing, in the same transaction: no audit, no effect.

        All events of a unit are written at its commit, together.
        """
        self._transaction.writable()
        event = AuditEvent(
            at=self.now,
            actor=actor,
            action=action,
            object_type=thing,
            object_id=thing_id,
            details=details,
        )
        self._events.append(event)

    @contextmanager
    def part(self) -> Iterator[SQLUnit]:
        """Begin a part of this unit, which is undone alone if it is left by an exception.

        It is not committed; what it has read, audited and nudged is forgotten with it.
        """
        part = SQLUnit(self._transaction)
        with translated(), _savepoint(self.connection):
            yield part
        self._nudges.take_over(part._nudges)
        self._points.extend(part._points)
        self._events.extend(part._events)

    def passes(self, point: CrashPoint) -> None:
        """Let the process pass a crash point right after the commit, before any work is tried."""
        self._points.append(point)

    def commit(self) -> None:
        """Make it so. Everything is written together, or nothing."""
        append(self._transaction.writable(), self._events)
        nudges = self._nudges.all()
        if self._nudge is not None:
            for kind, row_id, attempt in nudges:
                self._nudge(self._transaction.writable(), kind, row_id, attempt)
        self._transaction.commit()
        self.nudged = nudges
        self.passed = self._points


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    """Undo what was done in a block that is left by an exception.

    SQLAlchemy's own costs more than what most parts of a unit do: it makes these statements anew.
    """
    connection.exec_driver_sql("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if not connection.invalidated:
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT part")
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT part")
