"""The names in a script: the words of the product and of the language, and what the script calls its own."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobid_scripts.guards import METHODS
from mobid_scripts.outcome import Code
from mobid_scripts.views import USER_METHODS
from mobid_scripts.vocabulary import BUILTINS
from mobid_scripts.wording import did_you_mean, quoted, withheld

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid_scripts.declaration import Declaration


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, the clause that tells of it, and the place."""

    code: Code
    clause: str
    node: ast.AST | None = None


class Names:
    """What each name and attribute may be: the product's words, the language's, and the script's own."""

    def __init__(self, declaration: Declaration, nodes: list[ast.AST]) -> None:
        self._reserved = {"user", "options", *BUILTINS, *declaration.constants}
        self._own = {name for node in nodes for name in _bound(node)}
        self._of: dict[str, tuple[str, ...]] = {
            "user": (*declaration.attributes, *USER_METHODS),
            "options": declaration.option_names,
            **{name: tuple(members) for name, members in declaration.constants.items()},
        }
        self._attributes = declaration.attributes
        self._withheld = {name: name for name in declaration.withheld}
        if declaration.groups in self._withheld:
            self._withheld["in_group"] = declaration.groups
        self._any = {name for names in (*self._of.values(), *METHODS.values()) for name in names}

    def faults(self, node: ast.AST) -> Iterator[Finding]:
        """Return what is wrong with the names in this node."""
        for name in _bound(node):
            if name in self._reserved:
                yield Finding(
                    Code.READ_ONLY,
                    f"{quoted(name)} belongs to the language; choose another name",
                    node,
                )
            elif name.startswith("_") and name != "_":
                yield Finding(
                    Code.NOT_IN_LANGUAGE,
                    f"The name {quoted(name)} starts with _; choose another",
                    node,
                )
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield from self._name(node)
        elif isinstance(node, ast.Attribute):
            yield from self._attribute(node)
        elif (asked := _asked_for(node)) is not None:
            yield from self._asked(asked)

    def _name(self, node: ast.Name) -> Iterator[Finding]:
        known = self._own | self._reserved
        if node.id not in known:
            near = did_you_mean(node.id, known)
            yield Finding(
                Code.UNKNOWN_NAME, f"There is nothing called {quoted(node.id)}{near}", node
            )

    def _attribute(self, node: ast.Attribute) -> Iterator[Finding]:
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        if isinstance(node.ctx, ast.Store) and owner != "options":
            yield Finding(Code.READ_ONLY, "Only options can be set: options.name = value", node)
        elif owner == "user" and node.attr in self._withheld:
            yield _withheld(self._withheld[node.attr], node)
        elif node.attr not in self._of.get(owner, self._any):
            yield self._unknown(owner, node)

    def _unknown(self, owner: str, node: ast.Attribute) -> Finding:
        near = did_you_mean(node.attr, self._of.get(owner, self._any))
        if owner == "options":
            return Finding(
                Code.UNKNOWN_OPTION, f"There is no option {quoted(node.attr)}{near}", node
            )
        thing = f"{owner} has no" if owner in self._of else "Nothing here has an"
        return Finding(Code.UNKNOWN_ATTRIBUTE, f"{thing} attribute {quoted(node.attr)}{near}", node)

    def _asked(self, asked: ast.expr) -> Iterator[Finding]:
        """`user.has("deparment")` would be False for ever; say so while somebody is looking."""
        if isinstance(asked, ast.Constant) and asked.value in self._withheld:
            yield _withheld(str(asked.value), asked)
        elif isinstance(asked, ast.Constant) and asked.value not in self._attributes:
            near = did_you_mean(str(asked.value), self._attributes)
            clause = f"user has no attribute {quoted(str(asked.value))}{near}"
            yield Finding(Code.UNKNOWN_ATTRIBUTE, clause, asked)


def _withheld(name: str, node: ast.AST) -> Finding:
    return Finding(Code.UNKNOWN_ATTRIBUTE, withheld(name), node)


def _bound(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return (node.id,)
    if isinstance(node, ast.FunctionDef):
        return (node.name,)
    return (node.arg,) if isinstance(node, ast.arg) else ()


def _asked_for(node: ast.AST) -> ast.expr | None:
    """Return what is between the brackets of `user.has(...)`."""
    match node:
        case ast.Call(func=ast.Attribute(attr="has"), args=[asked]):
            return asked
        case _:
            return None
