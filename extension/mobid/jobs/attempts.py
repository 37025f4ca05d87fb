"""One attempt at the work of a row: claim it, do it, and say what comes next. It never raises."""

from __future__ import annotations

import random
import threading
import traceback
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeGuard, runtime_checkable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mobid.processes.authority import OutcomeUnknown, Unavailable
from mobid.processes.mailing import MailUnavailable
from mobid.storage.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from mobid.jobs.nudges import Nudges
    from mobid.jobs.timing import Timing
    from mobid.storage.effects import Nudge, WorkRows
    from mobid.storage.engine import Transactions

Handler: TypeAlias = Callable[[str], None]
"""Does the work of the row with this id, in units of work of its own. Twice must be no harm."""

LOST: Final = "Lost: whoever had this attempt did not finish it in time."
_RETRY_AFTER: Final = (timedelta(seconds=1), timedelta(hours=1))
_MESSAGE_LENGTH: Final = 300
_JITTER: Final = (0.8, 1.2)

_log: Final = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """What became of one attempt."""

    DONE = "done"
    """The row wants nothing more, or has moved on to a later attempt."""
    SUPERSEDED = "superseded"
    """Somebody else has this attempt, or it is over; nothing was done."""
    RETRY = "retry"
    DEAD = "dead"
    BROKEN = "broken"
    """The database failed us around the work; the sweep will find the row."""


@runtime_checkable
class RetryAfter(Protocol):
    """An error of a handler that knows when to come back, and so is nothing unexpected."""

    retry_after: float
    """Seconds."""


class Attempts:
    """Does attempts, on any thread, with the handlers that the application gave."""

    def __init__(
        self,
        *,
        transactions: Transactions,
        rows: WorkRows,
        nudges: Nudges,
        handlers: Mapping[str, Handler],
        timing: Timing,
    ) -> None:
        self._transactions: Final = transactions
        self._rows: Final = rows
        self._nudges: Final = nudges
        self._handlers: Final = handlers
        self._timing: Final = timing
        self._here: Final = _Here()

    @property
    def here(self) -> frozenset[tuple[str, str]]:
        """The rows, by kind and id, at which the calling thread is at work."""
        return frozenset(self._here.rows)

    def make(self, nudge: Nudge) -> Outcome:
        """Do the work of this attempt if nobody else has it."""
        try:
            if not self._claim(nudge):
                return Outcome.SUPERSEDED
            return self._conclude(nudge, self._handle(nudge))
        except Exception:  # noqa: BLE001 - a job never raises; its row is found by the sweep
            _log.exception("effect_broken", kind=nudge.kind, id=nudge.id, attempt=nudge.attempt)
            return Outcome.BROKEN

    def lost(self, connection: Connection, nudge: Nudge) -> bool:
        """Put a fresh attempt in the place of a lost one, in the caller's transaction.

        Return False if the row has moved on by itself.
        """
        outcome = self._follow(connection, nudge, error=LOST, expected=False, delay=timedelta(0))
        return outcome is not None

    def _claim(self, nudge: Nudge) -> bool:
        with self._transactions.writing() as connection:
            return self._rows.claim(connection, nudge)

    def _handle(self, nudge: Nudge) -> Exception | None:
        self._here.rows.append((nudge.kind, nudge.id))
        try:
            self._handlers[nudge.kind](nudge.id)
        except Exception as error:  # noqa: BLE001 - the row must learn of every error, whatever it is
            return error
        finally:
            self._here.rows.pop()
        return None

    def _conclude(self, nudge: Nudge, error: Exception | None) -> Outcome:
        if error is not None:
            _report(nudge, error)
        with self._transactions.reading() as connection:
            age = self._rows.wanting_for(connection, nudge)
        if age is None:
            return Outcome.DONE
        with self._transactions.writing() as connection:
            outcome = self._follow(
                connection,
                nudge,
                error=None if error is None else describe(error),
                expected=error is None or is_expected(error),
                delay=self._delay(age, error),
            )
        return outcome or Outcome.DONE

    def _follow(
        self,
        connection: Connection,
        nudge: Nudge,
        *,
        error: str | None,
        expected: bool,
        delay: timedelta,
    ) -> Outcome | None:
        """Bury the row, or nudge it at its next attempt; None: it has moved on by itself."""
        hopeless = not expected and self._is_hopeless(connection, nudge)
        if hopeless and self._rows.bury(connection, nudge, error=error):
            _log.error("effect_dead", kind=nudge.kind, id=nudge.id, error=error)
            return Outcome.DEAD
        following = self._rows.next_attempt(connection, nudge, delay=delay, error=error)
        if following is None:
            return None
        self._nudges.enqueue(connection, following, delay=delay)
        return Outcome.RETRY

    def _is_hopeless(self, connection: Connection, nudge: Nudge) -> bool:
        if nudge.attempt < self._timing.most_attempts:
            return False
        age = self._rows.wanting_for(connection, nudge)
        return age is not None and age >= self._timing.patience

    def _delay(self, age: timedelta, error: Exception | None) -> timedelta:
        if says_when(error):
            least, most = (one.total_seconds() for one in _RETRY_AFTER)
            return timedelta(seconds=min(max(least, error.retry_after), most))
        # Waiting as long again as the row has waited doubles the pause from try to try; the number
        # of the attempt would not do, since it counts all that the row ever wanted.
        pause = min(max(age, self._timing.back_off_least), self._timing.back_off_most)
        return pause * random.uniform(*_JITTER)  # noqa: S311 - to spread load, not to keep a secret


class _Here(threading.local):
    """What the current thread is at work on, outermost first."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []


def is_expected(error: Exception) -> bool:
    """Return whether this error happens to a healthy system, so that it never makes a row dead."""
    known = (Unavailable, OutcomeUnknown, MailUnavailable, DatabaseUnavailable)
    return isinstance(error, known) or says_when(error)


def says_when(error: Exception | None) -> TypeGuard[RetryAfter]:
    """Return whether this error knows when to come back; some carry the attribute without a number."""
    return isinstance(error, RetryAfter) and isinstance(error.retry_after, int | float)


def describe(error: Exception) -> str:
    """Return the class and the beginning of the message; of a database error only the classes.

    The message of a database error carries the statement and its values.
    """
    name = type(error).__name__
    if isinstance(error, SQLAlchemyError):
        cause = getattr(error, "orig", None)
        return name if cause is None else f"{name}: {type(cause).__name__}"
    message = "".join(one if one.isprintable() else " " for one in str(error)[:_MESSAGE_LENGTH])
    return f"{name}: {message}" if message else name


def _report(nudge: Nudge, error: Exception) -> None:
    where = traceback.extract_tb(error.__traceback__)[-1]
    _log.warning(
        "effect_failed",
        kind=nudge.kind,
        id=nudge.id,
        attempt=nudge.attempt,
        error=describe(error),
        expected=is_expected(error),
        at=f"{where.filename}:{where.lineno}",
    )
