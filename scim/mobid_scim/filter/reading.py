"""Reading filters: the tree of the library to ours, in which paths and literals have their types.

`and` binds closer than `or` here, which the library does not know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scim2_filter_parser import ast

from mobid_scim.attributes import Returned, Type
from mobid_scim.dialect import STRICT, Dialect
from mobid_scim.errors import InvalidFilter
from mobid_scim.filter import grammar
from mobid_scim.filter.tree import (
    And,
    Comparison,
    Filter,
    Literal,
    Not,
    Operator,
    Or,
    Present,
    ValuePath,
    literal_text,
)
from mobid_scim.path import Path, resolve, resolve_sub
from mobid_scim.resource import ResourceType
from mobid_scim.simple_values import fits, misfit, parse_date_time, with_article
from mobid_scim.wording import quoted, shortened

_EQUALITY: Final = frozenset({Operator.EQ, Operator.NE})
_SUBSTRING: Final = frozenset({Operator.CO, Operator.SW, Operator.EW})
_ORDER: Final = frozenset({Operator.GT, Operator.GE, Operator.LT, Operator.LE})

_LEGAL: Final = {
    Type.STRING: _EQUALITY | _SUBSTRING | _ORDER,
    Type.REFERENCE: _EQUALITY | _SUBSTRING | _ORDER,
    Type.BINARY: _EQUALITY | _SUBSTRING,
    Type.BOOLEAN: _EQUALITY,
    Type.INTEGER: _EQUALITY | _ORDER,
    Type.DECIMAL: _EQUALITY | _ORDER,
    Type.DATE_TIME: _EQUALITY | _ORDER,
    Type.COMPLEX: frozenset[Operator](),
}


def parse(text: str, scope: ResourceType, dialect: Dialect = STRICT) -> Filter:
    """Return the tree of a filter over resources of `scope`.

    Raises InvalidFilter, which says where, for wrong syntax, unknown attributes, values that do
    not fit their attribute, and filters above the limits.
    """
    return _Reader(scope, dialect).read(grammar.parsed(text))


def parse_each(
    text: str, scopes: Sequence[ResourceType], dialect: Dialect = STRICT
) -> list[Filter]:
    """Return the filter for each of several types, as a search over all of them reads it.

    An attribute that a type does not have has no value there (RFC 7644, 3.4.2.1): such a term is
    `id pr` where it holds, as that always does, and otherwise `not (id pr)`. An attribute that no
    type has raises InvalidFilter.
    """
    parsed = grammar.parsed(text)
    missing: list[set[str]] = [set() for _ in scopes]
    trees = [
        _Reader(scope, dialect, None, names).read(parsed)
        for scope, names in zip(scopes, missing, strict=True)
    ]
    if missing and (nowhere := set.intersection(*missing)):
        raise InvalidFilter(f"No resource type has the attribute {quoted(min(nowhere))}.")
    return trees


def always(scope: ResourceType, *, holds: bool) -> Filter:
    """Return a filter that holds for every resource of a type, or for none."""
    there = Present(resolve("id", scope, error=InvalidFilter))
    return there if holds else Not(there)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the library's tree into ours; `parent` is the attribute around brackets.

    `missing` collects attributes that the type does not have; without it, they are refused.
    """

    scope: ResourceType
    dialect: Dialect
    parent: Path | None = None
    missing: set[str] | None = None

    def read(self, node: ast.AST) -> Filter:
        match node:
            case ast.Filter(namespace=ast.AttrPath() as namespace):
                return self._value_path(namespace, node.expr, None)
            case ast.Filter(negated=True):
                return Not(self.read(node.expr))
            case ast.Filter(expr=ast.LogExpr()):
                return self._chain(node)
            case ast.Filter():
                return self.read(node.expr)
            case ast.AttrExpr():
                return self._comparison(node)
        raise InvalidFilter("The filter has a form that the RFC does not know.")

    def _chain(self, node: ast.AST) -> Filter:
        """Group `a or b and c`: the library gives both operators the same precedence."""
        words: list[str] = []
        operands: list[ast.AST] = []
        while (
            isinstance(node, ast.Filter) and isinstance(node.expr, ast.LogExpr) and not node.negated
        ):
            words.append(node.expr.op.lower())
            operands.append(node.expr.expr2)
            node = node.expr.expr1
        groups = [[self.read(node)]]
        for word, operand in zip(reversed(words), reversed(operands), strict=True):
            if word == "and":
                groups[-1].append(self.read(operand))
            else:
                groups.append([self.read(operand)])
        return _join(Or, [_join(And, group) for group in groups])

    def _value_path(
        self, namespace: ast.AttrPath, inner: ast.AST, comparison: ast.AttrExpr | None
    ) -> Filter:
        """Read `emails[…]`, and `emails[…].value eq …` as one more condition inside."""
        if self.parent is not None or isinstance(namespace.attr_name, ast.Filter):
            raise InvalidFilter("Brackets inside of brackets are not allowed in a filter.")
        if namespace.sub_attr is not None and comparison is None:
            raise InvalidFilter("Brackets follow an attribute, not a sub-attribute.")
        path = self._find(ast.AttrPath(namespace.attr_name, None, namespace.uri))
        if path is None:
            return always(self.scope, holds=False)
        if not path.attribute.multi_valued or path.attribute.type is not Type.COMPLEX:
            raise InvalidFilter(f"{path} is no multi-valued complex attribute; leave the brackets.")
        inside = _Reader(self.scope, self.dialect, path)
        conditions = [inside.read(inner)]
        if comparison is not None:
            if namespace.sub_attr is None:
                raise InvalidFilter(f"Name the sub-attribute to compare after {path}[…].")
            named = ast.AttrPath(namespace.sub_attr.value, None, None)
            conditions.append(inside.compare(inside._path(named), comparison))
        return ValuePath(path, _join(And, conditions))

    def _comparison(self, node: ast.AttrExpr) -> Filter:
        if isinstance(node.attr_path.attr_name, ast.Filter):
            around = node.attr_path.attr_name
            if isinstance(around.namespace, ast.AttrPath):
                return self._value_path(around.namespace, around.expr, node)
        path = self._find(node.attr_path)
        if path is None:
            return always(self.scope, holds=_holds_without_value(node))
        return self.compare(path, node)

    def compare(self, path: Path, node: ast.AttrExpr) -> Comparison | Present:
        """Return the term with its value in the attribute's own type."""
        if Returned.NEVER in (path.attribute.returned, path.leaf.returned):
            raise InvalidFilter(f"{path} cannot be filtered by.")
        operator = Operator(node.value.lower())
        if operator is Operator.PR or node.comp_value is None:
            return Present(path)
        path = path.down_to_value()
        value = self.dialect.literal(node.comp_value.value, path.leaf)
        return Comparison(path, operator, _fit(path, operator, value))

    def _find(self, node: ast.AttrPath) -> Path | None:
        """Return the path, or None if it is missing and that is no fault."""
        try:
            return self._path(node)
        except InvalidFilter:
            if self.missing is None:
                raise
            self.missing.add(_named(node).lower())
            return None

    def _path(self, node: ast.AttrPath) -> Path:
        name = str(node.attr_name)
        if self.parent is not None:
            if node.uri is not None or node.sub_attr is not None:
                raise InvalidFilter(f"Inside of {self.parent}[…] write the sub-attribute alone.")
            sub = resolve_sub(self.parent.attribute, name, error=InvalidFilter)
            return Path(self.parent.attribute, sub, self.parent.extension)
        return resolve(_named(node), self.scope, error=InvalidFilter)


