"""The manual and the stub: everything that there is to write, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mobid.domain.users import SCRIPT_ATTRIBUTES
from mobid.optionscripts import EXPIRING_NAME, SCRIPT_NAME, manual, stub
from mobid.optionscripts.about import ATTRIBUTES, CODES, FUNCTIONS, METHODS, OPTIONS, ORIGINAL
from mobid.optionscripts.words import DECLARATION, declaration, expiring_declaration
from mobid_scripts.outcome import Code
from mobid_scripts.views import USER_METHODS
from mobid_scripts.vocabulary import BUILTINS

if TYPE_CHECKING:
    from tests.extension.optionscripts.conftest import Scripts

    from mobid_scripts.declaration import Declaration

_PAGE: Final = Path(__file__).parents[3] / "examples" / "option-scripts" / "MANUAL.md"
_PLAIN: Final = frozenset(BUILTINS) - FUNCTIONS.keys()


def test_the_page_in_the_examples_is_the_manual() -> None:
    """It is made by `mobid scripts manual`: nobody writes it."""
    assert _PAGE.read_text("utf-8") == manual()


def test_every_word_is_described_and_nothing_else() -> None:
    """What is declared to the engine has its sentence, and what has one is declared."""
    assert OPTIONS.keys() == {*DECLARATION.option_names, *expiring_declaration().option_names}
    assert ATTRIBUTES.keys() == set(SCRIPT_ATTRIBUTES)
    assert METHODS.keys() == set(USER_METHODS)
    assert CODES.keys() == set(Code)
    assert FUNCTIONS.keys() <= set(BUILTINS)


@pytest.mark.parametrize(
    "word",
    [
        *(f"`options.{name}`" for name in OPTIONS),
        *(f"`user.{name}`" for name in ATTRIBUTES),
        *(f"`user.{name}(" for name in METHODS),
        *(f"`{name}(" for name in FUNCTIONS),
        *(f"`{name}`" for name in sorted(_PLAIN)),
        *(f"`{code.value}`" for code in Code),
        "`cert.AUTHENTICATION`",
    ],
)
def test_every_word_stands_in_the_manual(word: str) -> None:
    """In the spelling in which somebody looks for it."""
    assert word in manual()


def test_what_is_as_in_python_is_python_s() -> None:
    """A stub leaves these to the checker, so they have to be there."""
    assert all(hasattr(__import__("builtins"), name) for name in _PLAIN)


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        (SCRIPT_NAME, DECLARATION),
        (SCRIPT_NAME, declaration(mail=False, released=["userName", "email"])),
        (EXPIRING_NAME, expiring_declaration()),
    ],
)
def test_the_stub_has_what_this_site_has_declared(name: str, declared: Declaration) -> None:
    """Attributes that are not released are not completed either."""
    tree = ast.parse(stub(name, declared))
    members = {node.name: _members(node) for node in tree.body if isinstance(node, ast.ClassDef)}
    assert members["Options"] == set(declared.option_names)
    assert members["User"] == {*declared.attributes, *USER_METHODS}
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert functions == FUNCTIONS.keys()


def _members(node: ast.ClassDef) -> set[str]:
    assigned = (one.target for one in node.body if isinstance(one, ast.AnnAssign))
    return {one.name for one in node.body if isinstance(one, ast.FunctionDef)} | {
        target.id for target in assigned if isinstance(target, ast.Name)
    }


@pytest.mark.parametrize("ours", [ours for _, ours, _ in ORIGINAL if "options." in ours])
def test_what_replaces_a_groovy_variable_is_a_script(ours: str, scripts: Scripts) -> None:
    """Whoever copies a cell of the table copies something that is accepted."""
    source = ours.split("`")[1]
    is_other = any(f"options.{name}" in source for name in expiring_declaration().option_names)
    if not is_other:
        assert scripts.port.check(source).outcome == "ok", source
