"""The language of option scripts: its syntax and its names; every fault is found, not only the first.

This is an allow-list of our own over the tree as it was written. RestrictedPython's transformer (in
`language`) comes after it as a second net, so that an error in one of the two is not yet a way out.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from mobid_scripts import flow, forms
from mobid_scripts.names import Finding, Names
from mobid_scripts.outcome import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid_scripts.declaration import Declaration

MOST_NODES: Final = 4000
MOST_DEPTH: Final = 60

# fmt: off
_ALLOWED: Final[frozenset[type[ast.AST]]] = frozenset({
    ast.Module, ast.Expr, ast.Assign, ast.AugAssign, ast.If, ast.For, ast.Pass, ast.Break, ast.Continue,
    ast.FunctionDef, ast.arguments, ast.arg, ast.Return,
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
    ast.Is, ast.IsNot, ast.In, ast.NotIn,
    ast.Call, ast.keyword, ast.IfExp, ast.Attribute, ast.Subscript, ast.Slice, ast.Name, ast.Load, ast.Store,
    ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.List, ast.Tuple, ast.Dict,
    ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.comprehension,
})
# fmt: on
# What is only ever a part of something else, which is refused, or looked at, as a whole.
_PARTS: Final = (
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context),
    *(ast.alias, ast.withitem, ast.ExceptHandler, ast.match_case, ast.pattern),
)

_WORDS: Final = {
    "While": "while; loops run over a list: for x in [...]",
    "Import": "import; nothing needs importing, everything is already there",
    "ImportFrom": "import; nothing needs importing, everything is already there",
    "Raise": 'raise; stop with refuse("why")',
    "Assert": 'assert; stop with refuse("why")',
    "Try": 'try; an error stops the run, so ask first, for example with user.has("department")',
    "TryStar": "try; an error stops the run, so ask first",
    "ClassDef": "class; an option script is plain statements",
    "Lambda": "lambda; use def or a comprehension",
    "With": "with",
    "Delete": "del",
    "Global": "global; return the value from the function",
    "Nonlocal": "nonlocal; return the value from the function",
    "NamedExpr": "the operator :=; write the assignment on a line of its own",
    "Starred": "the star; write the values out",
    "Set": "a set; use a list [...]",
    "SetComp": "a set; use a list [...]",
    "AnnAssign": "a type after a name",
    "Match": "match; use if and elif",
    "Pow": "the operator **; write the number out",
    "LShift": "the operator <<; write the number out",
    "RShift": "the operator >>; write the number out",
    "BitOr": "the operator |; use or",
    "BitAnd": "the operator &; use and",
    "Yield": "yield; return a list",
    "YieldFrom": "yield; return a list",
    "AsyncFunctionDef": "async",
    "TypeAlias": "type",
}


def findings(tree: ast.Module, declaration: Declaration) -> list[Finding]:
    """Return every fault of the tree, in no order."""
    try:
        nodes = _walk(tree)
    except _TooMuch as too_much:
        return [too_much.finding]
    words = Names(declaration, nodes)
    found = [finding for node in nodes for finding in (*_syntax(node), *words.faults(node))]
    return [*found, *flow.faults(tree)]


class _TooMuch(Exception):
    def __init__(self, clause: str, node: ast.AST) -> None:
        self.finding = Finding(Code.SOURCE, clause, node)


def _walk(tree: ast.Module) -> list[ast.AST]:
    """Flatten the tree without recursion; a tree too large or too deep for the rest of the way ends here."""
    nodes: list[ast.AST] = []
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        nodes.append(node)
        if len(nodes) > MOST_NODES:
            raise _TooMuch(
                f"The script is too long; the most is {MOST_NODES:,} parts of expressions", node
            )
        if depth > MOST_DEPTH:
            raise _TooMuch(
                f"The script is nested more than {MOST_DEPTH} deep; use a table or a function", node
            )
        waiting.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return nodes


def _syntax(node: ast.AST) -> Iterator[Finding]:
    name = type(node).__name__
    if isinstance(node, (ast.BinOp, ast.UnaryOp, ast.AugAssign)) and type(node.op) not in _ALLOWED:
        operator = type(node.op).__name__
        yield _not_in_language(_WORDS.get(operator, f"the operator {operator}"), node)
    elif type(node) not in _ALLOWED and not isinstance(node, _PARTS):
        yield _not_in_language(_WORDS.get(name, name), node)
    elif (words := forms.fault(node)) is not None:
        yield _not_in_language(words, node.target if isinstance(node, ast.comprehension) else node)


def _not_in_language(words: str, node: ast.AST) -> Finding:
    head, _, hint = words.partition("; ")
    return Finding(
        Code.NOT_IN_LANGUAGE, f"Not in the language: {head}" + (f"; {hint}" if hint else ""), node
    )
