"""How often one may do a thing. It is counted before it is tried, so that a failure counts as well."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final

from mobid.processes.errors import TooMany

if TYPE_CHECKING:
    from mobid.config import Limits
    from mobid.processes.ports import UnitOfWork, Units

HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)

_WITH_PORT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?")
_BITS_OF_ONE_SITE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many of one thing within a window, for each who does it."""

    what: str
    most: int
    window: timedelta
    told: str
    """What is said to whoever has reached it."""

    def count(self, unit: UnitOfWork, whose: str) -> None:
        """Count one in this unit of work; raise `TooMany` for one more than allowed.

        A unit that is rolled back counts nothing, so this is for what is done by the same commit.
        """
        counted = unit.counters.add(self.what, whose, window=self.window)
        if counted.number > self.most:
            raise TooMany(counted.ends_at - unit.now, self.told)

    def count_at_once(self, units: Units, whose: str) -> None:
        """Count one and commit, whatever becomes of the thing; raise `TooMany` as `count` does."""
        with units() as unit:
            counted = unit.counters.add(self.what, whose, window=self.window)
            unit.commit()
            if counted.number > self.most:
                raise TooMany(counted.ends_at - unit.now, self.told)


class Attempts:
    """Counts what is tried from outside, each try in a short unit of work of its own."""

    def __init__(self, units: Units, limits: Limits) -> None:
        self._units = units
        self._starts: Final = Limit(
            what="get.start",
            most=limits.starts_per_hour,
            window=HOUR,
            told="You have started this too often.",
        )
        self._claims: Final = Limit(
            what="get.claim",
            most=limits.claims_per_minute,
            window=MINUTE,
            told="Too many codes were tried from your network.",
        )

    def start(self, user_id: str) -> None:
        """Count a start of Get by a user; raise `TooMany`."""
        self._starts.count_at_once(self._units, user_id)

    def claim(self, address: str | None) -> None:
        """Count a phone's claim of any code, a right, wrong or repeated one; raise `TooMany`."""
        self._claims.count_at_once(self._units, network_of(address))


def mails(limits: Limits) -> Limit:
    """Return the limit on mails with a link, which are counted in the unit that writes the mail."""
    return Limit(
        what="get.mail",
        most=limits.mails_per_minute,
        window=MINUTE,
        told="A mail with a code has just been sent to you.",
    )


def network_of(address: str | None) -> str:
    """Return what counts as one place: an IPv4 address, or the /64 that a site has of IPv6.

    A port behind the address is left out, as some proxies write it. All that cannot be read is
    one place together.
    """
    given = address or ""
    if found := _WITH_PORT.fullmatch(given):
        given = found[1] or found[2]
    try:
        ip = ip_address(given)
    except ValueError:
        return "unknown"
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(IPv6Network((int(ip), _BITS_OF_ONE_SITE), strict=False))
