"""From text to a tree, with every line that can not be read, not only the first; and no name in disguise.

Runs in the child only. A tree that comes with findings is there to look for more of them, never to be run.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mobid_scripts.names import Finding
from mobid_scripts.outcome import Code
from mobid_scripts.places import FILENAME, mark
from mobid_scripts.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_MENDED: Final = 20
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPENING: Final = re.compile(r"(if|for|while|with|try|class|match|async)\b")
_WIDE: Final = re.compile(r"[^\x00-\x7f]+")


@dataclass(slots=True)
class Parsed:
    """The tree of all lines that can be read, what is wrong with the others, and the words in those."""

    tree: ast.Module
    findings: list[Finding] = field(default_factory=list)
    words: set[str] = field(default_factory=set)


def parsed(text: str) -> Parsed:
    """Parse a text; a line that can not be read is put aside, as long as it is clear what is left then."""
    lines = text.split("\n")
    result = Parsed(ast.Module([], []))
    mended: set[int] = set()
    while len(mended) <= _MOST_MENDED:
        try:
            result.tree = ast.parse("\n".join(lines), FILENAME, "exec")
            break
        except SyntaxError as error:
            result.findings.append(unreadable(error))
            number = error.lineno or 0
            if number in mended or not _mended(lines, number, error):
                break
            result.words.update(_WORD.findall(text.split("\n")[number - 1]))
            mended.add(number)
        except (RecursionError, MemoryError, ValueError):
            clause = "The script is too deeply nested to be read"
            result.findings.append(Finding(Code.SYNTAX, clause))
            break
    return result


def unreadable(error: SyntaxError) -> Finding:
    """Return a syntax error as a finding."""
    before = max((error.offset or 1) - 1, 0)
    # The parser counts characters; the compiler knows no text, and takes its columns from nodes, in bytes.
    text = " " * (before + 1) if error.text is None else error.text
    place = mark(error.lineno or 1, text, before)
    return Finding(Code.SYNTAX, f"This can not be read: {error.msg.rstrip('.')}", place)


def _mended(lines: list[str], number: int, error: SyntaxError) -> bool:
    """Put something harmless in place of a faulty line that stands for itself; tell whether it does."""
    if not 1 <= number <= len(lines) or _inside_brackets(lines[: number - 1]):
        return False
    if isinstance(error, IndentationError):
        return _mended_indent(lines, number, error.msg)
    if re.search(r"never closed|unterminated triple|EOF", error.msg):
        return False
    line = lines[number - 1]
    opens = _next_indent(lines, number) > _indent(line)
    instead = " " * _indent(line) + _instead_of(line.strip(), opens=opens)
    lines[number - 1] = instead + (" pass" if instead.endswith(":") and not opens else "")
    return True


def _mended_indent(lines: list[str], number: int, words: str) -> bool:
    if words == "unexpected indent":
        depth = _indent(lines[number - 1])
        while number <= len(lines) and (
            _indent(lines[number - 1]) >= depth or not lines[number - 1].strip()
        ):
            lines[number - 1] = ""
            number += 1
        return True
    if (
        opened := re.fullmatch(r"expected an indented block after .* on line ([0-9]+)", words)
    ) is None:
        return False
    lines[int(opened[1]) - 1] += " pass"
    return True


def _instead_of(statement: str, *, opens: bool) -> str:
    if statement.startswith("def"):
        return "def unreadable():"
    if statement.startswith(("elif", "else")):
        return "elif 0:"
    return "for unreadable in []:" if opens or _OPENING.match(statement) else "pass"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _inside_brackets(lines: list[str]) -> bool:
    """Tell whether a statement goes on after these lines; brackets in text make us careful, no more."""
    text = "\n".join(lines)
    return sum(map(text.count, "([{")) > sum(map(text.count, ")]}")) or text.endswith("\\")


def _next_indent(lines: list[str], number: int) -> int:
    """Return how far the next line that says something is indented."""
    for line in lines[number:]:
        if line.strip() and not line.lstrip().startswith("#"):
            return _indent(line)
    return 0


def disguised(text: str) -> Iterator[Finding]:
    """Return the names beyond ASCII.

    Python reads a name in full-width letters as the plain one (NFKC), and a Cyrillic letter looks like a
    Latin one; what a reviewer sees must be what runs.
    """
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
