"""One reader per kind of setting: what stands in TOML or the environment, to a checked value.

A reader raises ValueError and does not say more: `Accepts` pairs it with what would be right.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from cryptography.x509 import load_pem_x509_certificates

from mobid.config.secret import Secret

Reader = Callable[[object], object]
Choice = TypeVar("Choice", bound=StrEnum)

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_URL: Final = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?/?")
_POSTGRESQL: Final = re.compile(r"postgresql(?:\+psycopg)?(://.*)")
_ADDRESS: Final = re.compile(
    r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@([A-Za-z0-9.-]+)"
)
_LONGEST_LOCAL_PART: Final = 64
_LONGEST_NAME: Final = 64
HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Accepts:
    """How a setting is read, and in words what is accepted."""

    read: Reader
    words: str
    secret: bool = False
    """Whether the value is never shown; such a setting can name a file in mobid.toml, too."""


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine and nothing else."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def url_host(host: str) -> str:
    """Return a host as it stands in a URL: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def text(value: object) -> str:
    """Read one line of printable text, with no space at its ends."""
    given = _line(value)
    if given != given.strip():
        raise ValueError
    return given


def secret_text(value: object) -> Secret[str]:
    """Read one line that nobody is to see; every space in it counts."""
    return Secret(_line(value))


def name(value: object) -> str:
    """Read the name of an entry point."""
    return _matched(_NAME, value)[0]


def flag(value: object) -> bool:
    """Read true or false."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[_matched(re.compile("true|false"), value)[0]]


def number(least: int, most: int) -> Callable[[object], int]:
    """Return a reader of whole numbers from `least` to `most`."""

    def read(value: object) -> int:
        plain = isinstance(value, int) and not isinstance(value, bool)
        count = int(str(value)) if plain else int(_matched(_NUMBER, value)[0])
        if not least <= count <= most:
            raise ValueError
        return count

    return read


def duration(most: timedelta) -> Callable[[object], timedelta]:
    """Return a reader of durations such as 90s, 30m, 24h or 14d, from 1s to `most`."""

    def read(value: object) -> timedelta:
        count, unit = _matched(_DURATION, value).groups()
        if int(count) * timedelta(**{_UNITS[unit]: 1}) > most:
            raise ValueError
        return timedelta(**{_UNITS[unit]: int(count)})

    return read


def choice(kind: type[Choice]) -> Callable[[object], Choice]:
    """Return a reader of one of some words."""

    def read(value: object) -> Choice:
        return kind(text(value))

    return read


def table(value: object) -> Mapping[str, object]:
    """Read a table that somebody else checks."""
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - readers raise one error only
    return value


def several(known: Collection[str]) -> Callable[[object], tuple[str, ...]]:
    """Return a reader of a list of known words: in the environment, with commas between them."""

    def read(value: object) -> tuple[str, ...]:
        words = [word.strip() for word in value.split(",")] if isinstance(value, str) else value
        if not isinstance(words, list) or not set(map(str, words)) <= set(known):
            raise ValueError
        return tuple(word for word in known if word in words)

    return read


def host(value: object) -> str:
    """Read a host name or an address to listen at."""
    given = text(value).lower()
    if ":" in given:
        return str(ipaddress.IPv6Address(given))
    return _matched(_HOST_NAME, given)[0]


def public_url(value: object) -> str:
    """Read the base of all our URLs: https, or http on this machine itself; no path, no user."""
    scheme, where, port = _matched(_URL, text(value).lower()).groups()
    found = host(where.strip("[]"))
    if port is not None and not 0 < int(port) <= HIGHEST_PORT:
        raise ValueError
    if scheme == "http" and not is_loopback(found):
        raise ValueError
    return f"{scheme}://{url_host(found)}" + (f":{int(port)}" if port else "")


def database_url(value: object) -> Secret[str]:
    """Read the URL of a database file by its absolute path, or of a PostgreSQL database."""
    given = text(value)
    if given.startswith("sqlite:////") and "?" not in given:
        return Secret(given)
    rest = _matched(_POSTGRESQL, given)[1]
    parts = urlsplit(f"postgresql{rest}")
    if len(parts.path) < len("/x") or parts.port == 0:
        raise ValueError
    return Secret(f"postgresql+psycopg{rest}")


def address(value: object) -> str:
    """Read a plain e-mail address (RFC 5322, 3.4.1: a dot-atom on both sides)."""
    local, where = _matched(_ADDRESS, value).groups()
    if len(local) > _LONGEST_LOCAL_PART:
        raise ValueError
    return f"{local}@{_matched(_HOST_NAME, where.lower())[0]}"


def name_of_people(value: object) -> str:
    """Read a name as it stands before an address."""
    given = text(value)
    if len(given) > _LONGEST_NAME:
        raise ValueError
    return given


def certificates_file(value: object) -> Path:
    """Read the absolute path of a file with at least one certificate in PEM."""
    path = Path(text(value))
    if not path.is_absolute() or not path.is_file():
        raise ValueError
    try:
        load_pem_x509_certificates(path.read_bytes())
    except OSError:
        raise ValueError from None
    return path


def _line(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not value:
        raise ValueError
    return value


def _matched(pattern: re.Pattern[str], value: object) -> re.Match[str]:
    found = pattern.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    return found
