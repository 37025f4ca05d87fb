"""The first look at the text of a script, before any parser sees it: size, brackets, lines, characters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mobid_scripts.kinds import is_plain
from mobid_scripts.names import Finding
from mobid_scripts.outcome import Code
from mobid_scripts.places import mark

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES: Final = 16 * 1024
MOST_COLUMNS: Final = 1000
MOST_NESTING: Final = 40
# They choose among the shapes of the character before them, unseen: with and without, two names look alike.
_SELECTORS: Final = frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
_CODING: Final = re.compile(r"[ \t\f]*#.*?coding[:=]")


def barrier(source: str) -> Finding | None:
    """Return why no parser may see a text at all; what else is wrong with it is told by `faults`."""
    size = len(source.encode("utf-8", "replace"))
    if size > MOST_BYTES:
        clause = f"The script has {size:,} bytes; the most is {MOST_BYTES:,}"
        return Finding(Code.SOURCE, clause)
    depth = 0
    for number, line in enumerate(_lines(source), 1):
        deepest, depth = _nesting(line, depth)
        if deepest > MOST_NESTING:
            clause = f"More than {MOST_NESTING} brackets are open at once; name the inner parts"
            return Finding(Code.SOURCE, clause, mark(number, line, 0, len(line)))
    return None


def faults(source: str) -> Iterator[Finding]:
    """Return what is wrong with the text itself."""
    for number, line in enumerate(_lines(source), 1):
        if len(line) > MOST_COLUMNS:
            clause = f"A line has {len(line):,} characters; the most is {MOST_COLUMNS:,}"
            yield Finding(Code.SOURCE, clause, mark(number, line, MOST_COLUMNS))
        for place, character in enumerate(line):
            if not _may_stand(character, is_last=place == len(line) - 1):
                clause = f"The character U+{ord(character):04X} is not allowed in a script"
                yield Finding(Code.SOURCE, clause, mark(number, line, place))
        if number <= 2 and _CODING.match(line):  # noqa: PLR2004 - where Python looks for it
            clause = "A script is always UTF-8; remove the coding comment"
            yield Finding(Code.SOURCE, clause, mark(number, line, line.index("#")))


def readable(source: str) -> str:
    """Return the text with a space for each character that may not stand in it, for a parser to go on."""
    return "\n".join(
        "".join(
            c if _may_stand(c, is_last=place == len(line) - 1) else " "
            for place, c in enumerate(line)
        )
        for line in _lines(source)
    )


def _lines(source: str) -> list[str]:
    """Return the lines: only a line feed ends one here, as in the parser, so both count alike."""
    return source.split("\n")


def _may_stand(character: str, *, is_last: bool) -> bool:
    """Tell whether a reader sees what a parser sees; Python would take a lone CR for the end of a line."""
    if character in _SELECTORS:
        return False
    return is_plain(character) or character == "\t" or (character == "\r" and is_last)


def _nesting(line: str, depth: int) -> tuple[int, int]:
    deepest = depth
    for character in line:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth = max(0, depth - 1)
    return deepest, depth
