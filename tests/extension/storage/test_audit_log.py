"""The sealer: whatever writers do at the same time, the chain has no gap and no fork."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, text, update

from mobid.audit import GENESIS, Head, Verdict, seal
from mobid.domain.actors import SYSTEM
from mobid.storage import SQLUnits, Transactions
from mobid.storage.audit_log import AuditLog, Sealing
from mobid.storage.tables import audit_checkpoints, audit_events

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from tests.conftest import Database, StandingClock

WRITERS = 8
EVENTS = 12
TAMPERED = 200
ANOTHER_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def key() -> Ed25519PrivateKey:
    """The key that signs checkpoints."""
    return Ed25519PrivateKey.generate()


@pytest.fixture
def log(database: Database, clock: StandingClock) -> AuditLog:
    """The log, sealed three events at a time."""
    return AuditLog(database.engine, clock=clock, batch=3)


def write(units: SQLUnits, *names: str) -> None:
    """Commit an event for each name, all in one unit of work."""
    with units() as unit:
        for name in names:
            unit.audit(SYSTEM, "test.done", "thing", name)
        unit.commit()


def names(log: AuditLog) -> list[str]:
    """Return the names of the sealed events, in their order."""
    return [json.loads(sealed.record)["object_id"] for sealed in log.sealed()]


class TestSealing:
    """One batch after the other."""

    def test_of_an_empty_log_does_nothing(self, log: AuditLog, key: Ed25519PrivateKey) -> None:
        """There is nothing to vouch for, and a verifier cannot tell anything."""
        assert log.seal(key) == Sealing(0)
        assert (list(log.sealed()), list(log.checkpoints())) == ([], [])
        assert log.verify(key.public_key()).verdict is Verdict.CANNOT_TELL

    def test_numbers_events_in_the_order_of_their_writing(
        self, units: SQLUnits, log: AuditLog, key: Ed25519PrivateKey
    ) -> None:
        """A batch at a time; what was rolled back has no number."""
        write(units, "1", "2")
        with units() as unit:
            unit.audit(SYSTEM, "test.undone", "thing", "never")
        write(units, "3", "4")
        assert [log.seal(key).events for _ in range(3)] == [3, 1, 0]
        write(units, "5")
        assert log.seal(key).events == 1
        assert [sealed.seq for sealed in log.sealed()] == [1, 2, 3, 4, 5]
        assert names(log) == ["1", "2", "3", "4", "5"]

    def test_signs_a_checkpoint_when_one_is_due(
        self, units: SQLUnits, log: AuditLog, key: Ed25519PrivateKey, clock: StandingClock
    ) -> None:
        """The first at once, the next after a minute, even if nothing has happened since."""
        write(units, "1")
        first = log.seal(key).checkpoint
        assert first is not None
        assert (first.head.seq, first.at) == (1, clock())
        write(units, "2")
        assert log.seal(key) == Sealing(1, None)
        clock.pass_by(timedelta(seconds=60))
        second = log.seal(key).checkpoint
        assert second is not None
        assert (second.head.seq, second.previous) == (2, first.hash)
        assert list(log.checkpoints()) == [first, second]
        assert log.seal(key) == Sealing(0, None)
        report = log.verify(key.public_key())
        assert (report.verdict, report.records, report.signed) == (Verdict.OK, 2, 2)

    def test_reads_more_checkpoints_than_a_batch(
        self, units: SQLUnits, log: AuditLog, key: Ed25519PrivateKey, clock: StandingClock
    ) -> None:
        """As a stream, page by page."""
        for number in range(7):
            write(units, str(number))
            log.seal(key)
            clock.pass_by(timedelta(minutes=1))
        assert [mark.head.seq for mark in log.checkpoints()] == [1, 2, 3, 4, 5, 6, 7]
        assert log.verify(key.public_key()).verdict is Verdict.OK

    @pytest.mark.parametrize("what", ["record", "hash", "cut off", "checkpoint"])
    def test_makes_tampering_visible(
        self,
        units: SQLUnits,
        transactions: Transactions,
        log: AuditLog,
        key: Ed25519PrivateKey,
        what: str,
    ) -> None:
        """Whoever changes a row, or takes rows away, is found out."""
        write(units, "1", "2", "3")
        log.seal(key)
        changes = {
            "record": update(audit_events).where(audit_events.c.seq == 2).values(record=b"\xff"),
            "hash": update(audit_events).where(audit_events.c.seq == 2).values(hash=b"other"),
            "cut off": audit_events.delete().where(audit_events.c.seq == 3),
            "checkpoint": update(audit_checkpoints).values(hash=bytes(32)),
        }
        with transactions.writing() as connection:
            connection.execute(changes[what])
        assert log.verify(key.public_key()).verdict is Verdict.TAMPERED


class Tamperer:
    """Somebody with all rights in the database, and without the signing key."""

    def __init__(self, log: AuditLog, connection: Connection, dice: random.Random) -> None:
        self.connection = connection
        self.dice = dice
        self.events = connection.execute(select(audit_events).order_by(audit_events.c.seq)).all()
        self.signed = max(mark.head.seq for mark in log.checkpoints())
        self.seq = dice.randrange(1, self.signed + 1)
        self.event = self.events[self.seq - 1]

    def change(self, **values: object) -> None:
        """Change the row that was chosen."""
        this = audit_events.c.seq == self.seq
        self.connection.execute(update(audit_events).where(this).values(**values))

    def record(self) -> None:
        """Change one byte of a record."""
        place = self.dice.randrange(len(self.event.record))
        record = bytearray(self.event.record)
        record[place] ^= 1 << self.dice.randrange(8)
        self.change(record=bytes(record))

    def hash(self) -> None:
        """Change a hash."""
        self.change(hash=self.dice.randbytes(32))

    def column(self) -> None:
        """Change what is searched for, and leave the record."""
        column = self.dice.choice(["actor", "action", "object_type", "object_id", "at"])
        old = getattr(self.event, column)
        new = old + timedelta(microseconds=1) if column == "at" else f"{old}x"
        self.change(**{column: new})

    def delete(self) -> None:
        """Take a row away."""
        self.connection.execute(audit_events.delete().where(audit_events.c.seq == self.seq))

    def cut_off(self) -> None:
        """Take the end away, as far as a checkpoint covers it."""
        self.connection.execute(audit_events.delete().where(audit_events.c.seq >= self.seq))

    def unseal(self) -> None:
        """Make a row look as if it were new."""
        self.change(seq=None, hash=None)

    def renumber(self) -> None:
        """Give a row another number."""
        self.change(seq=self.dice.choice([0, -1, 1000]))

    def swap(self) -> None:
        """Let two records change places, with the columns beside them."""
        other = self.events[self.seq % self.signed]
        if other.seq == self.seq:
            return self.delete()
        parts = ("at", "actor", "action", "object_type", "object_id", "record")
        for row, by in ((self.event, other), (other, self.event)):
            values = {part: getattr(by, part) for part in parts}
            this = audit_events.c.id == row.id
            self.connection.execute(update(audit_events).where(this).values(**values))
        return None

    def rewrite(self) -> None:
        """Replace a record, and compute all hashes after it anew."""
        record = self.event.record.replace(b"test.done", b"test.none")
        head = Head(self.seq - 1, self.events[self.seq - 2].hash) if self.seq > 1 else GENESIS
        rest = [record, *(event.record for event in self.events[self.seq :])]
        for link in seal(rest, head):
            this = audit_events.c.seq == link.seq
            values = {"record": link.record, "hash": link.hash}
            self.connection.execute(update(audit_events).where(this).values(**values))
        self.change(action="test.none")

    def checkpoint(self) -> None:
        """Change a checkpoint."""
        column = self.dice.choice(["hash", "previous", "signature", "at"])
        value = ANOTHER_YEAR if column == "at" else self.dice.randbytes(32)
        first = select(func.min(audit_checkpoints.c.seq)).scalar_subquery()
        this = audit_checkpoints.c.seq == first
        self.connection.execute(update(audit_checkpoints).where(this).values(**{column: value}))


TAMPERINGS = (
    Tamperer.record, Tamperer.hash, Tamperer.column, Tamperer.delete, Tamperer.cut_off,
    Tamperer.unseal, Tamperer.renumber, Tamperer.swap, Tamperer.rewrite, Tamperer.checkpoint,
)  # fmt: skip


class TestTampering:
    """Whatever somebody does to the tables is found out."""

    def test_is_found_whatever_it_was(
        self,
        units: SQLUnits,
        transactions: Transactions,
        log: AuditLog,
        key: Ed25519PrivateKey,
        clock: StandingClock,
    ) -> None:
        """Two hundred times by chance; and the log that is put back is in order again."""
        for minute in range(4):
            write(units, f"a{minute}", f"b{minute}", f"c{minute}")
            log.seal(key)
            clock.pass_by(timedelta(minutes=1))
        with transactions.reading() as connection:
            events = [*map(dict, connection.execute(select(audit_events)).mappings())]
            marks = [*map(dict, connection.execute(select(audit_checkpoints)).mappings())]
        dice = random.Random(20261122)  # noqa: S311 - repeatable dice, no secret
        for number in range(TAMPERED):
            tamper = TAMPERINGS[number % len(TAMPERINGS)]
            with transactions.writing() as connection:
                tamper(Tamperer(log, connection, dice))
            report = log.verify(key.public_key())
            assert report.verdict is Verdict.TAMPERED, (tamper.__name__, number, report)
            with transactions.writing() as connection:
                connection.execute(audit_events.delete())
                connection.execute(audit_checkpoints.delete())
                connection.execute(audit_events.insert(), events)
                connection.execute(audit_checkpoints.insert(), marks)
        assert log.verify(key.public_key()).verdict is Verdict.OK


class TestConcurrency:
    """Writers never wait for the sealer's order, and sealers never disagree."""

    def test_writers_and_sealers_at_once_leave_one_chain(
        self, database: Database, units: SQLUnits, key: Ed25519PrivateKey
    ) -> None:
        """Eight writers and two sealers: every event once, no gap, no fork."""
        log = AuditLog(database.engine, batch=5)
        all_written = threading.Event()

        def write_some(writer: int) -> None:
            for number in range(EVENTS):
                write(units, f"{writer}/{number}", f"{writer}/{number}b")

        def seal_all(_sealer: int) -> None:
            # What is written before the flag is seen is sealed by the calls that follow it.
            while not all_written.is_set() or log.seal(key).events:
                log.seal(key)

        with ThreadPoolExecutor(WRITERS + 2) as threads:
            sealers = [threads.submit(seal_all, number) for number in range(2)]
            for writing in [threads.submit(write_some, number) for number in range(WRITERS)]:
                writing.result(timeout=60)
            all_written.set()
            for sealing in sealers:
                sealing.result(timeout=60)
        while log.seal(key).events:
            pass

        sealed = names(log)
        assert len(sealed) == len(set(sealed)) == WRITERS * EVENTS * 2
        report = log.verify(key.public_key())
        assert (report.verdict, report.records) == (Verdict.OK, len(sealed))

    def test_an_open_transaction_holds_up_nobody(
        self, postgresql_database: Database, clock: StandingClock, key: Ed25519PrivateKey
    ) -> None:
        """What is committed is sealed at once; what was begun earlier and commits later follows."""
        units = SQLUnits(postgresql_database.engine, clock=clock)
        log = AuditLog(postgresql_database.engine, clock=clock)
        with units() as slow:
            slow.audit(SYSTEM, "test.done", "thing", "slow")
            write(units, "quick", "second")
            assert log.seal(key).events == 2
            slow.commit()
        write(units, "third")
        assert log.seal(key).events == 2
        assert names(log) == ["quick", "second", "slow", "third"]
        assert log.verify(key.public_key()).verdict is Verdict.OK

    def test_one_sealer_is_at_work(
        self, postgresql_database: Database, clock: StandingClock, key: Ed25519PrivateKey
    ) -> None:
        """Another one does nothing meanwhile, and does not wait."""
        write(SQLUnits(postgresql_database.engine, clock=clock), "1")
        log = AuditLog(postgresql_database.engine, clock=clock)
        with Transactions(postgresql_database.engine).writing() as other:
            other.execute(text("SELECT pg_advisory_xact_lock(7236840)"))
            assert log.seal(key) == Sealing(0)
        assert log.seal(key).events == 1

    def test_a_reader_holds_up_nobody(
        self, units: SQLUnits, transactions: Transactions, log: AuditLog, key: Ed25519PrivateKey
    ) -> None:
        """In the middle of reading the log, others write and seal."""
        write(units, *"12345")
        while log.seal(key).events:
            pass
        reading = log.sealed()
        assert next(reading).seq == 1
        write(units, "6")
        assert log.seal(key).events == 1
        assert [sealed.seq for sealed in reading] == [2, 3, 4, 5, 6]
        with transactions.reading() as connection:
            assert len(connection.execute(select(audit_events)).all()) == 6
