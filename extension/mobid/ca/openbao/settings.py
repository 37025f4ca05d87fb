"""The settings of the connector to OpenBao, read from `[authority_settings]` in mobid.toml."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import MISSING, dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mobid.ca.errors import InvalidSettings
from mobid.ca.openbao.token import TokenFile, UnusableToken
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_TIMEOUT: Final = 60
MOST_SETTLE: Final = 900

_PATH: Final = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
_NAME: Final = re.compile(r"\w(([\w.-]+)?\w)?", re.ASCII)
"""What OpenBao takes as the name of a role or of an issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBaoSettings:
    """What can be set. `url` and `token_file` have to be."""

    url: str
    """Where OpenBao is: https://host:8200; http on this machine itself only. No path, no slash at the end."""
    token_file: TokenFile
    """The absolute path of the private file (mode 600) that holds the token. It is read at every
    call, so that an agent may put a new one there at any time."""
    ca_file: Path | None = None
    """The certificates (PEM, absolute path) that OpenBao's own is checked with, and no others; without
    it, those of the system."""
    namespace: str | None = None
    """The namespace that the mount is in; none by default."""
    mount: str = "pki"
    """Where the PKI secrets engine is mounted."""
    issuer: str = "default"
    """The name or id of the issuer that signs."""
    roles: Mapping[Kind, str] = field(
        default_factory=lambda: {
            kind: f"mobid-{kind}" for kind in (Kind.AUTHENTICATION, Kind.SIGNATURE)
        }
    )
    """The role for each kind of certificate; kinds without one are not issued."""
    timeout_seconds: int = 10
    """For one verb, with all the requests that it takes."""
    settle_seconds: int = 90
    """How long an order whose answer was lost may still turn up. It must not be less than the time that
    OpenBao gives a request (`max_request_duration` of its listener, 90 s unless it is set)."""

    @property
    def timeout(self) -> timedelta:
        """The time for one verb."""
        return timedelta(seconds=self.timeout_seconds)

    @classmethod
    def read(cls, given: Mapping[str, object]) -> OpenBaoSettings:
        """Check settings as they come from TOML; raise `InvalidSettings` with all faults."""
        known = {one.name: one for one in fields(cls)}
        faults = [
            f'"{name}" is no setting of the OpenBao connector; it has {", ".join(known)}'
            for name in given
            if name not in known
        ]
        values: dict[str, object] = {}
        for name, one in known.items():
            needed = one.default is MISSING and one.default_factory is MISSING
            try:
                if name in given:
                    values[name] = _READERS[name](given[name])
                elif needed:
                    faults.append(f'"{name}" is missing; it must be {_MUST_BE[name]}')
            except ValueError as fault:
                faults.append(f'"{name}" {fault}')
        if faults:
            raise InvalidSettings(faults)
        return cls(**values)  # type: ignore[arg-type]  # each reader returns its field's type


_MUST_BE: Final = {
    "url": "https://host or https://host:port without a path (http only for this machine itself)",
    "token_file": "the absolute path of a file of mode 600 that holds a token",
}


def _url(value: object) -> str:
    problem = ValueError(f"must be {_MUST_BE['url']}")
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise problem
    try:
        parts = urlsplit(value.removesuffix("/"))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise problem from None
    shown = f"[{host}]" if ":" in host else host
    bare = f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
    if not host or value.removesuffix("/").lower() != bare:
        raise problem
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise problem
    return bare


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token_file(value: object) -> TokenFile:
    token = TokenFile(_absolute(value, _MUST_BE["token_file"]))
    try:
        token.read()
    except UnusableToken as unusable:
        raise ValueError(f"cannot be used: {str(unusable).removesuffix('.')}") from None
    return token


def _ca_file(value: object) -> Path:
    path = _absolute(value, "the absolute path of a file of certificates (PEM)")
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:
        why = "holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"cannot be used: {path}: {why}") from None
    return path


def _absolute(value: object, what: str) -> Path:
    if not isinstance(value, str) or not value.isprintable() or not Path(value).is_absolute():
        raise ValueError(f"must be {what}")
    return Path(value)


def _path(value: object) -> str:
    if isinstance(value, str) and _PATH.fullmatch(value.strip("/")):
        return value.strip("/")
    raise ValueError('must be a path such as "pki" or "teams/pki"')


def _name(value: object) -> str:
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError("must be a name of letters, digits, _, - and .")


def _roles(value: object) -> Mapping[Kind, str]:
    problem = f"must be a table with the name of a role for some of {', '.join(Kind)}"
    if not isinstance(value, dict) or not value or not set(value) <= set(Kind):
        raise ValueError(problem)
    try:
        return {Kind(kind): _name(role) for kind, role in value.items()}
    except ValueError:
        raise ValueError(f"{problem}; names have letters, digits, _, - and .") from None


def _seconds(most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
            return value
        raise ValueError(f"must be a number of seconds from 1 to {most}")

    return read


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "url": _url,
    "token_file": _token_file,
    "ca_file": _ca_file,
    "namespace": _path,
    "mount": _path,
    "issuer": _name,
    "roles": _roles,
    "timeout_seconds": _seconds(MOST_TIMEOUT),
    "settle_seconds": _seconds(MOST_SETTLE),
}
