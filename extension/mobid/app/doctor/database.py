"""Checks of the database: whether it answers, can be relied on, and has our schema."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mobid.app.doctor.finding import failed, ok, warning
from mobid.storage import StorageError
from mobid.storage.condition import PostgreSQLCondition, SQLiteCondition, condition_of
from mobid.storage.engine import Journal, journal_for
from mobid.storage.migrate import schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Engine

    from mobid.app.doctor.finding import Finding
    from mobid.processes.ports import Clock

OLDEST_POSTGRESQL: Final = 14
"""Older ones get no repairs any more."""
MOST_DIFFERENCE: Final = timedelta(seconds=2)

_FULL: Final = 2


def database(engine: Engine, clock: Clock) -> Iterator[Finding]:
    """Ask the database for everything that can be told without writing."""
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    try:
        if file is not None:
            _must_exist(file)
        before = clock()
        condition = condition_of(engine)
        after = clock()
    except (StorageError, OSError) as error:
        yield failed("database", str(error), "See that it runs, and check database_url.")
        return
    if isinstance(condition, SQLiteCondition):
        yield from sqlite(condition)
    else:
        yield from postgresql(condition)
        yield from clocks(condition.now, before, after)


def schema(engine: Engine, home: Path) -> Iterable[Finding]:
    """Compare the schema of the database with that of this version."""
    try:
        found = schema_of(engine)
    except StorageError as error:
        return [failed("schema", str(error), "Run the version of mobid that it was made by.")]
    if found.found == found.needed:
        return [ok("schema", f"{found.found}, the newest")]
    seen = f"{found.found or 'none'}; this version needs {found.needed}"
    return [failed("schema", seen, f"Run: mobid --home {home} migrate")]


def sqlite(condition: SQLiteCondition) -> Iterator[Finding]:
    """Judge a build of SQLite: the journal that is safe with it, and durable commits."""
    version = ".".join(map(str, condition.version))
    safe = journal_for(condition.version)
    if condition.journal != safe:
        seen = f"SQLite {version} has the journal {condition.journal}, safe with it is {safe}"
        yield failed("database", seen, "Stop whoever else has the file open, and try again.")
    elif safe is Journal.WAL:
        yield ok("database", f"SQLite {version}, journal {safe}")
    else:
        yield warning(
            "database",
            f"SQLite {version} has the WAL-reset fault, so the slower journal {safe} is used",
            "Use a Python with SQLite 3.51.3 or newer (also 3.50.7, 3.44.6), or PostgreSQL.",
        )
    if condition.synchronous < _FULL:
        seen = f"synchronous is {condition.synchronous}: commits can be lost with the power"
        yield failed("durability", seen, "Report it: mobid sets FULL on every connection.")
    else:
        yield ok("durability", "commits are on the disk before they are acknowledged")


def postgresql(condition: PostgreSQLCondition) -> Iterator[Finding]:
    """Judge a PostgreSQL: its age, its text, its transactions, and durable commits."""
    major, minor = condition.version
    seen = f"PostgreSQL {major}.{minor}"
    if major < OLDEST_POSTGRESQL:
        remedy = f"Move to PostgreSQL {OLDEST_POSTGRESQL} or newer."
        yield warning("database", f"{seen} gets no repairs any more", remedy)
    else:
        yield ok("database", seen)
    if condition.encoding != "UTF8":
        remedy = "Make the database anew: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        yield failed("encoding", f"{condition.encoding} cannot hold every name", remedy)
    if condition.isolation != "read committed":
        remedy = "Take away what sets it, such as options in database_url."
        yield failed("isolation", f"{condition.isolation}, not read committed", remedy)
    yield _durability(condition)
    yield _search(condition)


def clocks(theirs: datetime, before: datetime, after: datetime) -> Iterable[Finding]:
    """Compare the clock of the database with ours, which was read before and after it."""
    difference = max(before - theirs, theirs - after, timedelta(0))
    seen = f"the database's and this machine's differ by {difference.total_seconds():.1f} s"
    if difference > MOST_DIFFERENCE:
        remedy = "Have both set by the same time servers; codes and certificates end by them."
        return [failed("clocks", seen, remedy)]
    return [ok("clocks", seen)]


def _durability(condition: PostgreSQLCondition) -> Finding:
    if not condition.fsync:
        seen = "fsync is off: a crash of the server's machine can destroy the database"
        return failed("durability", seen, "Set fsync = on in postgresql.conf.")
    if condition.synchronous_commit in {"off", "local"}:
        seen = f"synchronous_commit is {condition.synchronous_commit}: acknowledged commits can be lost"
        return warning("durability", seen, "Set synchronous_commit = on for this database.")
    return ok("durability", "commits are on the disk before they are acknowledged")


def _search(condition: PostgreSQLCondition) -> Finding:
    """Tell how parts of texts are found; both ways are right."""
    if condition.text_index:
        return ok(
            "search", 'parts of texts are found by an index (pg_trgm): SCIM filters with "co"'
        )
    seen = 'parts of texts are looked for in all of them (no pg_trgm): SCIM filters with "co"'
    return ok("search", f"{seen}; with it, which its owner may make, run: mobid migrate")


def _must_exist(file: str) -> None:
    """Keep SQLite from making a database where there is none."""
    with open(file, "rb"):  # noqa: PTH123 - the path comes from a URL, as text
        pass
