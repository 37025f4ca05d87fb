"""A real database of each kind with rows that want work, and effects to do it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.certificates import Certificate
from mobid.domain.instances import Instance, InstanceState, Process, StepName
from mobid.domain.mails import Mail, MailEvent
from mobid.domain.mobile_ids import ProfileState
from mobid.domain.options import Kind
from mobid.domain.users import UserState
from mobid.domain.work import Work
from mobid.jobs import Effects, Timing
from mobid.storage.effects import KINDS, table_of
from mobid.storage.engine import Transactions, open_engine
from mobid.storage.tables import mobile_ids, users
from mobid.storage.unit_of_work import SQLUnits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Engine, Row
    from tests.conftest import PostgreSQL

    from mobid.jobs import Handler

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUICK = Timing(
    at_once=timedelta(seconds=0.3),
    stale=timedelta(seconds=1),
    sweep=timedelta(seconds=0.3),
    poll=timedelta(seconds=0.1),
    patience=timedelta(0),
    most_attempts=3,
    stop=timedelta(seconds=1),
)

scratch = sa.MetaData()
calls = sa.Table("calls", scratch, sa.Column("key", sa.Text))
outcomes = sa.Table("outcomes", scratch, sa.Column("key", sa.Text, primary_key=True))


class Hand:
    """A handler of one kind: it records whom it was called for, and does what a test puts into it."""

    def __init__(self, place: Place, kind: str, called: list[str] | None = None) -> None:
        self._place = place
        self._kind = kind
        self.called = [] if called is None else called
        self.does: Callable[[str], object] = self.finish

    def __call__(self, row_id: str) -> None:
        """Do the work of a row."""
        self.called.append(row_id)
        self.does(row_id)

    def finish(self, row_id: str) -> None:
        """Leave nothing to do."""
        self._place.change(self._kind, row_id, work_wanted=False, wanted_since=None)


@dataclass(frozen=True, slots=True)
class Database:
    """One database for many tests."""

    name: str
    url: str
    engine: Engine


@dataclass
class Place:
    """One database, its rows, and the effects of the processes on it."""

    database: Database
    made: list[Effects] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the database."""
        return self.database.url

    @property
    def transactions(self) -> Transactions:
        """Transactions of plain SQL."""
        return Transactions(self.database.engine)

    def effects(self, timing: Timing = QUICK, **hands: Handler) -> Effects:
        """Make the effects of another process, with handlers that finish unless others are given."""
        handlers = {kind: hands.get(kind) or Hand(self, kind) for kind in KINDS}
        self.made.append(Effects(self.transactions, url=self.url, handlers=handlers, timing=timing))
        return self.made[-1]

    def stop(self) -> None:
        """Stop all effects that were made."""
        while self.made:
            self.made.pop().stop()

    def hand(self, kind: str = "certificate", called: list[str] | None = None) -> Hand:
        """Make a handler that finishes every row, and records it in a list of its own or this one."""
        return Hand(self, kind, called)

    def want(
        self, row_id: str, kind: str = "certificate", *, effects: Effects | None = None, **more: Any
    ) -> tuple[str, str, int]:
        """Commit a row that wants work, with its nudge if there are effects; `more` are its columns."""
        attempt = more.pop("work_attempt", 1)
        units = SQLUnits(self.database.engine, nudge=effects.nudge if effects else None)
        rows = table_of(kind)
        with units() as unit:
            work = Work(wanted=True, attempt=attempt, nudged_at=unit.now, wanted_since=unit.now)
            unit.add(_ROWS[kind](row_id, work))
            if more:
                unit.connection.execute(sa.update(rows).where(rows.c.id == row_id).values(more))
            unit.commit()
        return kind, row_id, attempt

    def change(self, kind: str, row_id: str, **values: Any) -> None:
        """Write some columns of a row."""
        rows = table_of(kind)
        with self.transactions.writing() as connection:
            connection.execute(sa.update(rows).where(rows.c.id == row_id).values(values))

    def row(self, row_id: str, kind: str = "certificate") -> Row[Any]:
        """Return a row."""
        rows = table_of(kind)
        return self.query(sa.select(rows).where(rows.c.id == row_id))[0]

    def query(self, query: sa.Select[Any] | sa.TextClause) -> list[Row[Any]]:
        """Return the rows of a query."""
        with self.transactions.reading() as connection:
            return list(connection.execute(query).all())

    def execute(self, statement: sa.TextClause) -> int:
        """Change the tables of the jobs, as another process would have; return how many rows."""
        with self.transactions.writing() as connection:
            return connection.execute(statement).rowcount

    def jobs(self, column: str = "status") -> dict[str, Any]:
        """Return a column of what the job engine has of each job."""
        table = self.job_tables[0]
        found = self.query(sa.text(f"SELECT workflow_uuid, {column} FROM {table}"))  # noqa: S608 - constants
        return {row.workflow_uuid: getattr(row, column) for row in found}

    @property
    def job_tables(self) -> Sequence[str]:
        """The tables of the jobs, of what they were given, and of what they answered."""
        schema = "dbos." if self.database.name == "postgresql" else ""
        return [f"{schema}workflow_{one}" for one in ("status", "input", "output")]

    def now(self) -> datetime:
        """The time by which this database tells ages."""
        if self.database.name == "sqlite":
            return datetime.now(UTC)
        with self.transactions.reading() as connection:
            now: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        return now


