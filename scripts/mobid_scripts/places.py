"""Where in a script something happened: the line now, or the place of a traceback."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

FILENAME: Final = "<option script>"


@dataclass(frozen=True, slots=True)
class Place:
    """A line, counted from 1, and columns in bytes, counted from 0, as Python counts them."""

    line: int | None = None
    column: int | None = None
    end_column: int | None = None


def mark(number: int, line: str, start: int, end: int | None = None) -> ast.AST:
    """Return a part of a line, counted in characters, as a node of a tree, which counts in bytes."""
    node = ast.Pass()
    node.lineno = node.end_lineno = number
    node.col_offset = len(line[:start].encode("utf-8", "replace"))
    node.end_col_offset = len(line[: start + 1 if end is None else end].encode("utf-8", "replace"))
    return node


def line_now() -> int | None:
    """Return the line of the script that is running at this moment."""
    frame = sys._getframe()  # noqa: SLF001 - the only way to learn the line without raising
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename == FILENAME:
            return frame.f_lineno
    return None


def place_of(traceback: TracebackType | None) -> Place:
    """Return the innermost place in the script that a traceback goes through."""
    place = Place()
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename == FILENAME:
            positions = list(code.co_positions())[traceback.tb_lasti // 2]
            line, end_line, column, end_column = positions
            place = Place(traceback.tb_lineno, column, end_column if end_line == line else None)
        traceback = traceback.tb_next
    return place
