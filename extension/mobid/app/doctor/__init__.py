"""The doctor: looks at everything that a deployment stands on, and says what to do. It changes nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mobid.app.doctor.ca import ca, ca_asked
from mobid.app.doctor.database import database, schema
from mobid.app.doctor.finding import Finding, Health, examine, failed, ok
from mobid.app.doctor.home import home, keys
from mobid.app.doctor.machine import address, disk, outgoing, time_sync
from mobid.app.doctor.mail import mail
from mobid.app.doctor.scripts import active_versions, sandbox
from mobid.app.doctor.work import OVERDUE, work
from mobid.app.product import Product, utc_now
from mobid.app.settings import load_settings
from mobid.ca import CAError
from mobid.config import ConfigError, InvalidSettings
from mobid.notify import check_connection
from mobid.storage import StorageError, open_engine
from mobid.storage.condition import capabilities_answered_at
from mobid.storage.effects import WorkRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mobid.config import Settings

__all__ = ["Finding", "Health", "doctor"]

_MOST_OVERDUE = 1000


def doctor(directory: Path, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is found of a home and everything round it; what stands on a fault is left out."""
    try:
        settings = load_settings(directory, environ).settings
    except InvalidSettings as invalid:
        for fault in invalid.faults:
            yield failed("settings", str(fault), "Mend it; the rest is looked at then.")
        return
    yield ok("settings", "can be used")
    yield from examine(
        {
            "home": partial(home, settings.home),
            "keys": partial(keys, settings.home),
            "disk": partial(disk, settings.home),
            "time": time_sync,
            "public URL": partial(address, settings),
            "outgoing proxy": partial(outgoing, environ),
            "mail": partial(mail, settings.mail, check_connection),
        }
    )
    yield from _of_database(settings)


def _of_database(settings: Settings) -> Iterator[Finding]:
    """Look at the database, and if it has our schema at all that needs it."""
    engine = open_engine(settings.database_url.reveal())
    try:
        answers = list(examine({"database": partial(database, engine, utc_now)}))
        yield from answers
        if answers[0].health is Health.FAILED:
            return
        schemas = list(examine({"schema": partial(schema, engine, settings.home)}))
        yield from schemas
    finally:
        engine.dispose()
    if schemas[0].health is Health.OK:
        yield from _of_product(settings)


def _of_product(settings: Settings) -> Iterator[Finding]:
    """Look at what takes the whole product: CA, sandbox, and what waits."""
    try:
        product = Product(settings)
    except (CAError, ConfigError, StorageError) as error:
        yield failed("start", str(error), "Until then neither server nor worker starts.")
        return
    with product:
        name = settings.authority
        asked = capabilities_answered_at(product.engine, name)
        yield from examine(
            {
                "CA": partial(ca, name, product.authorities[name], utc_now()),
                "CA answers": partial(ca_asked, asked, utc_now()),
                "sandbox": partial(sandbox, product.sandbox, utc_now(), settings.scripts.layers),
                "scripts": partial(active_versions, product.scripts),
                "work": partial(_work, product),
            }
        )


def _work(product: Product) -> Iterator[Finding]:
    with product.transactions.reading() as connection:
        overdue = WorkRows(product.clock).overdue_revocations(
            connection, after=OVERDUE, limit=_MOST_OVERDUE
        )
    return work(product.effects.overview(), overdue)
