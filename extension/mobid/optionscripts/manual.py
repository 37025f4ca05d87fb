"""The manual for authors of scripts: `manual.md`, with tables of what is declared to the engine."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from mobid.optionscripts.about import ATTRIBUTES, CODES, FUNCTIONS, METHODS, OPTIONS, ORIGINAL
from mobid.optionscripts.words import DECLARATION, expiring_declaration
from mobid_scripts.vocabulary import BUILTINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mobid_scripts.declaration import Declaration


def manual() -> str:
    """Return the whole page."""
    page = resources.files(__package__ or "mobid.optionscripts").joinpath("manual.md")
    text = page.read_text("utf-8")
    for name, part in _parts().items():
        text = text.replace(f"[[{name}]]", part)
    return text


def _parts() -> Mapping[str, str]:
    plain = (f"`{name}`" for name in BUILTINS if name not in FUNCTIONS)
    attributes = ((f"`user.{name}`", what) for name, what in ATTRIBUTES.items())
    questions = ((f"`user.{_call(one.signature)}`", one.what) for one in METHODS.values())
    functions = ((f"`{_call(one.signature)}`", one.what) for one in FUNCTIONS.values())
    codes = ((f"`{code.value}`", what) for code, what in CODES.items())
    return {
        "options": _options(DECLARATION),
        "expiring": _options(expiring_declaration()),
        "attributes": _table(("attribute", "what"), attributes),
        "questions": _table(("question", "what"), questions),
        "functions": _table(("function", "what"), functions),
        "builtins": ", ".join(plain),
        "codes": _table(("code", "what happened"), codes),
        "original": _table(("there", "here", ""), ORIGINAL),
    }


def _options(declaration: Declaration) -> str:
    rows = (
        (f"`options.{name}`", OPTIONS[name].what, OPTIONS[name].takes, OPTIONS[name].otherwise)
        for name in declaration.option_names
    )
    return _table(("option", "what for", "takes", "if it is not set"), rows)


def _call(signature: str) -> str:
    """Return a signature as a person writes a call."""
    name, _, rest = signature.partition("(")
    names = [part.partition(":")[0] for part in rest.partition(")")[0].split(", ") if part]
    return f"{name}({', '.join(names)})"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
