"""What a commit wants, done at once and on the thread that committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from mobid.processes.authority import (
    AuthorityError,
)
from mobid.processes.mailing import MailUnavailable
from mobid.processes.not_yet import NotYet
from mobid.storage.effects import KINDS, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mobid.storage import Transactions


class Effects:
    """Does what a commit wants, at once and on the thread that committed; the rest waits for `later`.

    The same as the product's jobs, without their claims and back-off.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self.handlers: dict[str, Callable[[str], None]] = {}
        self.errors: list[AuthorityError | MailUnavailable | NotYet] = []
        """What work has ended with so far that was not done."""
        self.resting = False
        """Whether commits are followed by nothing, as after a crash."""
        self._queue: list[tuple[str, str]] = []
        self._at_work = False

    def committed(self, nudges: Sequence[tuple[str, str, int]]) -> None:
        """Try what a commit wants, certificates before instances."""
        if self.resting:
            return
        self._queue += sorted((kind, row_id) for kind, row_id, _ in nudges)
        if self._at_work:
            return
        self._at_work = True
        try:
            while self._queue:
                self.attempt(*self._queue.pop(0))
        finally:
            self._at_work = False

    def attempt(self, kind: str, row_id: str) -> None:
        """Do the work of one row; what a healthy system meets is kept, everything else is raised."""
        try:
            self.handlers[kind](row_id)
        except (AuthorityError, MailUnavailable, NotYet) as error:
            self.errors.append(error)

    def wanting(self) -> list[tuple[str, str]]:
        """Return the rows that want work."""
        found = []
        with self._transactions.reading() as connection:
            for kind in KINDS:
                rows = table_of(kind)
                query = sa.select(rows.c.id).where(rows.c.work_wanted).order_by(rows.c.id)
                found += [(kind, row_id) for row_id in connection.scalars(query)]
        return found

    def later(self) -> None:
        """Try every row that wants work once more, as the jobs would."""
        for kind, row_id in self.wanting():
            self.attempt(kind, row_id)
