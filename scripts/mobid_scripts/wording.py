"""How the messages of the engine are worded: names of types, lists of choices, "did you mean"."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_KINDS: Final = {
    str: "text",
    bool: "True or False",
    int: "a number",
    float: "a number with a fraction",
    list: "a list",
    tuple: "a read-only list",
    dict: "a table",
    type(None): "None",
}


def kind_of(value: object) -> str:
    """Return what a script author would call this value."""
    return _KINDS.get(type(value), "this value")


def quoted(word: str) -> str:
    """Return a word in quotes, cut when it is long, with nothing in it that could not be printed."""
    shown = "".join(c if c.isprintable() else "?" for c in word)
    return f'"{shown}"' if len(shown) <= 60 else f'"{shown[:57]}..."'  # noqa: PLR2004 - a message stays on one line


def one_of(words: Sequence[str]) -> str:
    """Return `"a", "b" or "c"`."""
    *first, last = (quoted(word) for word in words)
    return f"{', '.join(first)} or {last}" if first else last


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "x"?` if something known is near, otherwise nothing."""
    near = difflib.get_close_matches(word[:100], list(known), 1)
    if not near:
        near = [k for k in known if k.lower() == word.lower()]
    return f'; did you mean "{near[0]}"?' if near else ""


def withheld(name: str) -> str:
    """Return the clause about an attribute that there is, but that scripts may not read."""
    return (
        f"The attribute {quoted(name)} of users is not released to scripts; ask who runs this site"
    )


def sentence(clause: str, line: int | None) -> str:
    """Make a message of a clause, with its line at the end."""
    ending = "" if clause.endswith("?") and line is None else "."
    return f"{clause} (line {line})." if line is not None else f"{clause}{ending}"
