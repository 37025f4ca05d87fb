"""A letter as a message: its headers, and `multipart/alternative[text, related[html, picture]]`.

In headers stand constants, what the operator has set, and one address that was checked: nothing
that a user, a client or a script has written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import TYPE_CHECKING

import flask_mail
from typing_extensions import override

if TYPE_CHECKING:
    from mobid.notify.addresses import Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that the HTML part shows by its Content-ID."""

    content_id: str
    png: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a reader sees, in both forms."""

    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    picture: Picture | None = None


class Message(flask_mail.Message):
    """A message of Flask-Mail's with a tree of its own, since Flask-Mail makes `mixed` of every picture."""

    def __init__(
        self, body: Body, *, message_id: str, to: Mailbox, sender: Mailbox, sender_name: str
    ) -> None:
        super().__init__(
            subject=body.subject,
            recipients=[str(to)],
            body=body.text,
            html=body.html,
            sender=str(sender),
        )
        self.msgId = message_id
        self.to = to
        self.sender_mailbox = sender
        self._sender_name = sender_name
        self._picture = body.picture

    @override
    def _message(self) -> EmailMessage:  # type: ignore[override]  # the newer class of the standard library, which checks headers
        message = EmailMessage(policy=SMTPUTF8 if self.to.needs_utf8 else SMTP)
        message["Subject"] = self.subject
        sender = self.sender_mailbox
        message["From"] = Address(self._sender_name, sender.local, sender.domain)
        message["To"] = Address(username=self.to.local, domain=self.to.domain)
        message["Date"] = format_datetime(datetime.fromtimestamp(self.date or 0, UTC))
        message["Message-ID"] = self.msgId
        # No out-of-office notice answers it (RFC 3834, 5).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(self.body or "", cte="quoted-printable")
        message.add_alternative(self.html or "", subtype="html", cte="quoted-printable")
        if self._picture is not None:
            self._put_into_html(message, self._picture)
        return message

    @staticmethod
    def _put_into_html(message: EmailMessage, picture: Picture) -> None:
        html = message.get_body(("html",))
        if html is None:
            raise RuntimeError("A picture is shown by an HTML part, and this message has none.")
        html.add_related(
            picture.png,
            "image",
            "png",
            disposition="inline",
            filename="mobile-id.png",
            cid=f"<{picture.content_id}>",
        )
