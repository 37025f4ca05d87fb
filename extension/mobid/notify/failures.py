"""What went wrong with a mail server, in words for whoever runs it.

What a server answers may quote the recipient or what we sent: only its numbers are passed on.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mobid.processes.mailing import MailError, MailRefused, MailUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERMANENT: Final = 500
_ENHANCED: Final = re.compile(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?= |$)")
"""An enhanced status code (RFC 3463, 2)."""


@contextmanager
def failures_told(server: str) -> Iterator[None]:
    """Turn whatever ends a talk with this server into a `MailError`, which does not bring its cause along."""
    try:
        yield
    except OSError as error:  # smtplib's and ssl's errors are its kinds
        raise _failure(error, server) from None


def _failure(error: OSError, server: str) -> MailError:
    match error:
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            ((code, reply),) = refused.values()
            return _answered(server, "did not take the recipient", code, reply)
        case smtplib.SMTPDataError(smtp_code=code, smtp_error=reply):
            return _answered(server, "did not take the letter", code, reply)
        case _:
            return MailUnavailable(f"The mail server {server} {_trouble(error)}.")


def _answered(server: str, what: str, code: int, reply: bytes | str) -> MailError:
    """Only the word on a recipient or a letter is final; any other is for an administrator to mend."""
    kind = MailRefused if code >= _PERMANENT else MailUnavailable
    return kind(f"The mail server {server} {what}; it answered {_numbers(code, reply)}.")


def _trouble(error: OSError) -> str:
    """Say what became of the talk, as the rest of a sentence that begins with the server."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return f"did not accept user name and password; it answered {error.smtp_code}"
        case smtplib.SMTPSenderRefused():
            numbers = _numbers(error.smtp_code, error.smtp_error)
            return f"did not take our sender; it answered {numbers}"
        case smtplib.SMTPResponseException():
            return f"is not ready; it answered {_numbers(error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPServerDisconnected():
            return "ended the connection before it had answered"
        case smtplib.SMTPException():
            return _not_offered(error)
        case _:
            return _no_connection(error)


def _not_offered(error: smtplib.SMTPException) -> str:
    """All that is left in smtplib: no STARTTLS, no AUTH, or an AUTH in no way that we know."""
    if "STARTTLS" in str(error):
        return "does not offer STARTTLS, and nothing is said to it in the clear"
    return "does not offer to check user name and password in a way that we know (AUTH)"


def _no_connection(error: OSError) -> str:
    match error:
        case TimeoutError():
            return "took too long"
        case ssl.SSLCertVerificationError():
            reason = error.verify_message.rstrip(".")
            return f"cannot be trusted, its certificate was not accepted: {reason}"
        case ssl.SSLError():
            return f"and we could not agree on TLS ({error.reason or 'the connection was cut'})"
        case socket.gaierror():
            return "has no address: the name was not found"
        case _:
            return f"cannot be reached: {error.strerror or type(error).__name__}"


def _numbers(code: int, reply: bytes | str) -> str:
    found = _ENHANCED.match(reply.encode() if isinstance(reply, str) else reply)
    return f"{code} {found[0].decode()}" if found else str(code)
