"""What tests of several packages share: both databases, a clock that stands still, the built-in CA."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import threading
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import sqlalchemy as sa
import structlog
from tests.parts.ca_store import MemoryCAStore
from tests.parts.clock import StandingClock
from tests.parts.databases import Database, PostgreSQL, emptied
from tests.parts.orders import Orders
from tests.parts.races import Held, Turns

from mobid.app.logs import Bridge
from mobid.ca import Surroundings
from mobid.ca.builtin import create, initialise
from mobid.domain.options import Kind
from mobid.storage import SQLUnits, migrate, open_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from examples.openbao.openbao_dev import DevServer
    from sqlalchemy import Engine

    from mobid.ca.builtin import BuiltinCA
    from mobid.ca.builtin.store import CAStore

pytest_plugins = ("tests.parts.both_databases", "tests.parts.measuring")
# What tests name in their annotations.
__all__ = ["Database", "Held", "MemoryCAStore", "Orders", "PostgreSQL", "StandingClock", "Turns"]

# A failed assertion there is told as well as one in a test.
pytest.register_assert_rewrite("tests.e2e.parts", "tests.extension.processes.parts")


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


@pytest.fixture(scope="session")
def turns_on() -> Callable[[Engine], Turns]:
    """Return the one that stands before the turns of an engine."""
    known: dict[Engine, Turns] = {}

    def on(engine: Engine) -> Turns:
        if engine not in known:
            known[engine] = Turns(engine)
        return known[engine]

    return on


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the reports of suites that are not ours; in a parallel run they come from workers."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for text in (str(told) for name, told in report.user_properties if name == "report"):
                terminalreporter.section(report.nodeid)
                terminalreporter.line(text)