def _certificate(row_id: str, work: Work) -> Certificate:
    return Certificate(
        id=row_id,
        mobile_id="m-1",
        kind=Kind.AUTHENTICATION,
        ca="builtin",
        csr=b"",
        key_hash=hashlib.sha256(row_id.encode()).digest(),
        subject=b"",
        san="",
        not_before=NOON,
        not_after=NOON + timedelta(days=365),
        profile_hash="",
        ordered_at=NOON,
        work=work,
    )


def _instance(row_id: str, work: Work) -> Instance:
    return Instance(
        id=row_id,
        process=Process.GET,
        user_id="u-1",
        actor=Actor(ActorKind.USER, "u-1"),
        state=InstanceState.WAITING_CA,
        step=StepName.CREATING,
        created_at=NOON,
        expires_at=None,
        work=work,
    )


def _mail(row_id: str, work: Work) -> Mail:
    return Mail(
        id=row_id,
        event=MailEvent.GET_SUCCEEDED,
        user_id="u-1",
        to="anne@example.org",
        subject_id=row_id,
        created_at=NOON,
        work=work,
    )


_ROWS: dict[str, Callable[[str, Work], Certificate | Instance | Mail]] = {
    "certificate": _certificate,
    "instance": _instance,
    "mail": _mail,
}
_USER = {
    "id": "u-1",
    "state": UserState.ACTIVE,
    "user_name": "anne",
    "user_name_key": "anne",
    "display_name": "Anne",
    "display_name_folded": "anne",
    "version": 1,
    "created_at": NOON,
    "changed_at": NOON,
    "client": "idm",
    "doc": "{}",
}
_PROFILE = {
    "id": "m-1",
    "user_id": "u-1",
    "state": ProfileState.PENDING,
    "profile_name": "MobileID Anne",
    "server_name": "Mobile ID",
    "user_label": "anne",
    "created_at": NOON,
    "changed_at": NOON,
    "version": 1,
}


@pytest.fixture(scope="session")
def prepare(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Place]]:
    """Make databases with one user, one profile, and room for jobs; by name of their kind."""
    made: list[Database] = []

    def prepare(name: str) -> Place:
        if name == "sqlite":
            path = tmp_path_factory.mktemp("jobs") / "mobid.db"
            shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
            url = f"sqlite:///{path}"
        else:
            server: PostgreSQL = request.getfixturevalue("postgresql_server")
            url = server.url(server.create())
        made.append(Database(name, url, open_engine(url)))
        place = Place(made[-1])
        with place.transactions.writing() as connection:
            scratch.create_all(connection)
            connection.execute(sa.insert(users).values(_USER))
            connection.execute(sa.insert(mobile_ids).values(_PROFILE))
        place.effects().prepare()
        place.stop()
        return place

    yield prepare
    for one in made:
        one.engine.dispose()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def prepared(request: pytest.FixtureRequest, prepare: Callable[[str], Place]) -> Place:
    """A database of each kind for all tests of this folder."""
    return prepare(request.param)


@pytest.fixture
def place(prepared: Place) -> Iterator[Place]:
    """That database without any work in it."""
    yield prepared
    prepared.stop()
    for table in ("certificates", "instances", "mails", "calls", "outcomes", *prepared.job_tables):
        prepared.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - constants
