"""The settings of the built-in CA. Every one has a default that works."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cryptography.x509 import ObjectIdentifier

from mobid.ca.errors import InvalidSettings
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LEAST_CRL_HOURS: Final = 1
MOST_CRL_HOURS: Final = 7 * 24

_URL: Final = re.compile(r"[!-~]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinSettings:
    """What can be set for the built-in CA."""

    kinds: frozenset[Kind] = frozenset({Kind.AUTHENTICATION, Kind.SIGNATURE})
    """What it issues: a list of authentication, signature, encryption."""
    policies: tuple[str, ...] = ()
    """Object identifiers of the certificate policies, dotted; none by default."""
    pki_url: str | None = None
    """Where everybody reaches `/pki`, without a slash at the end; the public address by default.
    Plain http is right here (RFC 5280, 8): what is fetched is signed."""
    crl_hours: int = 24
    """How long a revocation list is valid. A new one is made at least every minute when asked."""

    @property
    def crl_life(self) -> timedelta:
        """The time between thisUpdate and nextUpdate."""
        return timedelta(hours=self.crl_hours)

    @classmethod
    def read(cls, given: Mapping[str, object]) -> BuiltinSettings:
        """Check settings as they come from TOML; raise `InvalidSettings` with all faults."""
        known = [field.name for field in fields(cls)]
        faults = [
            f'"{name}" is no setting of the built-in CA; it has {", ".join(known)}'
            for name in given
            if name not in known
        ]
        values: dict[str, object] = {}
        for name in known:
            if name in given:
                try:
                    values[name] = _READERS[name](given[name])
                except ValueError as fault:
                    faults.append(f'"{name}" {fault}')
        if faults:
            raise InvalidSettings(faults)
        return cls(**values)  # type: ignore[arg-type]  # each reader returns its field's type


def _kinds(value: object) -> frozenset[Kind]:
    names = _texts(value)
    if not names or not set(names) <= set(Kind):
        raise ValueError(f"must be a list of some of {', '.join(Kind)}")
    return frozenset(map(Kind, names))


def _policies(value: object) -> tuple[str, ...]:
    names = _texts(value)
    for name in names:
        try:
            ObjectIdentifier(name)
        except ValueError:
            raise ValueError(f'has "{name}", which is no dotted object identifier') from None
    if len(set(names)) != len(names):
        raise ValueError("names a policy twice")
    return names


def _pki_url(value: object) -> str:
    if isinstance(value, str) and _URL.fullmatch(value) and not value.endswith("/"):
        parts = urlsplit(value)
        if parts.scheme in {"http", "https"} and parts.netloc and not parts.query + parts.fragment:
            return value
    raise ValueError("must be an http or https address without a slash at its end")


def _crl_hours(value: object) -> int:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number and isinstance(value, int) and LEAST_CRL_HOURS <= value <= MOST_CRL_HOURS:
        return value
    raise ValueError(f"must be a number of hours from {LEAST_CRL_HOURS} to {MOST_CRL_HOURS}")


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise ValueError("must be a list of texts")  # noqa: TRY004  # one class, so that all faults are collected
    texts = tuple(text for text in value if isinstance(text, str))
    if len(texts) != len(value):
        raise ValueError("must be a list of texts")
    return texts


_READERS: Final[Mapping[str, Callable[[object], object]]] = {
    "kinds": _kinds,
    "policies": _policies,
    "pki_url": _pki_url,
    "crl_hours": _crl_hours,
}
