"""What can go wrong on the phone, and with which exit status the program ends then.

PhoneError
├── Usage               2   a picture, link, option or file that cannot be used
├── Refused             1   the server said no; these are its words
├── Unreachable         1   no answer, or a connection that cannot be trusted
├── StrangeAnswer       1   an answer that is not as agreed
├── WrongCertificate    1   a certificate that is not for our key
└── NotInTime           1   nobody approved while we waited
"""

from __future__ import annotations

from typing import ClassVar


class PhoneError(Exception):
    """The phone cannot go on; the message is for its owner."""

    exit_status: ClassVar[int] = 1
    code: ClassVar[str]


class Usage(PhoneError):
    """What was given to the program cannot be used."""

    exit_status = 2
    code = "USAGE"


class Refused(PhoneError):
    """The server refused, with its own code and words (RFC 9457)."""

    def __init__(
        self,
        status: int,
        server_code: str,
        detail: str,
        retry_after: int | None,
        *,
        tries_left: int | None = None,
    ) -> None:
        self.status, self.server_code, self.retry_after = status, server_code, retry_after
        self.tries_left = tries_left
        """With BAD_CODE: how often the code of the page may still be tried, if one was tried."""
        super().__init__(detail)


class Unreachable(PhoneError):
    """The server did not answer, or is not the one that it should be."""

    code = "UNREACHABLE"


class StrangeAnswer(PhoneError):
    """The server answered something that this version of the protocol does not know."""

    code = "STRANGE_ANSWER"


class WrongCertificate(PhoneError):
    """A certificate that the phone must not install."""

    code = "WRONG_CERTIFICATE"


class NotInTime(PhoneError):
    """The certificates did not come while the phone waited."""

    code = "NOT_IN_TIME"
