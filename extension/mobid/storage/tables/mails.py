"""Messages to people: which event each tells, and what became of it. No row holds a secret."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Table, UniqueConstraint

from mobid.domain.mails import MailEvent
from mobid.storage.columns import Instant, Key, Number, Text, one_of, reference
from mobid.storage.tables.schema import index_work, metadata, work_columns

mails: Final = Table(
    "mails",
    metadata,
    Column("id", Key, primary_key=True),
    Column("event", Key, nullable=False),
    reference("user_id", "users.id"),
    Column("to", Text, nullable=False),
    # An instance, a mobile ID or a user: which of them, the event says.
    Column("subject_id", Key, nullable=False),
    Column("number", Number, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("give_up_at", Instant),
    Column("sent_at", Instant),
    Column("dropped", Text),
    *work_columns(),
    one_of("event", MailEvent),
    CheckConstraint("sent_at IS NULL OR dropped IS NULL", name="sent_or_dropped"),
    UniqueConstraint("event", "subject_id", "number"),
)
index_work(mails)
