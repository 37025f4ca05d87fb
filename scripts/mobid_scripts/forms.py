"""What is in the language in some of its forms only: plain parameters, short formats, targets that are names.

The forms that are refused are those that RestrictedPython guards least, or that a reader takes for another.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any, Final

from mobid_scripts.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_INTEGER: Final = 10**12
MOST_TEXT: Final = 2000
_FORMAT: Final = re.compile(r"[<>^]?0?[0-9]{0,2}(\.[0-9])?[dfsxX%]?")


def fault(node: ast.AST) -> str | None:
    """Return what is wrong with the form of a node, in words, or None."""
    look = _LOOKS.get(type(node))
    return None if look is None else look(node)


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


_LOOKS: Final[dict[type[ast.AST], Callable[[Any], str | None]]] = {
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
