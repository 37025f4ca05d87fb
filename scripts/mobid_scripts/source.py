"""The first look at the text of a script, before any parser sees it: size, lines, characters, brackets."""

from __future__ import annotations

import re
from typing import Final

from mobid_scripts.kinds import DIRECTION
from mobid_scripts.outcome import Code, Diagnostic
from mobid_scripts.wording import sentence

MOST_BYTES: Final = 16 * 1024
MOST_COLUMNS: Final = 1000
MOST_NESTING: Final = 40
_INVISIBLE: Final = DIRECTION | frozenset("\u200b\u200c\u2060\u2028\u2029")
_CODING: Final = re.compile(r"[ \t\f]*#.*?coding[:=]")


def faults(source: str) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the text itself; a parser may see it only if there is nothing."""
    size = len(source.encode("utf-8", "replace"))
    if size > MOST_BYTES:
        return (_fault(f"The script has {size:,} bytes; the most is {MOST_BYTES:,}", None),)
    found = []
    depth = 0
    # Only a line feed ends a line here, as in the parser; so both count alike.
    for number, line in enumerate(source.split("\n"), 1):
        if len(line) > MOST_COLUMNS:
            found.append(
                _fault(f"A line has {len(line):,} characters; the most is {MOST_COLUMNS:,}", number)
            )
        if (bad := _bad_character(line)) is not None:
            found.append(
                _fault(f"The character U+{ord(bad):04X} is not allowed in a script", number)
            )
        if number <= 2 and _CODING.match(line):  # noqa: PLR2004 - where Python looks for it
            found.append(_fault("A script is always UTF-8; remove the coding comment", number))
        deepest, depth = _nesting(line, depth)
        if deepest > MOST_NESTING:
            found.append(_fault(f"More than {MOST_NESTING} brackets are open at once", number))
            break
    return tuple(found[:20])


def _bad_character(line: str) -> str | None:
    for character in line:
        if character in _INVISIBLE or (character < " " and character not in "\t\r"):
            return character
        if "\ud800" <= character <= "\udfff":
            return character
    return None


def _nesting(line: str, depth: int) -> tuple[int, int]:
    deepest = depth
    for character in line:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth = max(0, depth - 1)
    return deepest, depth


def _fault(clause: str, line: int | None) -> Diagnostic:
    return Diagnostic(code=Code.SOURCE, message=sentence(clause, line), line=line)
