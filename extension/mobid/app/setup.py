"""Make a home ready: keys, schema, the built-in CA, and the CAs' first answers. Safe to repeat."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from mobid.app.product import Product, utc_now
from mobid.ca.builtin import initialise as initialise_builtin
from mobid.config import KeyExists, key_folder
from mobid.storage import migrate, open_engine
from mobid.storage.migrate import is_current

if TYPE_CHECKING:
    from mobid.config import Settings

BUILTIN: Final = "builtin"


def initialise(settings: Settings, *, ca_name: str = "mobid CA") -> None:
    """Bring an existing home to the point where it can be served.

    The schema is migrated, the built-in CA gets its key and certificate if it is the one to be
    used and has none, and every CA is asked what it can do.
    """
    engine = open_engine(settings.database_url.reveal())
    try:
        migrate(engine)
    finally:
        engine.dispose()
    if settings.authority == BUILTIN:
        # An existing CA is kept: its certificates are in use.
        with suppress(KeyExists):
            initialise_builtin(key_folder(settings.home).path, name=ca_name, now=utc_now())
    with Product(settings) as product:
        product.effects.prepare()
        product.reconciliation.probe()


def is_ready(settings: Settings) -> bool:
    """Tell whether the database has the schema of this version."""
    engine = open_engine(settings.database_url.reveal())
    try:
        return is_current(engine)
    finally:
        engine.dispose()
