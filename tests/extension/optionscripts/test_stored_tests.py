"""Stored tests: what a file of them may say, and when a script keeps its word."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mobid.optionscripts import plain_tests
from mobid.processes.errors import InvalidInput
from mobid.processes.script_tests import ScriptTest

if TYPE_CHECKING:
    from tests.extension.optionscripts.conftest import Scripts

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SCRIPT = """
if user.userType == "contractor":
    options.validity = until("2027-06-30")
elif not user.in_group("staff"):
    refuse("Ask your manager for the group staff.")
else:
    options.validity = days(90) if user.department == "Finance" else years(2)
"""
TOML = """
[user]
userName = "ada"
groups = ["staff"]

[[test]]
name = "Finance gets 90 days"
user = { department = "Finance" }
expect = { validity = "90 days", notify = "both" }

[[test]]
name = "others get two years"
expect = { validity = "P2Y" }

[[test]]
name = "strangers are refused"
user = { groups = [] }
refused = "Ask your manager"

[[test]]
name = "contractors until the end"
at = 2027-01-01
user = { userType = "contractor" }
expect = { validity = 2027-06-30 }

[[test]]
name = "and not longer"
at = 2027-07-01T12:00:00Z
user = { userType = "contractor" }
error = "too short on 2027-07-01"
"""


def problems(scripts: Scripts, source: str, **test: Any) -> tuple[str, ...]:
    """Run one test, and return why it did not pass."""
    read = scripts.port.read_tests([{"name": "it", **test}])
    (result,) = scripts.port.test(source, read, at=NOW)
    return result.problems


def test_a_file_whose_script_keeps_its_word(scripts: Scripts) -> None:
    """Options, a refusal and an error, each for its user and at its moment."""
    tests = scripts.port.read_tests(plain_tests(TOML))
    results = scripts.port.test(SCRIPT, tests, at=NOW)
    assert [(result.name, result.problems) for result in results] == [
        ("Finance gets 90 days", ()),
        ("others get two years", ()),
        ("strangers are refused", ()),
        ("contractors until the end", ()),
        ("and not longer", ()),
    ]


def test_they_come_back_from_their_plain_form(scripts: Scripts) -> None:
    """As they are stored, so are they read: also by the interface that takes JSON."""
    tests = scripts.port.read_tests(plain_tests(TOML))
    plain = [test.plain() for test in tests]
    assert tuple(map(ScriptTest.of_plain, plain)) == tests
    assert scripts.port.read_tests(plain) == tests


@pytest.mark.parametrize(
    ("source", "test", "problem"),
    [
        (
            "options.validity = years(2)",
            {"expect": {"validity": "90 days"}},
            "validity: expected 90 days, got 2 years",
        ),
        (
            "options.certificates = [cert.SIGNATURE]",
            {"expect": {"certificates": ["authentication"]}},
            "certificates: expected [authentication], got [signature]",
        ),
        (
            'options.properties = {"site": "north"}',
            {"expect": {"properties": {"site": "south"}}},
            'properties: expected {site: "south"}, got {site: "north"}',
        ),
        (
            'refuse("Not you.")',
            {"expect": {"notify": "none"}},
            'expected options, but it refused: "Not you."',
        ),
        ("x = 1", {"refused": ""}, 'expected a refusal with "", but it set options'),
        (
            'refuse("Not you.")',
            {"refused": "Nor me"},
            'expected a refusal with "Nor me", but it refused: "Not you."',
        ),
        ("x = 1", {"error": "zero"}, 'expected an error with "zero", but it set options'),
        (
            "x = 1 / 0",
            {"expect": {}},
            "expected options, but it failed: ZeroDivisionError: division by zero (line 1).",
        ),
    ],
)
def test_a_broken_word_says_what_was_promised(
    source: str, test: dict[str, Any], problem: str, scripts: Scripts
) -> None:
    """One line per difference, as a person would say it."""
    assert problems(scripts, source, **test) == (problem,)


@pytest.mark.parametrize(
    ("test", "fault"),
    [
        (1, "test 1: must be a table"),
        ({}, "test 1: needs a name"),
        ({"name": "a\x1b"}, "test 1: needs a name"),
        ({"name": "a"}, '"a": must have exactly one of "expect", "refused" or "error"'),
        ({"name": "a", "refused": "", "error": ""}, '"a": must have exactly one of'),
        ({"name": "a", "expected": {}}, '"expected" is not known; did you mean "expect"?'),
        ({"name": "a", "expect": 1}, "expect must be a table of options"),
        ({"name": "a", "refused": True}, 'refused must be a part of the words, or "" for any'),
        ({"name": "a", "refused": "", "user": []}, "user must be a table of attributes"),
        (
            {"name": "a", "refused": "", "user": {"deparment": "x"}},
            'a user has no attribute "deparment"; did you mean "department"?',
        ),
        (
            {"name": "a", "refused": "", "user": {"department": 1}},
            "user.department must be one line of text",
        ),
        (
            {"name": "a", "refused": "", "user": {"groups": "staff"}},
            "user.groups must be a list of names",
        ),
        (
            {"name": "a", "expect": {"validty": "P1D"}},
            'there is no option "validty"; did you mean "validity"?',
        ),
        ({"name": "a", "expect": {"validity": "long"}}, 'a duration is "90 days"'),
        ({"name": "a", "expect": {"notify": "nobody"}}, '"nobody" is not known; it takes'),
        ({"name": "a", "refused": "", "at": "soon"}, "at must be a day"),
        ({"name": "a", "refused": "", "at": 3}, "at must be a day"),
        ({"name": "a", "refused": "", "at": "2027-01-01T12:00:00"}, "at needs a zone"),
    ],
)
def test_a_test_that_cannot_be_used_is_refused_by_name(
    test: object, fault: str, scripts: Scripts
) -> None:
    """A misspelt test would be green for ever."""
    with pytest.raises(InvalidInput) as refused:
        scripts.port.read_tests([test])
    assert str(refused.value).startswith('Input "tests" cannot be used: ')
    assert fault in str(refused.value)


def test_two_tests_of_one_name_are_refused(scripts: Scripts) -> None:
    """Whoever reads that one is red has to find it."""
    with pytest.raises(InvalidInput, match='"a": is there twice'):
        scripts.port.read_tests([{"name": "a", "refused": ""}] * 2)


def test_there_is_a_bound(scripts: Scripts) -> None:
    """Activation runs them all."""
    tests = [{"name": str(number), "refused": ""} for number in range(101)]
    with pytest.raises(InvalidInput, match="has 101 tests; the most is 100"):
        scripts.port.read_tests(tests)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[[test]", "is no TOML: .*line 1"),
        ("[[tests]]\nname = 'a'", r'"tests" is not known; it has \[user\] and \[\[test\]\]'),
        ("[test]\nname = 'a'", r"\[user\] is one table, and each \[\[test\]\] another"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(text: str, fault: str) -> None:
    """With what would be right."""
    with pytest.raises(InvalidInput, match=fault):
        plain_tests(text)
