"""What a column takes and gives is the same on both databases, or a clear error on both."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from mobid.storage import Unstorable
from mobid.storage.columns import canonical_json, checked, instant, is_storable, microseconds
from mobid.storage.tables import users
from mobid.storage.users import USER_ROWS, insert_user

if TYPE_CHECKING:
    from tests.extension.storage.conftest import Make

    from mobid.storage import Transactions

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class TestHostileValues:
    """What the edge should have refused, and storage refuses for sure."""

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("display_name", "Anne\x00", r"text with U\+0000 or a lone surrogate in it"),
            ("display_name", "Anne\ud800", r"text with U\+0000 or a lone surrogate in it"),
            ("user_name_key", "anne\x00", r"text with U\+0000 or a lone surrogate in it"),
            ("user_name_key", "ä" * 600, "a key of more than 1024 bytes"),
            ("version", 2**63, "a number of more than 64 bits"),
            ("version", -(2**200), "a number of more than 64 bits"),
            ("created_at", datetime(2026, 1, 1), "a time without its zone"),  # noqa: DTZ001  # on purpose
        ],
    )
    def test_are_refused_alike(
        self, transactions: Transactions, make: Make, field: str, value: Any, message: str
    ) -> None:
        """The same error, which does not show the value; and nothing is written."""
        with pytest.raises(Unstorable, match=message) as refused, transactions.writing() as wrote:
            insert_user(wrote, make.user_row(**{field: value}))
        assert str(value)[:4] not in str(refused.value)
        with transactions.reading() as connection:
            assert connection.execute(select(users)).all() == []

    def test_are_refused_inside_json(self) -> None:
        """Escaped or not: PostgreSQL could not give them back as text."""
        for value in ({"a": ["\x00"]}, {"\x00": 1}, "\ud800", '"\\\x00'):
            with pytest.raises(Unstorable, match="U\\+0000"):
                canonical_json(value)
        assert json.loads(canonical_json("\\u0000")) == "\\u0000"
        with pytest.raises(ValueError, match="Out of range float"):
            canonical_json(float("nan"))


class TestFriendlyValues:
    """Everything else comes back as it was."""

    @pytest.mark.parametrize(
        "row",
        [
            {"display_name": "\x01\x7f\u2028\ufeff\U0010ffff ' \" \\ % _ :x %(x)s ?", "version": 0},
            {"display_name": "", "user_name_key": "ä" * 512, "version": 2**63 - 1},
            {"display_name": "x" * 100_000, "scim_active": False, "version": -1},
        ],
    )
    def test_come_back(self, transactions: Transactions, make: Make, row: dict[str, Any]) -> None:
        """Text of any kind and length, numbers to the last bit."""
        wanted = make.user_row(**row, changed_at=datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC))
        with transactions.writing() as connection:
            insert_user(connection, wanted)
        with transactions.reading() as connection:
            found = connection.execute(select(users)).one()
        assert USER_ROWS.entity(found) == wanted

    def test_keys_are_sorted_by_code_points(self, transactions: Transactions, make: Make) -> None:
        """On both databases alike, whatever the locale of the server."""
        keys = ["Z", "a", "b", "ä", "z", "~", "\uffee", "\U0001f600", "-a", "a b", "ab"]
        with transactions.writing() as connection:
            for key in keys:
                insert_user(connection, make.user_row(user_name_key=key))
            query = select(users.c.user_name_key).order_by(users.c.user_name_key)
            assert connection.execute(query).scalars().all() == sorted(keys)


class TestLaws:
    """What holds for every value."""

    @given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])))
    def test_times_keep_every_microsecond(self, at: datetime) -> None:
        """Whatever their zone: the moment is the same, and comes back in UTC."""
        back = instant(microseconds(at))
        assert (back, back.tzinfo) == (at, UTC)

    @given(JSON_VALUES)
    def test_json_comes_back_or_is_refused(self, value: Any) -> None:
        """And the same value is always the same text."""
        try:
            text = canonical_json(value)
        except Unstorable:
            assert "\\u0000" in json.dumps(value)
        else:
            assert json.loads(text) == value
            assert canonical_json(json.loads(text)) == text

    @given(st.text(st.characters(exclude_categories=())))
    def test_text_is_taken_or_refused(self, text: str) -> None:
        """What is found storable is taken; what is refused is found not to be."""
        if is_storable(text):
            assert checked(text) == text
        else:
            with pytest.raises(Unstorable):
                checked(text)
