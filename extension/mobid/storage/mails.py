"""The messages to people: one for an event of a subject under a number, whoever writes it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, update

from mobid.domain.mails import Mail, MailEvent
from mobid.processes.errors import NotFound
from mobid.storage.columns import is_storable
from mobid.storage.mapping import RowMap
from mobid.storage.tables import mails
from mobid.storage.upsert import insert_or
from mobid.storage.work import changed_work, new_work, work_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from sqlalchemy import ColumnElement

    from mobid.storage.transaction import Transaction
    from mobid.storage.work import Nudges

_MAP: Final = RowMap(Mail, apart={"event", "work"})
_ONE_PER_EVENT: Final = [mails.c.event, mails.c.subject_id, mails.c.number]


class SQLMails:
    """Implements the port `Mails`, and writes them."""

    def __init__(self, transaction: Transaction, nudges: Nudges) -> None:
        self._transaction = transaction
        self._nudges = nudges
        self._attempts: dict[str, int] = {}

    def get(self, mail_id: str) -> Mail:
        """Return one; raise `NotFound`."""
        found = self._first(mails.c.id == mail_id) if is_storable(mail_id) else None
        if found is None:
            raise NotFound("mail", mail_id)
        return found

    def find(self, event: MailEvent, subject_id: str, number: int) -> Mail | None:
        """Return the message of an event, or none."""
        return self._first(
            mails.c.event == event, mails.c.subject_id == subject_id, mails.c.number == number
        )

    def numbers(self, event: MailEvent, subject_ids: Sequence[str]) -> AbstractSet[tuple[str, int]]:
        """Return subject and number of the messages of an event about any of these subjects."""
        query = select(mails.c.subject_id, mails.c.number).where(
            mails.c.event == event, mails.c.subject_id.in_(subject_ids)
        )
        return {(row.subject_id, row.number) for row in self._transaction.all(query)}

    def last_number(self, event: MailEvent, subject_id: str) -> int:
        """Return the highest number of a message of an event, or 0."""
        highest = select(func.max(mails.c.number).label("number")).where(
            mails.c.event == event, mails.c.subject_id == subject_id
        )
        row = self._transaction.first(highest)
        return 0 if row is None else row.number or 0

    def add(self, mail: Mail) -> None:
        """Insert a new one; one that tells what another tells already is nothing."""
        connection = self._transaction.writable()
        new = (
            insert_or(connection, mails)
            .values(_values(mail) | new_work(mail.work))
            .on_conflict_do_nothing(index_elements=_ONE_PER_EVENT)
        )
        if connection.execute(new.returning(mails.c.id)).first() is not None:
            self._saved(mail, read=0, stored=mail.work.attempt)

    def save(self, mail: Mail) -> None:
        """Update one; raise `NotFound`."""
        if mail.id not in self._attempts:
            self.get(mail.id)
        read = self._attempts[mail.id]
        done = self._transaction.write(
            update(mails)
            .where(mails.c.id == mail.id)
            .values(_values(mail) | changed_work(mails, mail.work, read=read))
            .returning(mails.c.work_attempt)
        )
        self._saved(mail, read=read, stored=done.scalar_one())

    def _saved(self, mail: Mail, *, read: int, stored: int) -> None:
        self._attempts[mail.id] = mail.work.attempt
        self._nudges.saved("mail", mail.id, mail.work, read=read, stored=stored)

    def _first(self, *conditions: ColumnElement[Any]) -> Mail | None:
        row = self._transaction.first(select(mails).where(*conditions))
        if row is None:
            return None
        found = _MAP.entity(row, event=MailEvent(row.event), work=work_of(row))
        self._attempts[found.id] = found.work.attempt
        return found


def _values(mail: Mail) -> dict[str, Any]:
    return _MAP.columns(mail) | {"event": mail.event.value}
