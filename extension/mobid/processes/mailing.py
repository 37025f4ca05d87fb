"""The port to people's mailboxes: what a letter says, who sends it, and what can go wrong.

MailError
├── MailRefused       the mail server will never take this letter: nothing to retry
└── MailUnavailable   it was not taken this time; the same letter may go again, under the same Message-ID
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.domain.mails import MailEvent


class MailError(Exception):
    """A letter did not leave. The message names the server and the reason, never an address or a code."""


class MailRefused(MailError):
    """The mail server refused the letter for good, such as for an unknown recipient (RFC 5321, 5xx)."""


class MailUnavailable(MailError):
    """The mail server was not reached, not to be trusted, or refused for now (RFC 5321, 4xx)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosed:
    """The code of a Get by mail. It is worthless without the mail code, which only the page shows."""

    link: str = field(repr=False)
    typed_code: str = field(repr=False)
    picture: bytes = field(repr=False)
    """The link as a QR code, PNG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail says, before it has a form; `values` fill the places of its event's templates."""

    id: str
    """The same at every try: it becomes the Message-ID."""
    event: MailEvent
    to: str
    values: Mapping[str, object]
    """Texts, numbers, lists and aware datetimes. `name`: how to address the reader; `url`: where to act."""
    enclosed: Enclosed | None = None


class Mailer(Protocol):
    """Whoever sends letters."""

    def send(self, letter: Letter) -> None:
        """Hand a letter to the mail server; raise `MailRefused` or `MailUnavailable`."""


QRPicture = Callable[[str], bytes]
"""Draws a text as a QR code, PNG."""
