"""A message to a person: which event it tells, to which address, and what became of it.

The row holds no secret. What a mail must say (a link, a code) is derived again when it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from mobid.domain.work import Work

if TYPE_CHECKING:
    from datetime import datetime


class MailEvent(StrEnum):
    """What a mail tells its reader."""

    QR_CODE = "qr_code"
    """The link, the QR code and the typed code of a Get whose code comes by mail."""
    INVITATION = "invitation"
    """An identity manager has ordered a mobile ID; its owner fetches it in self-service."""
    GET_SUCCEEDED = "get_succeeded"
    GET_FAILED = "get_failed"
    NOT_MINE = "not_mine"
    """A phone that is not its owner's had claimed the code."""
    LOCKED_BY_OTHER = "locked_by_other"
    """Somebody else than its owner, or its phone, has locked a mobile ID."""
    ADDRESS_CHANGED = "address_changed"
    """To the old address: mails go to another one from now on."""
    EXPIRING = "expiring"
    """A mobile ID is about to end; its number is the day before the end of which the mail tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message. There is one for an event of a subject under a number, however often it is tried."""

    id: str
    event: MailEvent
    user_id: str
    to: str
    subject_id: str
    """The instance, the mobile ID or the user that it is about, as the event has it."""
    number: int = 1
    """Which message of this event: a QR code that is mailed again has the next number."""
    created_at: datetime
    give_up_at: datetime | None = None
    """After this moment it would come too late, and is not sent any more; none: when its event has
    no moment of its own, and the time for notifications decides."""
    sent_at: datetime | None = None
    dropped: str | None = None
    """Why it was never sent, once that is certain."""
    work: Work = field(default_factory=Work)

    @property
    def settled(self) -> bool:
        """Whether it was sent, or never will be."""
        return self.sent_at is not None or self.dropped is not None

    def sent(self, *, at: datetime) -> Mail:
        """The mail server has taken it."""
        return replace(self, sent_at=at, work=self.work.done())

    def drop(self, reason: str) -> Mail:
        """It is never sent: what it says holds no more, or nobody takes it."""
        return replace(self, dropped=reason, work=self.work.done())


def masked(address: str) -> str:
    """Return an e-mail address as its owner recognises it, and nobody else can write to it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}"
