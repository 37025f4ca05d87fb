"""Names that are not what they look like: what a reviewer sees must be what runs.

Python reads a name in full-width letters as the plain one (NFKC); a Cyrillic letter looks like a Latin one.
"""

from __future__ import annotations

import io
import re
import tokenize
from typing import TYPE_CHECKING, Final

from mobid_scripts.names import Finding
from mobid_scripts.outcome import Code
from mobid_scripts.places import mark
from mobid_scripts.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDE: Final = re.compile(r"[^\x00-\x7f]+")


def disguised(text: str) -> Iterator[Finding]:
    """Return the names beyond ASCII; what the parser refuses anyway is left to it."""
    if text.isascii():
        return
    told: set[tuple[int, int]] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.STRING:
                yield from _in_formatted_text(token)
            elif _is_disguise(token):
                number, place = token.start
                start, end = _word_around(token.line, place)
                if (number, start) not in told:
                    told.add((number, start))
                    yield _disguised(token.line[start:end], number, token.line, start)
    except (tokenize.TokenError, SyntaxError):
        return  # the parser says it better


def _is_disguise(token: tokenize.TokenInfo) -> bool:
    """Tell whether a token is a part of a name beyond ASCII.

    The tokenizer of Python 3.11 knows fewer letters than its parser: it takes a wide low line, or a mark
    on the letter before it, for an error in the middle of a name.
    """
    if token.type not in (tokenize.NAME, tokenize.ERRORTOKEN) or token.string.isascii():
        return False
    return _goes_on(token.string)


def _word_around(line: str, place: int) -> tuple[int, int]:
    """Return where the name begins and ends that a column is in."""
    start = end = place
    while start and _goes_on(line[start - 1]):
        start -= 1
    while end < len(line) and _goes_on(line[end]):
        end += 1
    return start, end


def _goes_on(characters: str) -> bool:
    """Tell whether a name can go on with these."""
    return f"a{characters}".isidentifier()


def _in_formatted_text(token: tokenize.TokenInfo) -> Iterator[Finding]:
    """Look into the brackets of an f-string, which are no tokens of their own before Python 3.12."""
    prefix, quote, _ = re.split(r"(['\"])", token.string, maxsplit=1)
    if "f" not in prefix.lower():
        return
    number, start = token.start
    lines = token.line.split("\n")
    for row, line in enumerate(_outside_text(token.string, len(prefix), quote).split("\n")):
        shift = start if row == 0 else 0
        whole = lines[row] if row < len(lines) else ""
        for found in _WIDE.finditer(line):
            yield _disguised(found[0], number + row, whole, found.start() + shift)


def _outside_text(string: str, start: int, quote: str) -> str:
    """Return an f-string with a space for whatever is text, and its expressions as they are."""
    shown, depth, inner, place = " " * start, 0, "", start
    while place < len(string):
        character = string[place]
        if depth == 0 and string[place : place + 2] in ("{{", "}}"):
            shown, place = shown + "  ", place + 2
            continue
        if depth and inner:
            inner = "" if character == inner else inner
        elif depth and character in "'\"" and character != quote:
            inner = character
        elif character in "{[(" and (depth or character == "{"):
            depth += 1
        elif character in "}])" and depth:
            depth -= 1
        is_code = (depth and not inner) or character == "\n"
        shown, place = shown + (character if is_code else " "), place + 1
    return shown


def _disguised(name: str, number: int, line: str, start: int) -> Finding:
    clause = f"The name {quoted(name)} is not plain ASCII; write it in a to z"
    return Finding(Code.NOT_IN_LANGUAGE, clause, mark(number, line, start, start + len(name)))
