"""One unit of work is one transaction: all of it, or nothing; and nobody works on what was rolled back."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, update

from mobid.audit import AuditEvent
from mobid.crashpoints import CrashPoint
from mobid.domain.actors import SYSTEM
from mobid.domain.certificates import CAState, Wanted
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mobile_ids import Hold
from mobid.domain.options import Kind
from mobid.domain.work import Work
from mobid.processes.errors import NotFound, StaleStep, VersionConflict
from mobid.storage import MisusedUnit, SQLUnits, Transactions
from mobid.storage.tables import (
    audit_events,
    certificates,
    enrolment_keys,
    enrolments,
    instances,
    mobile_id_holds,
    mobile_ids,
    used_once,
)
from mobid.storage.unit_of_work import SQLUnit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection
    from tests.conftest import Database, StandingClock
    from tests.extension.storage.conftest import Make

    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.ports import UnitOfWork, Units

    Nudged = tuple[str, str, int]

WRITTEN_BY_A_GET = (
    mobile_ids,
    mobile_id_holds,
    certificates,
    instances,
    enrolments,
    enrolment_keys,
    audit_events,
    used_once,
)
DIES_AFTER_COMMIT = """
import sys
from datetime import UTC, datetime
from mobid.crashpoints import CrashPoint
from mobid.domain.actors import SYSTEM
from mobid.storage import SQLUnits, open_engine
units = SQLUnits(open_engine(sys.argv[1]), committed=print)
with units() as unit:
    unit.passes(CrashPoint.LOCK_COMMITTED)
    unit.audit(SYSTEM, "mobile_id.lock", "mobile_id", "m-1")
    print("wrote", flush=True)
    unit.commit()
