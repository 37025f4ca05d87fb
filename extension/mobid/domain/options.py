"""The options of Get mobile ID: what an option script decides, frozen into its instance."""

from __future__ import annotations

import calendar
import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from mobid.domain.errors import InvalidValidity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.domain.users import User

LEAST_VALIDITY_DAYS: Final = 1
MOST_VALIDITY_YEARS: Final = 10
MOST_USER_ID: Final = 128
MOST_SERVER_NAME: Final = 64
MOST_PROFILE_NAME: Final = 64

SERVER_NAME: Final = "Mobile ID"
"""How the server is called on phones and in mails where no script has named it."""

_PROFILE_PREFIX: Final = "MobileID "

_DURATION: Final = re.compile(r"P([1-9][0-9]{0,5})([YMD])")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Kind(StrEnum):
    """What a certificate is for."""

    AUTHENTICATION = "authentication"
    SIGNATURE = "signature"
    ENCRYPTION = "encryption"


class QRLocation(StrEnum):
    """Where the user finds the QR code."""

    SELF_SERVICE = "self_service"
    EMAIL = "email"


class Recovery(StrEnum):
    """Which earlier encryption keys are delivered to the new phone."""

    NONE = "none"
    ASK = "ask"
    LATEST = "latest"
    ALL = "all"


class Notify(StrEnum):
    """Which outcomes the user is told by mail."""

    BOTH = "both"
    SUCCESS = "success"
    FAILURE = "failure"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Validity:
    """How long a mobile ID is valid: calendar years, months or days from its start, or until a date.

    The text form is an ISO 8601 duration of one unit (`P2Y`, `P6M`, `P90D`) or a date
    (`2027-06-30`: through that day, UTC). 29 February plus a year is 28 February.
    """

    text: str

    def __post_init__(self) -> None:
        if _DURATION.fullmatch(self.text):
            return
        # `fromisoformat` alone would take week dates and dates without hyphens, too.
        if _DATE.fullmatch(self.text) is None:
            raise InvalidValidity(self.text)
        try:
            date.fromisoformat(self.text)
        except ValueError:
            raise InvalidValidity(self.text) from None

    @classmethod
    def years(cls, count: int) -> Self:
        """Return a validity of `count` calendar years."""
        return cls(f"P{count}Y")

    def end(self, start: datetime) -> datetime:
        """Return the moment at which a mobile ID that starts at `start` ends."""
        duration = _DURATION.fullmatch(self.text)
        if duration is None:
            last_day = date.fromisoformat(self.text)
            return datetime.combine(last_day, time(), UTC) + timedelta(days=1)
        count, unit = int(duration[1]), duration[2]
        if unit == "D":
            return start + timedelta(days=count)
        return add_months(start, count * 12 if unit == "Y" else count)


def add_months(start: datetime, count: int) -> datetime:
    """Return the same day `count` months later, or the last day of a shorter month."""
    years, month = divmod(start.month - 1 + count, 12)
    year = start.year + years
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything an option script can decide; the defaults are those of the shipped version 0."""

    certificates: tuple[Kind, ...] = (Kind.AUTHENTICATION, Kind.SIGNATURE)
    selectable_certificates: tuple[Kind, ...] = ()
    qr_location: QRLocation = QRLocation.SELF_SERVICE
    validity: Validity = field(default_factory=lambda: Validity.years(2))
    user_id: str
    server_name: str = SERVER_NAME
    profile_name: str
    properties: Mapping[str, str] = field(default_factory=dict)
    recover_encryption: Recovery = Recovery.NONE
    notify: Notify = Notify.BOTH

    @classmethod
    def for_user(cls, user: User) -> Self:
        """Return the options of a user for whom no script has set any.

        The user id is the primary e-mail address, else the user name. The profile name is cut to
        what fits on a phone, since nobody chose it.
        """
        name = _one_line(user.display_name) or user.user_name
        return cls(
            user_id=user.email or user.user_name,
            profile_name=f"{_PROFILE_PREFIX}{name}"[:MOST_PROFILE_NAME].rstrip(),
        )


def _one_line(name: str) -> str:
    """Return a display name as one line in NFC; a directory may have tabs and line ends in it."""
    spaced = "".join(c if c.isprintable() else " " for c in name)
    return " ".join(unicodedata.normalize("NFC", spaced).split())
