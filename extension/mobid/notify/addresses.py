"""E-mail addresses as we write them: exactly one, plain, and harmless in a header and in a command.

RFC 5322 knows many more forms (comments, quoted local parts, groups, names before the address).
Each of them has been a way to reach somebody else than the one who was meant, so none is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LONGEST_LOCAL_PART: Final = 64
"""Octets (RFC 5321, 4.5.3.1.1)."""
LONGEST_ADDRESS: Final = 254
"""Octets (RFC 5321, 4.5.3.1.3, less the angle brackets)."""

_ATEXT: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~"
)
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address that was checked. Its domain is ASCII: what is not was written as RFC 5890 says."""

    local: str
    domain: str

    @property
    def needs_utf8(self) -> bool:
        """Tell whether only a server that offers SMTPUTF8 can be given it (RFC 6531)."""
        return not self.local.isascii()

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def mailbox(text: str) -> Mailbox:
    """Return the one address that a text is; raise `ValueError` with the reason, without the text."""
    if not text.isprintable() or any(character.isspace() for character in text):
        raise ValueError("it holds a space or a character that cannot be seen")
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise ValueError("it is not of the form name@domain")
    _check_local_part(local)
    checked = Mailbox(local, _ascii_domain(domain))
    if len(str(checked).encode()) > LONGEST_ADDRESS:
        raise ValueError(f"it is longer than {LONGEST_ADDRESS} octets")
    return checked


def _check_local_part(local: str) -> None:
    """Take a dot-atom (RFC 5322, 3.2.3), with what RFC 6532, 3.2 adds beyond ASCII."""
    if not all(local.split(".")):
        raise ValueError("there is a dot too many before the @")
    if any(character.isascii() and character not in _ATEXT for character in local.replace(".", "")):
        raise ValueError("there is a character before the @ that only a quoted name may hold")
    if len(local.encode()) > LONGEST_LOCAL_PART:
        raise ValueError(f"what stands before the @ is longer than {LONGEST_LOCAL_PART} octets")


def _ascii_domain(domain: str) -> str:
    try:
        written = domain.encode("idna").decode("ascii")
    except UnicodeError:
        written = ""
    # The codec maps characters, some of them to what no host name holds: what counts is its result.
    if _DOMAIN.fullmatch(written) is None:
        raise ValueError("what stands after the @ is no domain")
    return written
