"""The guards on their own: what they would let through if a script came past the language."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mobid_scripts.errors import OutOfSteps, ScriptFault
from mobid_scripts.guards import Guards, Steps, attribute, in_place, item, operate, shown, writable
from mobid_scripts.views import Constants, Options, User

if TYPE_CHECKING:
    from tests.scripts.conftest import Product


class Sly(str):
    """Text that is more than text."""

    __slots__ = ()

    def upper(self) -> str:
        """Do what the host does not expect."""
        return "gotcha"


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("text", "format"),
        ("text", "format_map"),
        ("text", "__class__"),
        ("text", "encode"),
        (str, "format"),
        ([], "sort"),
        ([], "__class__"),
        ({}, "update"),
        ((), "__class__"),
        (range(3), "start"),
        (len, "__self__"),
        ((x for x in "abc"), "gi_frame"),
        (math, "pi"),
        (Sly("text"), "upper"),
        (object(), "__class__"),
    ],
)
def test_no_attribute_but_those_on_the_list(owner: object, name: str) -> None:
    """The exact type decides, and then the name."""
    with pytest.raises(ScriptFault, match=rf'has no "{name}"'):
        attribute(owner, name)


@pytest.mark.parametrize(
    "name", ["_values", "__class__", "__dict__", "read", "set", "_declaration"]
)
def test_an_object_of_the_language_has_no_inside(name: str, product: Product) -> None:
    """What Python finds on our objects is nothing that a script could name."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    views = [
        User(product.user, product.declaration),
        Options(product.declaration, product.defaults, now),
        Constants("cert", {"SIGNATURE": "signature"}),
    ]
    for view in views:
        with pytest.raises(ScriptFault, match=name):
            attribute(view, name)


def test_nothing_is_written_but_lists_tables_and_options(product: Product) -> None:
    """The user, the constants and everything of Python's own are read-only."""
    for owner in (User(product.user, product.declaration), Constants("cert", {}), (), "text", math):
        with pytest.raises(ScriptFault, match="can not be changed"):
            writable(owner)
    values: list[object] = []
    assert writable(values) is values
    options = Options(product.declaration, product.defaults, datetime.now(UTC))
    with pytest.raises(ScriptFault, match='There is no option "__class__"'):
        writable(options).__class__ = int
    assert options.result()[0] == product.defaults


def test_items_and_loops_are_for_plain_values_only() -> None:
    """Only the types that a script can make have items, or can be gone through."""
    with pytest.raises(ScriptFault, match="not on this value"):
        item(math, "pi")
    with pytest.raises(ScriptFault, match="A loop goes over a list, not over this value"):
        Guards(Steps(9)).turns(iter(int, 1))
    with pytest.raises(OutOfSteps, match="more than 9 steps"):
        list(Guards(Steps(9)).turns(list(range(10))))


@pytest.mark.parametrize(
    ("operator", "left", "right", "message"),
    [
        ("Mult", "a", 10**9, "more than 100,000 parts"),
        ("Mult", 10**9, [1], "more than 100,000 parts"),
        ("Mult", 2**300, 2**300, "too large"),
        ("Add", "a" * 60_000, "b" * 60_000, "more than 100,000 parts"),
        ("Add", 2**512, 1, "too large"),
        ("Mod", "%1000000000d", 1, "does not work on text"),
    ],
)
def test_no_operator_makes_much_out_of_little(
    operator: str, left: object, right: object, message: str
) -> None:
    """Text, lists and numbers have a size beyond which they do not grow."""
    with pytest.raises(ScriptFault, match=message):
        operate(operator, left, right)


def test_only_plain_values_go_into_text() -> None:
    """An f-string can not call what an object says of itself."""
    with pytest.raises(ScriptFault, match="This value can not be put into text"):
        shown(object())
    with pytest.raises(ScriptFault, match="The operator <<= is not in the language"):
        in_place("<<=", 1, 10**9)
