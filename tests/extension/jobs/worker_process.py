"""A worker process for the tests: its effects are rows of a table whose key allows each once.

It takes the address of the database from its environment, says `ready` on stdout, and ends in good
order on SIGTERM. Rows called `bad-…` fail always, `flaky-…` the first time.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa
import structlog

from mobid.jobs import Effects, Timing
from mobid.storage.effects import table_of
from mobid.storage.engine import Transactions, open_engine

if TYPE_CHECKING:
    from mobid.jobs import Handler

TIMING = Timing(
    stale=timedelta(seconds=1.5),
    sweep=timedelta(seconds=0.3),
    poll=timedelta(seconds=0.1),
    back_off_least=timedelta(seconds=0.1),
    back_off_most=timedelta(seconds=0.1),
    most_attempts=4,
    patience=timedelta(0),
    stop=timedelta(seconds=1),
)

url = os.environ["MOBID_TEST_DATABASE"]
transactions = Transactions(open_engine(url))
a_while = threading.Event()


def execute(statement: str, **values: str) -> int:
    """Execute one statement in a transaction of its own; return how many rows it changed."""
    with transactions.writing() as connection:
        return connection.execute(sa.text(statement), values).rowcount


def handler(kind: str) -> Handler:
    """Return what does the work of one kind, in three steps between which the process may die."""
    rows = table_of(kind)

    def handle(row_id: str) -> None:
        execute("INSERT INTO calls (key) VALUES (:key)", key=row_id)
        with transactions.reading() as connection:
            count = sa.text("SELECT count(*) FROM calls WHERE key = :key")
            calls = connection.execute(count, {"key": row_id}).scalar_one()
        if row_id.startswith("bad") or (row_id.startswith("flaky") and calls == 1):
            raise ValueError(f"{row_id} cannot be done")
        a_while.wait(random.uniform(0.02, 0.15))  # noqa: S311
        execute("INSERT INTO outcomes (key) VALUES (:key) ON CONFLICT DO NOTHING", key=row_id)
        a_while.wait(random.uniform(0.0, 0.05))  # noqa: S311
        with transactions.writing() as connection:
            connection.execute(sa.update(rows).where(rows.c.id == row_id).values(work_wanted=False))

    return handle


def main() -> None:
    """Work until SIGTERM."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end.set())
    handlers = {kind: handler(kind) for kind in ("certificate", "instance", "mail")}
    effects = Effects(transactions, url=url, handlers=handlers, timing=TIMING)
    effects.start_worker()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # A signal can reach another thread while the process wakes up from a stop; its handler runs only
    # when this one comes round.
    while not end.wait(0.2):
        continue
    effects.stop()


if __name__ == "__main__":
    main()
