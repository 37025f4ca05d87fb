"""Bring a database to the newest schema, once, however many processes start together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from mobid.storage.engine import Transactions, is_postgresql

if TYPE_CHECKING:
    from sqlalchemy import Engine

_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(7236839)")


def migrate(engine: Engine) -> None:
    """Apply every migration that the database lacks, all in one transaction or none."""
    with Transactions(engine).migrating() as connection:
        if is_postgresql(engine):
            connection.execute(_ONE_AT_A_TIME)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(engine: Engine) -> bool:
    """Tell whether the database has the newest schema."""
    with Transactions(engine).reading() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return found == ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "mobid.storage:migrations")
    return config
