"""The bounds of each kind of option, as a script meets them."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid_scripts.durations import Duration
from mobid_scripts.errors import BadValue
from mobid_scripts.kinds import Choices, Span, Table, Text
from mobid_scripts.outcome import Verdict

if TYPE_CHECKING:
    from tests.scripts.conftest import Scripts

    from mobid_scripts.kinds import OptionKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("validity", "days(0)", ": 0 days is too short; the least is 1 day"),
        ("validity", "days(-5)", ": -5 days is too short; the least is 1 day"),
        ("validity", "years(11)", ": 11 years is too long; the most is 10 years"),
        ("validity", "years(9999)", ": 9999 years is too long; the most is 10 years"),
        (
            "validity",
            "until('2026-11-22')",
            ": until 2026-11-22 is too short on 2026-11-22; the least is 1 day",
        ),
        (
            "validity",
            "until('2020-01-01')",
            ": until 2020-01-01 is too short on 2026-11-22; the least is 1 day",
        ),
        (
            "validity",
            "90",
            ': a number is no duration; use days(90), months(6), years(2) or until("2027-06-30")',
        ),
        ("certificates", "[]", ": a list of 0 is not allowed; the least is 1"),
        ("certificates", "cert.SIGNATURE", " takes a list, not text; write [...] around it"),
        ("certificates", "['signatur']", ': "signatur" is not known; did you mean "signature"?'),
        ("certificates", "[cert.SIGNATURE] * 2", ': "signature" is there twice; once is enough'),
        ("certificates", "[cert.SIGNATURE] * 9", ": a list of 9 is not allowed; the most is 8"),
        (
            "certificates",
            "[3]",
            ' takes "authentication", "signature" or "encryption", not a number',
        ),
        ("qr_location", "'email'", ': "email" is not built; use "self_service"'),
        ("qr_location", "False", ': "email" is not built; use "self_service"'),
        ("qr_location", "'wall'", ': "wall" is not known; it takes "self_service" or "email"'),
        ("user_id", "''", " is empty; the least is 1 character"),
        ("user_id", "'x' * 129", ": 129 characters are too many; the most is 128"),
        (
            "user_id",
            "'a\\nb'",
            " takes one line of plain text; U+000A at character 2 is not allowed",
        ),
        (
            "user_id",
            "'a\\u2028b'",
            " takes one line of plain text; U+2028 at character 2 is not allowed",
        ),
        (
            "user_id",
            "'a\\u202eb'",
            " takes one line of plain text; U+202E at character 2 is not allowed",
        ),
        ("user_id", "None", " takes text, not None"),
        (
            "properties",
            "{'Site': 'x'}",
            ': the key "Site" is not allowed; it is a small letter, then letters, digits or _',
        ),
        ("properties", "{'site': 3}", ', key "site" takes text, not a number'),
        (
            "properties",
            "{'site': 'x' * 257}",
            ', key "site": 257 characters are too many; the most is 256',
        ),
        (
            "properties",
            "{f'k{i}': 'v' for i in range(21)}",
            ": 21 keys are too many; the most is 20",
        ),
    ],
)
def test_a_wrong_value_is_an_error_at_its_line(
    name: str, value: str, fault: str, scripts: Scripts
) -> None:
    """The message names the option, what it got, and what it takes."""
    assert scripts.fault(f"options.{name} = {value}") == f'Option "{name}"{fault} (line 1).'


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{1: 'x'}", "The keys of a table are text, not a number (line 1)."),
        ("len", "An option can not hold this value; call it, or name a plain value (line 1)."),
        ("[[[[[[1]]]]]]", "An option holds too many or too deeply nested values (line 1)."),
        ("['x' * 70000]", "An option holds too much text (line 1)."),
    ],
)
def test_what_no_option_can_hold(value: str, message: str, scripts: Scripts) -> None:
    """An option holds plain values, and not too many of them."""
    assert scripts.fault(f"options.properties = {value}") == message


@pytest.mark.parametrize(
    ("source", "option", "value"),
    [
        ("options.validity = days(1)", "validity", "P1D"),
        ("options.validity = years(10)", "validity", "P10Y"),
        ("options.validity = months(120)", "validity", "P120M"),
        ("options.validity = until('2026-11-23')", "validity", "2026-11-23"),
        ("options.qr_location = True", "qr_location", "self_service"),
        ("options.user_id = 'A\\u030a'", "user_id", "Å"),
        ("options.user_id = 'x' * 128", "user_id", "x" * 128),
        ("options.properties = {'a': 'b'}", "properties", {"a": "b"}),
    ],
)
def test_a_right_value_comes_back_in_its_one_form(
    source: str, option: str, value: object, scripts: Scripts
) -> None:
    """The ends of the bounds are inside, and text is in NFC."""
    assert scripts.options(source)[option] == value


def test_a_table_that_goes_wrong_later_is_found_at_the_end(scripts: Scripts) -> None:
    """A list or table can be changed after it was set; the line is the last that touched it."""
    outcome = scripts.run("x = 1\noptions.properties['site'] = 'a\\r\\nBcc: all'\ny = 1")
    (diagnostic,) = outcome.diagnostics
    assert outcome.outcome is Verdict.INVALID_RESULT
    assert diagnostic.line == 2
    assert diagnostic.message.endswith("U+000D at character 2 is not allowed (line 2).")


def test_a_default_that_does_not_fit_is_said_to_be_one(scripts: Scripts) -> None:
    """A user whose name is too long for a default gets an error, not half a name."""
    defaults = {**scripts.product.defaults, "user_id": "x" * 200}
    outcome = scripts.sandbox.run("", {}, defaults=defaults, now=NOW)
    assert outcome.outcome is Verdict.INVALID_RESULT
    assert outcome.diagnostics[0].message == (
        'Option "user_id": 200 characters are too many; the most is 128; '
        "this is the default, so let the script set it."
    )


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_PLAIN)
def test_no_plain_value_breaks_a_kind(value: object) -> None:
    """Each kind answers any JSON with a value or with BadValue, and takes its own answer again."""
    kinds: list[OptionKind] = [
        Text(name="a", most=9),
        Choices(name="b", values=("x", "y")),
        Span(name="c", least_days=1, most_years=10),
        Table(name="d", key="[a-z]+", key_words="small letters", most_keys=2, most_value=9),
    ]
    for kind in kinds:
        try:
            checked = kind.check(value, NOW)
        except BadValue:
            continue
        assert kind.check(checked, NOW) == checked


@given(count=st.integers(1, 3000), unit=st.sampled_from("DMY"))
def test_a_duration_survives_its_text(count: int, unit: str) -> None:
    """The text form is read as what was written."""
    duration = Duration(count, unit)
    assert Duration.of(duration.text) == duration


def test_a_year_after_29_february_is_28_february() -> None:
    """Calendar arithmetic never leaves the month it means."""
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC)
    assert Duration(1, "Y").end(leap) == datetime(2029, 2, 28, 12, tzinfo=UTC)
    assert Duration(1, "M").end(datetime(2026, 1, 31, tzinfo=UTC)).day == 28
    assert Duration(30, "D").end(leap) == leap + timedelta(days=30)


@given(
    now=st.datetimes(timezones=st.just(UTC)),
    value=st.dates().map(str)
    | st.builds("P{}{}".format, st.integers(-9, 99_999), st.sampled_from("DMY")),
)
def test_a_span_is_checked_as_of_any_moment_of_the_calendar(now: datetime, value: str) -> None:
    """A test can be as of any year; near the end of the calendar a span is right or told to be wrong."""
    span = Span(name="validity", least_days=1, most_years=10)
    with contextlib.suppress(BadValue):
        assert span.check(value, now) == value


def test_the_calendar_ends_before_ten_years_do() -> None:
    """What ends in the year 9995 is right in the year 9990, and what has no end is too long."""
    span = Span(name="validity", least_days=1, most_years=10)
    late = datetime(9990, 1, 1, tzinfo=UTC)
    assert span.check("P5Y", late) == "P5Y"
    with pytest.raises(BadValue, match="10 years is too long; the most is 10 years"):
        span.check("P10Y", late)
    with pytest.raises(BadValue, match="until 2027-06-30 is too short on 9999-12-31"):
        span.check("2027-06-30", datetime(9999, 12, 31, 23, 59, tzinfo=UTC))
