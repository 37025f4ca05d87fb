"""What looks right to a reader and would mean something else, or another thing on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mobid_scripts.outcome import Code

if TYPE_CHECKING:
    from tests.scripts.conftest import Scripts


@pytest.mark.parametrize(
    "source",
    [
        "x = ','.join({'a': 1, 'b': 2, 'c': 3}.keys() - {'c': 3}.keys())",
        "x = {'a': 1, 'b': 2}.keys()\nx -= {}.keys()\nlog(','.join(x))",
        "x = {'a': 1}.items() - {}.items()",
        "x = {}.keys() - []",
    ],
)
def test_no_operator_makes_a_set(source: str, scripts: Scripts) -> None:
    """A set has its texts in an order that each start of an interpreter draws anew."""
    assert "- works on numbers, not on this value" in scripts.fault(source)


def test_a_number_does_not_grow_by_subtraction(scripts: Scripts) -> None:
    """512 bits are the most, whichever operator makes them."""
    grown = "x = 1\nfor i in range(600):\n    x = x - (0 - x)"
    assert scripts.fault(grown) == "The number is too large (line 3)."
    assert scripts.fault(grown.replace("x = x -", "x -=")) == "The number is too large (line 3)."


@pytest.mark.parametrize(
    "comparison",
    [
        "user.department is 'Finance'",
        "user.department is not 'Finance'",
        "'a' < 'b' is user.department",
        "len(user.groups) is 2",
    ],
)
def test_is_asks_for_none_only(comparison: str, scripts: Scripts) -> None:
    """Two equal texts may be one text or two; whoever writes `is` between values means `==`."""
    (fault,) = scripts.check(f"x = {comparison}").diagnostics
    assert fault.code is Code.NOT_IN_LANGUAGE
    assert '"is" between values; write == or !=' in fault.message
    assert scripts.run("log(user.email is not None, None is user.email)").log == ("True False",)


def test_a_list_of_the_user_is_never_equal_to_one_that_can_change(scripts: Scripts) -> None:
    """`user.groups == ["staff"]` would be False for everybody; so it is refused while somebody looks."""
    for source in ("x = user.groups == ['staff']", "x = ['staff'] != user.groups"):
        assert "write list(user.groups) == [...]" in scripts.fault(source)
    assert scripts.run("log(list(user.groups) == ['staff', 'site-north'])").log == ("True",)
    assert scripts.fault("x = user.groups + ['x']") == (
        "A list and a read-only list do not add up; write list(...) around both (line 1)."
    )


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("options.qr\uff3flocation = True", "qr\uff3flocation"),
        ("a\u00b7b = 1", "a\u00b7b"),
        ("e\u0301x = 1", "e\u0301x"),
        ("s\uff3fs\uff3fs = 1", "s\uff3fs\uff3fs"),
        ("us\u212er = 1", "us\u212er"),
    ],
)
def test_a_name_with_a_letter_that_only_the_parser_knows(
    source: str, name: str, scripts: Scripts
) -> None:
    """What the tokenizer of Python 3.11 takes for an error, its parser takes for a part of a name."""
    told = [(fault.column, fault.message) for fault in scripts.check(source).diagnostics]
    clause = f'The name "{name}" is not plain ASCII; write it in a to z (line 1).'
    assert told == [(source.index(name) + 1, clause)]


@pytest.mark.parametrize("selector", ["\ufe0e", "\ufe00", "\U000e0100", "\u180b"])
def test_two_names_that_look_alike_are_not_two(selector: str, scripts: Scripts) -> None:
    """A selector of variants is seen by nobody, and makes another name of the same letters."""
    source = f"limit = 30\nlimit{selector} = 3000\noptions.validity = days(limit{selector})"
    faults = scripts.check(source).diagnostics
    shown = f"The character U+{ord(selector):04X} is not allowed in a script"
    assert [fault.message for fault in faults] == [f"{shown} (line 2).", f"{shown} (line 3)."]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def f():\n    x = x + 1\nf()", '"x" has no value yet (line 2).'),
        ("x = int('²')", 'int() can not read "²" as a whole number (line 1).'),
        ("x = int('+-5')", 'int() can not read "+-5" as a whole number (line 1).'),
        (
            "x = user.has('email', 'groups')",
            "user.has() takes one text, and nothing else (line 1).",
        ),
        ("x = user.in_group()", "user.in_group() takes one text, and nothing else (line 1)."),
        ("x = round(5, -99999999)", "round() keeps up to 20 digits, not -99,999,999 (line 1)."),
    ],
)
def test_a_message_is_in_words_of_the_language(source: str, message: str, scripts: Scripts) -> None:
    """Not in those of the interpreter, and none where a limit of the machine would have to tell it."""
    assert scripts.fault(source) == message
