"""How long a mobile ID is valid: calendar arithmetic that a person would agree with."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid.domain.errors import InvalidValidity
from mobid.domain.options import Validity, add_months

START = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)


class TestEnd:
    """The moment at which a mobile ID ends."""

    @pytest.mark.parametrize(
        ("text", "start", "end"),
        [
            ("P2Y", START, datetime(2028, 11, 22, 12, 30, tzinfo=UTC)),
            ("P6M", START, datetime(2027, 5, 22, 12, 30, tzinfo=UTC)),
            ("P90D", START, datetime(2027, 2, 20, 12, 30, tzinfo=UTC)),
            ("P1Y", datetime(2028, 2, 29, tzinfo=UTC), datetime(2029, 2, 28, tzinfo=UTC)),
            ("P4Y", datetime(2028, 2, 29, tzinfo=UTC), datetime(2032, 2, 29, tzinfo=UTC)),
            ("P1M", datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 31, tzinfo=UTC)),
            ("P3M", datetime(2026, 11, 30, tzinfo=UTC), datetime(2027, 2, 28, tzinfo=UTC)),
            ("2027-06-30", START, datetime(2027, 7, 1, tzinfo=UTC)),
        ],
    )
    def test_is_that_of_the_calendar(self, text: str, start: datetime, end: datetime) -> None:
        """Years and months keep the day where there is one; a date counts through that day, UTC."""
        assert Validity(text).end(start) == end

    @given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), st.integers(1, 1200))  # noqa: DTZ001  # hypothesis wants naive bounds
    def test_a_month_is_the_next_one_and_never_the_one_after(
        self, start: datetime, count: int
    ) -> None:
        """The day stays or is the last of a shorter month; the time of day stays."""
        end = add_months(start, count)
        assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == count
        assert end.time() == start.time()
        if end.day != start.day:
            assert end.day < start.day
            assert (end + timedelta(days=1)).day == 1

    @given(st.dates(date(2000, 1, 1), date(9000, 1, 1)))
    def test_a_date_ends_with_its_day(self, day: date) -> None:
        """The last second of that day is within."""
        end = Validity(day.isoformat()).end(START)
        assert (end - timedelta(seconds=1)).date() == day
        assert end.date() == day + timedelta(days=1)


class TestText:
    """What can be read."""

    @pytest.mark.parametrize(
        "text",
        ["", "P", "P0Y", "P1W", "P1Y6M", "P-1Y", "2Y", "2027-02-30", "20270630", "2027-W26-3"],
    )
    def test_everything_else_is_refused_with_what_would_be_right(self, text: str) -> None:
        """The message shows the text and examples of both forms."""
        with pytest.raises(InvalidValidity, match=f'^Validity "{text}" is no duration such as P2Y'):
            Validity(text)
