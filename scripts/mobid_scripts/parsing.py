"""From text to a tree, with every line that can not be read, not only the first.

Runs in the child only. A tree that comes with findings is there to look for more of them, never to be run.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Final

from mobid_scripts.names import Finding
from mobid_scripts.outcome import Code
from mobid_scripts.places import FILENAME, mark

_MOST_MENDED: Final = 20
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPENING: Final = re.compile(r"(if|for|while|with|try|class|match|async)\b")


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
