"""One reader per kind of setting: what stands in TOML or the environment, to a checked value.

A reader raises ValueError and does not say more: the table at the end says, per setting, what
would be accepted.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from mobid.config.secret import Secret
from mobid.config.settings import Times

Reader = Callable[[object], object]

_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_LONGEST: Final = timedelta(days=90)
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_URL: Final = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?/?")
_POSTGRESQL: Final = re.compile(r"postgresql(?:\+psycopg)?(://.*)")
_HIGHEST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that can be given: its dotted name, its reader, and what the reader accepts."""

    name: str
    read: Reader
    accepted: str
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return "MOBID_" + self.name.replace(".", "_").upper()


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
    """Read one line of printable text."""
    if not isinstance(value, str) or not value.isprintable() or value != value.strip() or not value:
        raise ValueError
    return value


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


def duration(value: object) -> timedelta:
    """Read a duration such as 90s, 30m, 24h or 14d."""
    count, unit = _matched(_DURATION, value).groups()
    if int(count) * timedelta(**{_UNITS[unit]: 1}) > _LONGEST:
        raise ValueError
    return timedelta(**{_UNITS[unit]: int(count)})


def table(value: object) -> Mapping[str, object]:
    """Read a table that somebody else checks."""
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - readers raise one error only
    return value


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
    if port is not None and not 0 < int(port) <= _HIGHEST_PORT:
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


def _matched(pattern: re.Pattern[str], value: object) -> re.Match[str]:
    found = pattern.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    return found


_TIMES: Final = [
    Setting(f"times.{field.name}", duration, "a duration from 1s to 90d, such as 90s, 30m or 24h")
    for field in fields(Times)
]

SETTINGS: Final = {
    setting.name: setting
    for setting in [
        Setting(
            "database_url",
            database_url,
            "sqlite:////absolute/path.db or postgresql://user:password@host:port/database",
            secret=True,
        ),
        Setting(
            "public_url",
            public_url,
            "https://host or https://host:port without a path (http only for this machine itself)",
        ),
        Setting("listen_host", host, "a host name or an IP address"),
        Setting(
            "listen_port", number(1, _HIGHEST_PORT), f"a whole number from 1 to {_HIGHEST_PORT}"
        ),
        Setting("authority", name, "the name of an installed CA connector, such as builtin"),
        Setting("authority_settings", table, "a table in mobid.toml"),
        Setting("demo", flag, "true or false"),
        Setting("max_codes", number(1, 20), "a whole number from 1 to 20"),
        *_TIMES,
    ]
}
