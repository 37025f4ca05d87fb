"""The mailer: a letter in, a message handed to the mail server, or an error that says who must act."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mobid.config import Fault, InvalidSettings, MailSecurity
from mobid.config.readers import is_loopback
from mobid.notify.addresses import Mailbox, mailbox
from mobid.notify.failures import failures_told
from mobid.notify.message import Message
from mobid.notify.texts import write
from mobid.notify.transport import Mail
from mobid.processes.mailing import MailRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid.config import MailSettings
    from mobid.processes.mailing import Letter

_SOURCE: Final = "settings"
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SMTPMailer:
    """Implements `Mailer` over SMTP: one connection per letter, and nothing kept between two."""

    def __init__(self, settings: MailSettings) -> None:
        """Check the settings; raise `InvalidSettings` with all faults. No connection is made."""
        faults = [*_faults(settings)]
        if faults:
            raise InvalidSettings(faults)
        self._settings: Final = settings
        self._sender: Final = mailbox(settings.sender)
        self._mail: Final = Mail(settings)

    def send(self, letter: Letter) -> None:
        """Hand a letter to the mail server; raise `MailRefused` or `MailUnavailable`.

        A connection that is cut while the letter is on its way may mean that it arrived: sent
        again, it has the same Message-ID.
        """
        message = self._message(letter)
        with failures_told(self._settings.host):
            self._mail.send(message)

    def check(self) -> None:
        """Connect, log in and ask for an answer; raise `MailUnavailable`."""
        with failures_told(self._settings.host), self._mail.connect() as connection:
            connection.probe()

    def _message(self, letter: Letter) -> Message:
        to = _recipient(letter)
        if _ID.fullmatch(letter.id) is None:
            raise MailRefused("The id of this letter cannot become a Message-ID.")
        return Message(
            write(letter, host=self._sender.domain),
            message_id=f"<{letter.id}@{self._sender.domain}>",
            to=to,
            sender=self._sender,
            sender_name=self._settings.sender_name,
        )


def check_connection(settings: MailSettings) -> None:
    """Try the mail server of these settings; raise `InvalidSettings` or `MailUnavailable`."""
    SMTPMailer(settings).check()


def _recipient(letter: Letter) -> Mailbox:
    try:
        return mailbox(letter.to)
    except ValueError as error:
        raise MailRefused(
            f"The recipient is no e-mail address that can be written to: {error}."
        ) from None


def _faults(settings: MailSettings) -> Iterator[Fault]:
    try:
        if mailbox(settings.sender).needs_utf8:
            raise ValueError("there is a character beyond ASCII before the @")  # noqa: TRY301  # one more reason
    except ValueError as error:
        yield Fault("mail.sender", _SOURCE, f"no address that mails can come from: {error}.")
    if not settings.sender_name.isprintable():
        yield Fault("mail.sender_name", _SOURCE, "it holds a character that cannot be seen.")
    if settings.security is MailSecurity.NONE and not is_loopback(settings.host):
        problem = (
            f"none is for a mail server on this machine itself, and {settings.host} is another one"
        )
        yield Fault("mail.security", _SOURCE, f"{problem}; accepted is: starttls or tls.")
    password = None if settings.password is None else settings.password.reveal()
    if (settings.username is None) is not (password is None):
        yield Fault("mail.username", _SOURCE, "user name and password are given both or neither.")
    for name, value in (("mail.username", settings.username), ("mail.password", password)):
        if value is not None and not (value.isascii() and value.isprintable()):
            yield Fault(name, _SOURCE, "only ASCII without control characters can be sent.")