def _named(node: ast.AttrPath) -> str:
    """Return the path as the client wrote it."""
    prefix = "" if node.uri is None else f"{node.uri}:"
    suffix = "" if node.sub_attr is None else f".{node.sub_attr.value}"
    return f"{prefix}{node.attr_name}{suffix}"


def _holds_without_value(node: ast.AttrExpr) -> bool:
    """Tell whether a term holds for an attribute without a value: `match` says the same."""
    operator = Operator(node.value.lower())
    if operator is Operator.PR or node.comp_value is None:
        return False
    is_null = node.comp_value.value is None
    return operator is (Operator.EQ if is_null else Operator.NE)


def _join(kind: type[And] | type[Or], operands: list[Filter]) -> Filter:
    flat: list[Filter] = []
    for operand in operands:
        flat.extend(operand.operands if isinstance(operand, kind) else (operand,))
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def _fit(path: Path, operator: Operator, value: Literal) -> Literal:
    """Return the value as the attribute's type has it; both must suit the operator."""
    kind = path.leaf.type
    if kind is Type.COMPLEX:
        subs = ", ".join(sub.name for sub in path.leaf.sub_attributes)
        raise InvalidFilter(f"{path} is complex; compare one of its sub-attributes: {subs}.")
    if operator not in _LEGAL[kind] or (value is None and operator not in _EQUALITY):
        what = "null" if value is None else with_article(kind)
        known = ", ".join(
            each for each in Operator if each in (_EQUALITY if value is None else _LEGAL[kind])
        )
        raise InvalidFilter(
            f'{path}: the operator "{operator}" does not go with {what}; these do: {known}.'
        )
    if value is None:
        return None
    if kind is Type.DATE_TIME and isinstance(value, str):
        moment = parse_date_time(value)
        if moment is None:
            raise InvalidFilter(misfit(str(path), kind, quoted(value)))
        return moment
    if kind is Type.BINARY and isinstance(value, str):
        return value
    if not fits(kind, value):
        raise InvalidFilter(misfit(str(path), kind, shortened(literal_text(value))))
    return value