print("survived", flush=True)
"""


class Recorder:
    """Stands where the jobs stand: takes nudges in a table of the database, and hears of commits."""

    def __init__(self) -> None:
        self.nudged: list[Nudged] = []
        self.committed: list[Sequence[Nudged]] = []
        self.when_nudged: Callable[[Connection], None] = lambda _connection: None
        self.when_committed: Callable[[], None] = lambda: None

    def nudge(self, connection: Connection, kind: str, row_id: str, attempt: int) -> None:
        """Take a nudge; its row shows in the database only if the transaction is committed."""
        self.nudged.append((kind, row_id, attempt))
        self.when_nudged(connection)

    def hear(self, nudges: Sequence[Nudged]) -> None:
        """Hear of a commit."""
        self.committed.append(nudges)
        self.when_committed()


@pytest.fixture
def recorder() -> Recorder:
    """What stands where the jobs stand."""
    return Recorder()


@pytest.fixture
def units(database: Database, clock: StandingClock, recorder: Recorder) -> SQLUnits:
    """Units of work that nudge the recorder."""
    return SQLUnits(database.engine, clock=clock, nudge=recorder.nudge, committed=recorder.hear)


@pytest.fixture
def mobile_id(units: SQLUnits, make: Make, user_id: str) -> MobileID:
    """A pending mobile ID in the database."""
    pending = make.mobile_id(user_id)
    with units() as unit:
        unit.add(pending)
        unit.commit()
    return pending


@pytest.fixture
def instance(units: SQLUnits, make: Make, user_id: str) -> Instance:
    """A Get at *confirm* in the database."""
    started = make.instance(user_id)
    with units() as unit:
        unit.add(started)
        unit.commit()
    return started


def test_the_ports_are_implemented(units: SQLUnits) -> None:
    """The type checker says so: units for `Units`, and each of them for `UnitOfWork`."""
    port: Units = units
    with port.reading() as reading, port() as writing:
        both: tuple[UnitOfWork, UnitOfWork] = (reading, writing)
    assert len(both) == 2


class TestCommit:
    """Everything, or nothing."""

    @pytest.mark.parametrize("how", ["commit", "forget", "raise"])
    def test_writes_everything_or_nothing(
        self, units: SQLUnits, transactions: Transactions, make: Make, user_id: str, how: str
    ) -> None:
        """Rows of every kind, audit and uses: all there after a commit, none otherwise."""
        with contextlib.suppress(ZeroDivisionError), units() as unit:
            self._write_one_of_each(unit, make, user_id)
            if how == "raise":
                raise ZeroDivisionError
            if how == "commit":
                unit.commit()
        with transactions.reading() as connection:
            counts = {
                table.name: len(connection.execute(select(table)).all())
                for table in WRITTEN_BY_A_GET
            }
        expected = 1 if how == "commit" else 0
        assert counts == dict.fromkeys(counts, expected)

    @staticmethod
    def _write_one_of_each(unit: UnitOfWork, make: Make, user_id: str) -> None:
        profile = make.mobile_id(user_id, holds=make.holds(Hold.USER_STATE))
        run = make.instance(user_id, mobile_id=profile.id)
        enrolment = make.enrolment(run, profile.id, keys=(make.device_key(Kind.SIGNATURE),))
        # References are checked at the commit, so that the order of writing does not matter.
        unit.add(enrolment, make.certificate(profile.id), run, profile)
        unit.audit(SYSTEM, "get.start", "instance", run.id, step="confirm", first=True)
        assert unit.used.first_use("nonce", until=unit.now)

    def test_ends_the_writing(self, units: SQLUnits, mobile_id: MobileID) -> None:
        """Afterwards the unit can be read with, to show what was done, and no more."""
        with units() as unit:
            unit.users.lock(mobile_id.user_id)
            unit.commit()
            assert unit.mobile_ids.get(mobile_id.id) == mobile_id
            for write in (
                unit.commit,
                lambda: unit.save(mobile_id),
                lambda: unit.users.lock(mobile_id.user_id),
            ):
                with pytest.raises(MisusedUnit, match="is committed; begin another one"):
                    write()

    def test_records_who_did_what(
        self, units: SQLUnits, transactions: Transactions, clock: StandingClock
    ) -> None:
        """The audit event has the time of the unit, and its details."""
        with units() as unit:
            unit.audit(SYSTEM, "mobile_id.lock", "mobile_id", "m-1", reason="other", count=2)
            unit.commit()
        with transactions.reading() as connection:
            row = connection.execute(select(audit_events)).one()
        assert (row.seq, row.object_type, row.object_id) == (None, "mobile_id", "m-1")
        event = AuditEvent(
            at=clock(),
            actor=SYSTEM,
            action="mobile_id.lock",
            object_type="mobile_id",
            object_id="m-1",
            details={"reason": "other", "count": 2},
        )
        assert row.record == event.record()

    def test_passes_the_crash_points_then(self, database: Database) -> None:
        """A process that is armed dies after the commit, before any work is tried."""
        done = subprocess.run(
            [sys.executable, "-c", DIES_AFTER_COMMIT, database.url],
            env=os.environ | {"MOBID_CRASHPOINT": CrashPoint.LOCK_COMMITTED},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (-signal.SIGKILL, "wrote\n")
        with Transactions(database.engine).reading() as connection:
            assert len(connection.execute(select(audit_events)).all()) == 1


class TestAUnitThatReads:
    """`Units.reading`."""

    def test_writes_nothing(
        self, units: SQLUnits, transactions: Transactions, make: Make, instance: Instance
    ) -> None:
        """Every way to write is refused before it reaches the database."""
        new = make.mobile_id(instance.user_id)
        with units.reading() as unit:
            enrolment = make.enrolment(unit.instances.get(instance.id), new.id)
            for write in (
                lambda: unit.add(new),
                lambda: unit.add(make.certificate(new.id)),
                lambda: unit.add(enrolment),
                lambda: unit.save(instance),
                lambda: unit.audit(SYSTEM, "a", "b", "c"),
                lambda: unit.used.first_use("nonce", until=unit.now),
                lambda: unit.counters.add("start", "u-1", window=timedelta(hours=1)),
                lambda: unit.enrolments.bind(enrolment, make.claim()),
                lambda: unit.scripts.add("s", source="", sha256="", author="", comment=""),
                lambda: unit.scripts.activate("s", 0, expected=1, by="olga"),
                lambda: unit.users.lock(instance.user_id),
                unit.commit,
            ):
                with pytest.raises(MisusedUnit, match="only reads; begin one that writes"):
                    write()
        with transactions.reading() as connection:
            for table in set(WRITTEN_BY_A_GET) - {instances}:
                assert connection.execute(select(table)).all() == []

    def test_does_not_wait_for_a_writer(self, units: SQLUnits, instance: Instance) -> None:
        """It sees what is committed, while a writer is in the middle of its work."""
        with units() as writer:
            moved = writer.instances.get(instance.id).to(
                StepName.QR, InstanceState.WAITING_DEVICE, expires_at=None, at=writer.now
            )
            writer.save(moved)
            with units.reading() as unit:
                assert unit.instances.get(instance.id) == instance
            writer.commit()
        with units.reading() as unit:
            assert unit.instances.get(instance.id) == moved


class TestTheTime:
    """`now`."""

    def test_is_the_same_at_every_call(self, units: SQLUnits, clock: StandingClock) -> None:
        """Time stands still inside a unit, and has moved in the next one."""
        with units() as unit:
            first = unit.now
            clock.pass_by(timedelta(hours=1))
            assert unit.now == first
        with units.reading() as unit:
            assert unit.now == first + timedelta(hours=1)

    def test_is_now_unless_a_clock_is_given(self, database: Database) -> None:
        """The database's own clock on PostgreSQL, the process's on SQLite: aware, UTC."""
        before = datetime.now(UTC)
        for begin in (SQLUnits(database.engine), SQLUnits(database.engine).reading):
            with begin() as unit:
                assert before <= unit.now <= datetime.now(UTC)
                assert unit.now == unit.now
                assert unit.now.tzinfo is UTC


class TestInstances:
    """A stale writer is told so, with what is there now."""

    def test_are_saved_at_the_step_that_was_read(self, units: SQLUnits, instance: Instance) -> None:
        """Every move counts from what was read last, in one unit more than once."""
        with units() as unit:
            for state in (InstanceState.WAITING_DEVICE, InstanceState.WAITING_USER):
                read = unit.instances.get(instance.id)
                unit.save(read.to(StepName.QR, state, expires_at=None, at=unit.now))
            unit.commit()
        with units.reading() as unit:
            assert unit.instances.get(instance.id).step_seq == instance.step_seq + 2

    def test_are_not_saved_over_somebody_elses_step(
        self, units: SQLUnits, transactions: Transactions, instance: Instance
    ) -> None:
        """The error has the instance as it is now."""
        with units() as unit:
            read = unit.instances.get(instance.id)
            self._move_on(transactions if self._has_many_writers(unit) else unit, instance)
            with pytest.raises(StaleStep, match=r"has moved on to step qr \(5\)") as stale:
                unit.save(read.end(InstanceState.CANCELLED, at=unit.now))
        assert (stale.value.instance.step, stale.value.instance.step_seq) == (StepName.QR, 5)

    @staticmethod
    def _has_many_writers(unit: SQLUnit) -> bool:
        return unit.connection.dialect.name == "postgresql"

    @staticmethod
    def _move_on(where: Transactions | SQLUnit, instance: Instance) -> None:
        """Write as somebody else does: on SQLite only this unit can, behind its own back."""
        change = update(instances).where(instances.c.id == instance.id)
        change = change.values(step_seq=5, step=StepName.QR)
        if isinstance(where, SQLUnit):
            where.connection.execute(change)
            return
        with where.writing() as connection:
            connection.execute(change)

    def test_are_not_saved_unread(self, units: SQLUnits, instance: Instance) -> None:
        """Without a step that was read, nothing could tell a stale write from a right one."""
        with units() as unit, pytest.raises(MisusedUnit, match="read it before it is saved"):
            unit.save(instance.end(InstanceState.CANCELLED, at=unit.now))


class TestMobileIDs:
    """A lost update is impossible."""

    def test_are_saved_at_the_version_that_was_read(
        self, units: SQLUnits, mobile_id: MobileID
    ) -> None:
        """Two changes in one unit are one save or two; unread, the version before counts."""
        with units() as unit:
            read = unit.mobile_ids.get(mobile_id.id)
            unit.save(read.touch(at=unit.now).touch(at=unit.now))
            unit.save(unit.mobile_ids.get(mobile_id.id).touch(at=unit.now))
            unit.commit()
        with units() as unit:
            unit.save(replace(mobile_id, version=5))
            unit.commit()
        with units.reading() as unit:
            assert unit.mobile_ids.get(mobile_id.id).version == 5

    def test_are_not_saved_at_another_version(self, units: SQLUnits, mobile_id: MobileID) -> None:
        """The message says which version is there."""
        with units() as unit, pytest.raises(VersionConflict, match="is at version 1, not 6 any"):
            unit.save(replace(mobile_id, version=7))

    def test_are_not_made_by_a_save(self, units: SQLUnits, mobile_id: MobileID) -> None:
        """What is not there is not found."""
        with units() as unit, pytest.raises(NotFound, match='There is no mobile ID "lost" here'):
            unit.save(replace(mobile_id, id="lost"))


class TestNudges:
    """Work that a commit leaves behind is nudged with it, and tried right after it."""

    def test_come_for_new_rows_and_fresh_attempts(
        self, units: SQLUnits, make: Make, mobile_id: MobileID, recorder: Recorder
    ) -> None:
        """In the transaction one by one, and once all together when it is committed."""
        ordered = make.certificate(mobile_id.id)
        ordered = replace(ordered, work=Work().want(ordered.ordered_at))
        started = make.instance(mobile_id.user_id)
        with units() as unit:
            unit.add(ordered, started)
            unit.save(
                started.to(
                    StepName.CREATING, InstanceState.WAITING_CA, expires_at=None, at=unit.now
                )
            )
            assert recorder.committed == []
            unit.commit()
        expected = [("certificate", ordered.id, 1), ("instance", started.id, 1)]
        assert recorder.nudged == expected
        assert recorder.committed == [expected]

        with units() as unit:
            read = unit.certificates.get(ordered.id)
            unit.save(read.want(Wanted.REVOKED, at=unit.now))
            unit.commit()
        assert recorder.committed[1:] == [[("certificate", ordered.id, 2)]]

    def test_come_for_a_mail_that_tells_something_new(
        self, units: SQLUnits, make: Make, user_id: str, recorder: Recorder
    ) -> None:
        """The second of an event is no row, so there is no work; one that was sent wants none."""
        mail = make.mail(user_id, subject_id="run")
        with units() as unit:
            unit.add(mail, make.mail(user_id, subject_id="run"))
            unit.commit()
        assert recorder.committed == [[("mail", mail.id, 1)]]
        with units() as unit:
            unit.save(unit.mails.get(mail.id).sent(at=unit.now))
            unit.commit()
        assert recorder.nudged == [("mail", mail.id, 1)]

    def test_come_once_for_the_newest_attempt(
        self, units: SQLUnits, make: Make, mobile_id: MobileID, recorder: Recorder
    ) -> None:
        """However often a row was saved in the unit."""
        ordered = make.certificate(mobile_id.id)
        with units() as unit:
            unit.add(ordered)
            held = ordered.want(Wanted.HELD, at=unit.now)
            unit.save(held)
            unit.save(held.want(Wanted.REVOKED, at=unit.now))
            unit.commit()
        assert recorder.nudged == [("certificate", ordered.id, 2)]

    def test_do_not_come_for_anything_else(
        self, units: SQLUnits, make: Make, mobile_id: MobileID, recorder: Recorder
    ) -> None:
        """Not for work that is done again in the unit, nor for a row that is saved as it was."""
        ordered = make.certificate(mobile_id.id)
        ordered = replace(ordered, work=Work().want(ordered.ordered_at))
        done = make.certificate(mobile_id.id, kind=Kind.SIGNATURE)
        with units() as unit:
            unit.add(ordered, done)
            wanted = done.want(Wanted.REVOKED, at=unit.now)
            unit.save(wanted)
            unit.save(wanted.heard(CAState.REVOKED, at=unit.now))
            unit.commit()
        with units() as unit:
            unit.save(unit.certificates.get(ordered.id).sent(unit.now))
            unit.save(unit.mobile_ids.get(mobile_id.id).touch(at=unit.now))
            unit.commit()
        assert recorder.nudged == [("certificate", ordered.id, 1)]
        assert len(recorder.committed) == 1

    def test_are_rolled_back_with_the_rest(
        self,
        units: SQLUnits,
        transactions: Transactions,
        make: Make,
        mobile_id: MobileID,
        recorder: Recorder,
    ) -> None:
        """A nudge that fails takes the transaction with it; nobody hears of a commit."""

        def use_and_fail(connection: Connection) -> None:
            connection.execute(
                insert(used_once).values(digest=b"nudge", until=mobile_id.created_at)
            )
            raise ZeroDivisionError

        recorder.when_nudged = use_and_fail
        ordered = make.certificate(mobile_id.id)
        with contextlib.suppress(ZeroDivisionError), units() as unit:
            unit.add(replace(ordered, work=Work().want(unit.now)))
            unit.commit()
        assert (len(recorder.nudged), recorder.committed) == (1, [])
        with transactions.reading() as connection:
            for table in (used_once, certificates):
                assert connection.execute(select(table)).all() == []

    def test_are_tried_without_the_lock_and_with_the_row_there(
        self, units: SQLUnits, make: Make, mobile_id: MobileID, recorder: Recorder
    ) -> None:
        """Whoever hears of a commit can begin a unit of work of its own at once."""
        ordered = make.certificate(mobile_id.id)

        def work_at_once() -> None:
            recorder.when_committed = lambda: None
            with units() as unit:
                unit.save(unit.certificates.get(ordered.id).heard(CAState.ABSENT, at=unit.now))
                unit.commit()

        recorder.when_committed = work_at_once
        with units() as unit:
            unit.add(replace(ordered, work=Work().want(unit.now)))
            unit.commit()
        with units.reading() as unit:
            assert unit.certificates.get(ordered.id).ca_state is CAState.ABSENT

    def test_are_told_even_if_the_rest_of_the_block_fails(
        self, units: SQLUnits, make: Make, mobile_id: MobileID, recorder: Recorder
    ) -> None:
        """What is committed is committed."""
        ordered = make.certificate(mobile_id.id)
        with contextlib.suppress(ZeroDivisionError), units() as unit:
            unit.add(replace(ordered, work=Work().want(unit.now)))
            unit.commit()
            raise ZeroDivisionError
        assert recorder.committed == [[("certificate", ordered.id, 1)]]

    def test_never_take_an_attempt_that_a_job_has_made(
        self,
        units: SQLUnits,
        transactions: Transactions,
        make: Make,
        mobile_id: MobileID,
        recorder: Recorder,
    ) -> None:
        """Jobs move attempts on without locking the user: a fresh one comes after theirs."""
        ordered = make.certificate(mobile_id.id)
        with units() as unit:
            unit.add(replace(ordered, work=Work().want(unit.now)))
            unit.commit()
        with units() as unit:
            read = unit.certificates.get(ordered.id)
            change = update(certificates).values(work_attempt=7, work_claimed=7)
            if unit.connection.dialect.name == "postgresql":
                with transactions.writing() as connection:
                    connection.execute(change)
            else:
                unit.connection.execute(change)
            unit.save(read.sent(unit.now))
            unit.save(read.sent(unit.now).want(Wanted.REVOKED, at=unit.now))
            unit.commit()
        assert recorder.committed[1:] == [[("certificate", ordered.id, 8)]]
        with units.reading() as unit:
            assert unit.certificates.get(ordered.id).work.attempt == 8
