"""Flask-Mail's connection, with what it lacks: verified TLS, time-outs, a clean end, SMTPUTF8.

Flask-Mail 0.10 connects without any time-out and with TLS that believes every certificate, loses
the socket if login fails, and lets a failing QUIT take the place of the real error.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from contextlib import contextmanager, suppress
from threading import Timer
from typing import TYPE_CHECKING, Any, Final

import flask_mail
from typing_extensions import override

from mobid.config import ANSWERS_IN_ALL, MailSecurity
from mobid.processes.mailing import MailRefused, MailUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from mobid.config import MailSettings
    from mobid.notify.message import Message

FAREWELL: Final = 2.0
"""Seconds for the answer to QUIT. Nothing depends on it any more."""


class Mail(flask_mail.Mail):
    """Flask-Mail without an app: its settings are ours."""

    def __init__(self, settings: MailSettings) -> None:
        super().__init__()
        self._settings: Final = settings
        self.state = self.init_mail({"MAIL_SERVER": settings.host, "MAIL_PORT": settings.port})

    @override
    def connect(self) -> Connection:
        return Connection(self, self._settings)


class Connection(flask_mail.Connection):
    """One talk with the mail server: `with` begins and ends it."""

    def __init__(self, mail: Mail, settings: MailSettings) -> None:
        super().__init__(mail)
        self._settings: Final = settings

    @override
    def configure_host(self) -> smtplib.SMTP:
        """Connect, encrypt and log in. Nothing is sent before the server has proved who it is."""
        settings = self._settings
        context = _trust(settings)
        host = _open(settings, context)
        try:
            host.local_hostname = _literal(host)
            if settings.security is MailSecurity.STARTTLS:
                host.starttls(context=context)
            if settings.username is not None and settings.password is not None:
                host.login(settings.username, settings.password.reveal())
            host.ehlo_or_helo_if_needed()
        except BaseException:
            host.close()
            raise
        return host

    @override
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Say goodbye; whatever comes of that changes nothing of what was said before."""
        if self.host is None:
            return
        with suppress(OSError):
            if self.host.sock is not None:
                self.host.sock.settimeout(FAREWELL)
            self.host.quit()
        self.host.close()

    @override
    def send(self, message: Message, envelope_from: object = None) -> None:  # type: ignore[override]  # only our messages were checked, and they have one sender
        """Hand one message over, to its one recipient."""
        if self.host is None:
            raise RuntimeError("A message is sent inside the `with` block of its connection.")
        options = ["SMTPUTF8", "BODY=8BITMIME"] if message.to.needs_utf8 else []
        if options and not self.host.has_extn("smtputf8"):
            raise MailRefused(
                f"The mail server {self._settings.host} does not offer SMTPUTF8, which an address "
                "with letters beyond ASCII needs."
            )
        message.date = message.date or time.time()
        self.host.sendmail(
            str(message.sender_mailbox), [str(message.to)], message.as_bytes(), options
        )

    def probe(self) -> None:
        """Ask for an answer and nothing else."""
        if self.host is not None:
            code, reply = self.host.noop()
            if code != 250:  # noqa: PLR2004  # "OK" (RFC 5321, 4.1.1.9)
                raise smtplib.SMTPResponseException(code, reply)


class _InTime(smtplib.SMTP):
    """A talk that ends: each answer has its time-out, and the whole an alarm that cuts the line."""

    _alarm: Timer | None = None
    _cut_off = False

    @override
    def connect(
        self,
        host: str = "localhost",
        port: int = 0,
        source_address: Any = None,
    ) -> tuple[int, bytes]:
        self._alarm = Timer(self.timeout * ANSWERS_IN_ALL, self._cut)
        self._alarm.daemon = True
        self._alarm.start()
        try:
            with self._lateness_told():
                return super().connect(host, port)
        except BaseException:
            self.close()
            raise

    @override
    def getreply(self) -> tuple[int, bytes]:
        with self._lateness_told():
            return super().getreply()

    @override
    def send(self, s: object) -> None:
        with self._lateness_told():
            super().send(s)  # type: ignore[arg-type]  # passed on as it came

    @override
    def close(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        super().close()

    def _cut(self) -> None:
        self._cut_off = True
        if (line := self.sock) is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _lateness_told(self) -> Iterator[None]:
        """Tell a server that was too slow from one that hung up; smtplib calls both a disconnect.

        Half of an answer is none, either: where the line was cut, smtplib takes what it has.
        """
        try:
            yield
            if self._cut_off:
                raise TimeoutError
        except OSError as error:
            if self._cut_off or isinstance(error.__context__, TimeoutError):
                raise TimeoutError from error
            raise


class _InTimeTLS(_InTime, smtplib.SMTP_SSL):
    """The same, encrypted from its first byte."""


def _open(settings: MailSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    seconds = settings.timeout.total_seconds()
    # The name is replaced as soon as our address is known: smtplib would ask the DNS for one.
    if settings.security is MailSecurity.TLS:
        return _InTimeTLS(settings.host, settings.port, "mobid", timeout=seconds, context=context)
    return _InTime(settings.host, settings.port, "mobid", timeout=seconds)


def _literal(host: smtplib.SMTP) -> str:
    """Return our end of the line as EHLO has it (RFC 5321, 4.1.3)."""
    if host.sock is None:
        raise smtplib.SMTPServerDisconnected
    address: str = host.sock.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _trust(settings: MailSettings) -> ssl.SSLContext:
    """Return whom we trust, read afresh: a bundle that is replaced needs no restart."""
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise MailUnavailable(
            f"The certificates that the mail server {settings.host} is checked with cannot be read "
            f"from {settings.ca_file}: {error.strerror or error}."
        ) from None
