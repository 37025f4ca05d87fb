"""An order that is forced on threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from typing_extensions import override

from mobid.storage.engine import _QUEUE, _Writers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine


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
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
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
