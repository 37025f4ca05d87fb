"""Durations as a script writes them, `days(90)` or `until("2027-06-30")`, and as text, `P90D` or a date."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

_UNITS: Final = {"D": "day", "M": "month", "Y": "year"}
_TEXT: Final = re.compile(r"P(-?[0-9]{1,6})([DMY])")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Duration:
    """A count of one unit of the calendar, or a last day (through its end, UTC)."""

    count: int = 0
    unit: str = "D"
    last_day: date | None = None

    @classmethod
    def of(cls, text: str) -> Duration | None:
        """Read the text form; None if it is no duration."""
        if (found := _TEXT.fullmatch(text)) is not None:
            return cls(int(found[1]), found[2])
        try:
            return cls(last_day=date.fromisoformat(text)) if _DATE.fullmatch(text) else None
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """The text form."""
        return self.last_day.isoformat() if self.last_day else f"P{self.count}{self.unit}"

    def __str__(self) -> str:
        if self.last_day:
            return f"until {self.last_day.isoformat()}"
        plural = "" if self.count == 1 else "s"
        return f"{self.count} {_UNITS[self.unit]}{plural}"

    def end(self, start: datetime) -> datetime:
        """Return the moment at which it ends; raises OverflowError beyond the calendar."""
        if self.last_day:
            return datetime.combine(self.last_day, time(), UTC) + timedelta(days=1)
        if self.unit == "D":
            return start + timedelta(days=self.count)
        return _add_months(start, self.count * (12 if self.unit == "Y" else 1))


def _add_months(start: datetime, count: int) -> datetime:
    years, month = divmod(start.month - 1 + count, 12)
    year = start.year + years
    if not 1 <= year < 9999:  # noqa: PLR2004 - the last year that leaves room for a time zone
        raise OverflowError
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return start.replace(year=year, month=month + 1, day=day)
