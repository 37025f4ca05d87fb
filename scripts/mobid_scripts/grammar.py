"""The language of option scripts: its syntax and its names; every fault is found, not only the first.

This is an allow-list of our own over the tree as it was written. RestrictedPython's transformer (in
`language`) comes after it as a second net, so that an error in one of the two is not yet a way out.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, Final

from mobid_scripts import flow
from mobid_scripts.names import Finding, Names
from mobid_scripts.outcome import Code
from mobid_scripts.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mobid_scripts.declaration import Declaration

MOST_NODES: Final = 4000
MOST_DEPTH: Final = 60
MOST_INTEGER: Final = 10**12
MOST_TEXT: Final = 2000
_FORMAT: Final = re.compile(r"[<>^]?0?[0-9]{0,2}(\.[0-9])?[dfsxX%]?")

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
    elif (words := _closer_look(node)) is not None:
        yield _not_in_language(words, node.target if isinstance(node, ast.comprehension) else node)


def _not_in_language(words: str, node: ast.AST) -> Finding:
    head, _, hint = words.partition("; ")
    return Finding(
        Code.NOT_IN_LANGUAGE, f"Not in the language: {head}" + (f"; {hint}" if hint else ""), node
    )


def _look_function(node: ast.FunctionDef) -> str | None:
    args = node.args
    odd = (
        args.defaults,
        args.kw_defaults,
        args.vararg,
        args.kwarg,
        args.posonlyargs,
        args.kwonlyargs,
    )
    noted = node.returns or any(arg.annotation for arg in args.args)
    if any(odd) or noted or node.decorator_list or getattr(node, "type_params", None):
        return "this form of def; a function takes plain parameters: def site_of(groups):"
    return None


def _look_constant(node: ast.Constant) -> str | None:
    value = node.value
    if type(value) is int and abs(value) > MOST_INTEGER:
        return f"a number beyond {MOST_INTEGER:,}"
    if type(value) is str and len(value) > MOST_TEXT:
        return f"a text of more than {MOST_TEXT:,} characters"
    plain = value is None or type(value) in (str, int, float, bool)
    return None if plain else f"a constant of type {type(value).__name__}"


def _look_formatted(node: ast.FormattedValue) -> str | None:
    if node.conversion != -1:
        return "!r, !s and !a in an f-string; put the plain value into {...}"
    if node.format_spec is None:
        return None
    parts = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
    text = "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in parts)
    return (
        None
        if _FORMAT.fullmatch(text)
        else f"the format {quoted(text)}; use a short one such as 03d or .1f"
    )


def _look_assign(node: ast.Assign | ast.AugAssign) -> str | None:
    if isinstance(node, ast.Assign):
        return next((words for target in node.targets if (words := _look_target(target))), None)
    if isinstance(node.target, ast.Name):
        return None
    return "+= on anything but a name; write options.x = options.x + more"


def _look_loop(node: ast.For | ast.comprehension) -> str | None:
    if isinstance(node, ast.comprehension) and node.is_async:
        return "async"
    return (
        None
        if _names_only(node.target)
        else "a loop into anything but names; write for x in values"
    )


def _look_target(target: ast.expr) -> str | None:
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice):
        return "an assignment to a part of a list; make a new list: a = a[:2] + more"
    if isinstance(target, (ast.Attribute, ast.Subscript)) or _names_only(target):
        return None
    return "this target of an assignment; assign to one thing, or to plain names: a, b = pair"


def _look_compare(node: ast.Compare) -> str | None:
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        if isinstance(operator, (ast.Is, ast.IsNot)) and not (_is_one(left) or _is_one(right)):
            return (
                '"is" between values; write == or !=, since equal texts need not be the same text'
            )
        equal = isinstance(operator, (ast.Eq, ast.NotEq))
        if equal and any(_never_equal(*pair) for pair in ((left, right), (right, left))):
            return "an attribute of the user compared with [...]; write list(user.groups) == [...]"
    return None


def _is_one(side: ast.expr) -> bool:
    """Tell whether this is None, True or False, of which there is one each."""
    return isinstance(side, ast.Constant) and (side.value is None or type(side.value) is bool)


def _never_equal(one: ast.expr, other: ast.expr) -> bool:
    """Tell whether this is a list of the user's, which can not be changed, beside one that can."""
    match one:
        case ast.Attribute(value=ast.Name(id="user")):
            return isinstance(other, (ast.List, ast.ListComp))
        case _:
            return False


def _names_only(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple):
        return all(_names_only(part) for part in target.elts)
    return isinstance(target, ast.Name)


def _look_stars(node: ast.keyword | ast.Dict) -> str | None:
    stars = node.arg is None if isinstance(node, ast.keyword) else None in node.keys
    return "**; write the values out" if stars else None


def _closer_look(node: ast.AST) -> str | None:
    """Judge what is in the language in some of its forms only."""
    look = _CLOSER_LOOK.get(type(node))
    return None if look is None else look(node)


_CLOSER_LOOK: Final[dict[type[ast.AST], Callable[[Any], str | None]]] = {
    ast.FunctionDef: _look_function,
    ast.Constant: _look_constant,
    ast.FormattedValue: _look_formatted,
    ast.Assign: _look_assign,
    ast.AugAssign: _look_assign,
    ast.Compare: _look_compare,
    ast.For: _look_loop,
    ast.comprehension: _look_loop,
    ast.keyword: _look_stars,
    ast.Dict: _look_stars,
}
