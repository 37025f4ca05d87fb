"""Effects: the one object that the application makes, and that storage, workers and the CLI call."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mobid.jobs import worker
from mobid.jobs.at_once import AtOnce
from mobid.jobs.attempts import Attempts, Handler
from mobid.jobs.errors import HandlersMissing
from mobid.jobs.nudges import Nudges
from mobid.jobs.periodic import Clocks, Periodic, Ticker
from mobid.jobs.sweep import OverdueRevocations, Sweep
from mobid.jobs.timing import Timing
from mobid.storage.effects import KINDS, Nudge, WorkRows, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from mobid.storage.effects import WantedWork
    from mobid.storage.engine import Transactions

_ALARM_EVERY: Final = timedelta(minutes=1)
_PURGE_EVERY: Final = timedelta(minutes=10)


class Effects:
    """The effects of one database.

    Every process that commits has one: it nudges in the transaction and tries after the commit.
    Those that also do what is left over call `start_worker`; a process can have one worker only.
    """

    def __init__(
        self,
        transactions: Transactions,
        *,
        url: str,
        handlers: Mapping[str, Handler],
        timing: Timing | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        if set(handlers) != set(KINDS):
            raise HandlersMissing(tuple(handlers), KINDS)
        self._transactions: Final = transactions
        self._url: Final = url
        self._timing: Final = timing or Timing()
        self._rows: Final = WorkRows(clock)
        self._nudges: Final = Nudges(url)
        self._attempts: Final = Attempts(
            transactions=transactions,
            rows=self._rows,
            nudges=self._nudges,
            handlers=handlers,
            timing=self._timing,
        )
        self._at_once: Final = AtOnce(
            self._attempts,
            threads=self._timing.at_once_threads,
            patience=self._timing.at_once,
        )
        self.sweep: Final = Sweep(
            transactions=transactions,
            rows=self._rows,
            nudges=self._nudges,
            attempts=self._attempts,
            timing=self._timing,
        )
        self._tickers: list[Ticker] = []

    def prepare(self) -> None:
        """Create or migrate the tables of the jobs; needed once before anything is nudged."""
        self._nudges.prepare()

    def nudge(self, connection: Connection, kind: str, row_id: str, attempt: int) -> None:
        """Enqueue the job of a fresh attempt, in the transaction that makes the row want it.

        It is due only after a while, so that the committing thread has its try first. On SQLite the
        caller holds the write lock of the process. Raise `UnknownKind`.
        """
        table_of(kind)
        self._nudges.enqueue(connection, Nudge(kind, row_id, attempt), delay=self._timing.first_job)

    def committed(self, nudges: Iterable[tuple[str, str, int]]) -> None:
        """Try at once what was just committed as (kind, id, attempt); call it without any lock.

        It returns after two seconds at the latest, and never raises. See `AtOnce.committed`.
        """
        self._at_once.committed(nudges)

    def requeue(self, kind: str, row_id: str) -> None:
        """Put a dead letter back at a fresh attempt, due now; raise `NoDeadLetter`, `UnknownKind`."""
        with self._transactions.writing() as connection:
            nudge = self._rows.revive(connection, kind, row_id)
            self._nudges.enqueue(connection, nudge, delay=timedelta(0))

    def overview(self) -> Sequence[WantedWork]:
        """Return every row that wants work, with its attempt, its last error, age, and if it is dead."""
        with self._transactions.reading() as connection:
            return self._rows.overview(connection)

    def start_worker(
        self, periodic: Iterable[Periodic] = (), *, clocks: Clocks | None = None
    ) -> None:
        """Run jobs, the sweep and the periodic tasks in this process; raise `WorkerRunning`.

        A periodic task runs at the start and then in its rhythm. Its commits leave their effects
        to the jobs, so that a slow CA does not hold it up.
        """
        self._nudges.prepare()
        self._nudges.open_queue(concurrency=self._timing.concurrency, poll=self._timing.poll)
        worker.start(self._url, self._attempts.make, concurrency=self._timing.concurrency)
        self._tickers = [
            Ticker(self._aside(task), drift=self._timing.clock_drift, clocks=clocks or Clocks())
            for task in (*self._own_tasks(), *periodic)
        ]
        for ticker in self._tickers:
            ticker.start()

    @property
    def worker_lives(self) -> bool | None:
        """Whether the worker of this object goes on; None if it has none."""
        return all(one.alive for one in self._tickers) if self._tickers else None

    def stop(self) -> None:
        """Stop what this object started. An effect at work ends by itself, or is found again later."""
        with ExitStack() as rest:
            rest.callback(self._nudges.close)
            rest.callback(self._at_once.close)
            if self._tickers:
                rest.callback(worker.stop, self._timing.stop)
            for ticker in self._tickers:
                ticker.stop()
            for ticker in self._tickers:
                ticker.join(self._timing.stop)
        self._tickers = []

    def _own_tasks(self) -> Sequence[Periodic]:
        alarm = OverdueRevocations(
            transactions=self._transactions, rows=self._rows, timing=self._timing
        )
        return (
            Periodic(name="sweep", every=self._timing.sweep, run=self.sweep),
            Periodic(name="overdue revocations", every=_ALARM_EVERY, run=alarm),
            Periodic(name="finished jobs", every=_PURGE_EVERY, run=self._purge),
        )

    def _purge(self) -> int:
        return self._nudges.purge(older_than=self._timing.keep_jobs)

    def _aside(self, task: Periodic) -> Periodic:
        def run() -> object:
            with self._at_once.left_to_jobs():
                return task.run()

        return replace(task, run=run)
