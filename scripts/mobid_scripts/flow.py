"""What a tree may not do although each part of it is in the language; a compiler finds one at a time.

A `return` outside of a function, a `break` outside of a loop, a parameter or keyword given twice.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from mobid_scripts.names import Finding
from mobid_scripts.outcome import Code
from mobid_scripts.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def faults(tree: ast.Module) -> Iterator[Finding]:
    """Return all faults of a tree that is not too deep to be walked."""
    yield from _in_statements(tree.body, in_function=False, in_loop=False)
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            yield from _given_twice((arg.arg, arg) for arg in node.args)
        elif isinstance(node, ast.Call):
            named = [(word.arg, word) for word in node.keywords if word.arg is not None]
            yield from _given_twice(named)


def _in_statements(
    statements: Iterable[ast.stmt], *, in_function: bool, in_loop: bool
) -> Iterator[Finding]:
    for statement in statements:
        if isinstance(statement, ast.Return) and not in_function:
            yield _misplaced('"return" is outside of a function', statement)
        elif isinstance(statement, (ast.Break, ast.Continue)) and not in_loop:
            word = type(statement).__name__.lower()
            yield _misplaced(f'"{word}" is outside of a loop', statement)
        elif isinstance(statement, ast.FunctionDef):
            yield from _in_statements(statement.body, in_function=True, in_loop=False)
        elif isinstance(statement, (ast.For, ast.While)):
            yield from _in_statements(statement.body, in_function=in_function, in_loop=True)
            yield from _in_statements(statement.orelse, in_function=in_function, in_loop=in_loop)
        elif isinstance(statement, ast.If):
            inner = [*statement.body, *statement.orelse]
            yield from _in_statements(inner, in_function=in_function, in_loop=in_loop)


def _given_twice(named: Iterable[tuple[str, ast.AST]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for name, node in named:
        if name in seen:
            yield _misplaced(f"{quoted(name)} is there twice", node)
        seen.add(name)


def _misplaced(clause: str, node: ast.AST) -> Finding:
    return Finding(Code.SYNTAX, clause, node)
