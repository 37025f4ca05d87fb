"""Bring a database to the newest schema, once, however many processes start together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from mobid.storage.engine import Transactions, is_postgresql
from mobid.storage.errors import UnsuitableDatabase
from mobid.storage.text_index import make_text_index

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(7236839)")


def migrate(engine: Engine) -> None:
    """Apply every migration that the database lacks, all in one transaction or none.

    PostgreSQL gets an index for parts of texts, too, where it can be had. Raise `UnsuitableDatabase`
    for a database that a later version has migrated.
    """
    with Transactions(engine).migrating() as connection:
        if is_postgresql(engine):
            connection.execute(_ONE_AT_A_TIME)
        _revision(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if is_postgresql(engine):
            make_text_index(connection)


@dataclass(frozen=True, slots=True)
class Schema:
    """Which schema a database has, if any, and which this version needs."""

    found: str | None
    needed: str | None


def schema_of(engine: Engine) -> Schema:
    """Return the schema of a database; raise `UnsuitableDatabase` for a later one."""
    with Transactions(engine).reading() as connection:
        found = _revision(connection)
    return Schema(found, ScriptDirectory.from_config(_config()).get_current_head())


def is_current(engine: Engine) -> bool:
    """Tell whether the database has the newest schema; raise `UnsuitableDatabase` for a later one."""
    schema = schema_of(engine)
    return schema.found == schema.needed


def _revision(connection: Connection) -> str | None:
    """Return which of our schemas this is, if any; raise `UnsuitableDatabase` if it is none of ours."""
    found = MigrationContext.configure(connection).get_current_revision()
    ours = ScriptDirectory.from_config(_config()).walk_revisions()
    if found is not None and found not in {one.revision for one in ours}:
        raise UnsuitableDatabase(
            f'The database has the schema "{found}" of a later version of mobid; run that version.'
        )
    return found


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "mobid.storage:migrations")
    return config
