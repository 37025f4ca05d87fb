"""Filters (RFC 7644, 3.4.2.2): text to a typed tree, and back.

The only place of scim2-filter-parser. Its lexer and grammar are used; typed literals, limits and
the precedence of `and` over `or` are added here, because it has them not or wrong.
"""

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from scim2_filter_parser import ast
from scim2_filter_parser.lexer import SCIMLexer
from scim2_filter_parser.parser import SCIMParser, SCIMParserError

from mobid_scim import strict_json
from mobid_scim.attributes import Returned, Type
from mobid_scim.dialect import STRICT, Dialect
from mobid_scim.errors import InvalidFilter, MalformedJSON
from mobid_scim.path import Path, quoted, resolve, resolve_sub, shortened
from mobid_scim.resource import ResourceType, timestamp
from mobid_scim.simple_values import fits, parse_date_time, with_article

if TYPE_CHECKING:
    from sly.lex import Token

MAX_LENGTH: Final = 8192
MAX_DEPTH: Final = 32
MAX_TERMS: Final = 100

JSONLiteral: TypeAlias = str | bool | int | float | None
Literal: TypeAlias = str | bool | int | float | dt.datetime | None


class Operator(StrEnum):
    """Everything a filter can be made of; a repository says which of them it evaluates."""

    EQ = "eq"
    NE = "ne"
    CO = "co"
    SW = "sw"
    EW = "ew"
    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"
    PR = "pr"
    AND = "and"
    OR = "or"
    NOT = "not"
    VALUE_PATH = "[]"


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


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path operator value`; the value has the type of the attribute, or is None for null."""

    path: Path
    operator: Operator
    value: Literal


@dataclass(frozen=True, slots=True)
class Present:
    """`path pr`: there is a value that is not empty."""

    path: Path


@dataclass(frozen=True, slots=True)
class And:
    """All operands hold; never fewer than two, none of them an And."""

    operands: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one operand holds; never fewer than two, none of them an Or."""

    operands: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The operand does not hold."""

    operand: "Filter"


@dataclass(frozen=True, slots=True)
class ValuePath:
    """`path[filter]`: one and the same value of the attribute meets the whole filter.

    The paths inside are whole ones: `emails.type` in `emails[type eq "work"]`.
    """

    path: Path
    filter: "Filter"


Filter: TypeAlias = Comparison | Present | And | Or | Not | ValuePath


def parse(text: str, scope: ResourceType, dialect: Dialect = STRICT) -> Filter:
    """Return the tree of a filter over resources of `scope`.

    Raises InvalidFilter, which says where, for wrong syntax, unknown attributes, values that do
    not fit their attribute, and filters above the limits.
    """
    return _Reader(scope, dialect).read(_parsed(text))


def parse_each(
    text: str, scopes: Sequence[ResourceType], dialect: Dialect = STRICT
) -> list[Filter]:
    """Return the filter for each of several types, as a search over all of them reads it.

    An attribute that a type does not have has no value there (RFC 7644, 3.4.2.1): such a term is
    `id pr` where it holds, as that always does, and otherwise `not (id pr)`. An attribute that no
    type has raises InvalidFilter.
    """
    parsed = _parsed(text)
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


def operators(tree: Filter) -> Iterator[Operator]:
    """Yield every operator in the tree, so that a repository's own can be compared with them."""
    match tree:
        case Comparison(operator=operator):
            yield operator
        case Present():
            yield Operator.PR
        case And(operands) | Or(operands):
            yield Operator.AND if isinstance(tree, And) else Operator.OR
            for operand in operands:
                yield from operators(operand)
        case Not(operand):
            yield Operator.NOT
            yield from operators(operand)
        case ValuePath(filter=inner):
            yield Operator.VALUE_PATH
            yield from operators(inner)


def check_operators(tree: Filter, supported: frozenset[Operator]) -> None:
    """Raise InvalidFilter for the first operator that is not among the supported ones."""
    for operator in operators(tree):
        if operator not in supported:
            known = ", ".join(each for each in Operator if each in supported)
            raise InvalidFilter(
                f'The operator "{operator}" is not available here; available are {known}.'
            )


def to_text(tree: Filter) -> str:
    """Return the filter as text that parses to the same tree."""
    return _print(tree, inside=False)


def _print(tree: Filter, *, inside: bool) -> str:
    match tree:
        case Comparison(path, operator, value):
            return f"{_name(path, inside=inside)} {operator} {_literal(value)}"
        case Present(path):
            return f"{_name(path, inside=inside)} pr"
        case Not(operand):
            return f"not ({_print(operand, inside=inside)})"
        case ValuePath(path, inner):
            return f"{path}[{_print(inner, inside=True)}]"
        case And(operands) | Or(operands):
            word = " and " if isinstance(tree, And) else " or "
            return word.join(_operand(each, inside=inside) for each in operands)


def _operand(tree: Filter, *, inside: bool) -> str:
    text = _print(tree, inside=inside)
    return f"({text})" if isinstance(tree, And | Or) else text


def _name(path: Path, *, inside: bool) -> str:
    return path.sub.name if inside and path.sub is not None else str(path)


def _literal(value: Literal) -> str:
    if isinstance(value, dt.datetime):
        return json.dumps(timestamp(value))
    return json.dumps(value, ensure_ascii=False)


class _Lexer(SCIMLexer):
    """The library's lexer with the literals of JSON; it cuts `10` into two tokens otherwise."""

    tokens = SCIMLexer.tokens

    COMP_VALUE = r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"'
    NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.])"
    TRUE = r"(?i:true)(?![A-Za-z0-9_$:.-])"
    FALSE = r"(?i:false)(?![A-Za-z0-9_$:.-])"
    NULL = r"(?i:null)(?![A-Za-z0-9_$:.-])"


_LITERALS: Final = frozenset({"COMP_VALUE", "NUMBER", "TRUE", "FALSE", "NULL"})
_TERMS: Final = frozenset({"EQ", "NE", "CO", "SW", "EW", "GT", "GE", "LT", "LE", "PR"})
_OPENING: Final = frozenset({"LPAREN", "LBRACKET"})
_CLOSING: Final = frozenset({"RPAREN", "RBRACKET"})
_ADJACENT: Final = frozenset({"SUBATTR", "LBRACKET"})
_BEFORE_ANYTHING: Final = _OPENING | {"SCHEMA_URI", "NOT"}


def _parsed(text: str) -> ast.AST:
    if len(text) > MAX_LENGTH:
        raise InvalidFilter(f"The filter is longer than {MAX_LENGTH} characters.")
    tokens = list(_tokens(text))
    try:
        return SCIMParser().parse(iter(tokens))
    except SCIMParserError as error:
        raise _unexpected(error, tokens) from None


def _tokens(text: str) -> Iterator["Token"]:
    """Yield the tokens, counting before anything is parsed: the grammar itself has no limits."""
    depth = terms = 0
    before: Token | None = None
    for token in _lexed(text):
        depth += (token.type in _OPENING) - (token.type in _CLOSING)
        terms += token.type in _TERMS
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"The filter is nested more than {MAX_DEPTH} deep.")
        if terms > MAX_TERMS:
            raise InvalidFilter(f"The filter has more than {MAX_TERMS} comparisons.")
        _check_space(token, before)
        if token.type in _LITERALS:
            token.value = _decode(text[token.index : token.end])
        before = token
        yield token


def _check_space(token: "Token", before: "Token | None") -> None:
    """Refuse spaces where figure 1 has none, and their absence where it has one."""
    together = before is not None and token.index == before.end
    if token.type in _ADJACENT and not together:
        raise InvalidFilter(f"The filter has an unexpected space at column {token.index}.")
    if together and not (
        token.type in _ADJACENT | _CLOSING or (before and before.type in _BEFORE_ANYTHING)
    ):
        raise InvalidFilter(f"The filter lacks a space at column {token.index + 1}.")


def _lexed(text: str) -> Iterator["Token"]:
    lexer = _Lexer()
    try:
        yield from lexer.tokenize(text)
    except ValueError:
        found = quoted(text[lexer.index])
        column = lexer.index + 1
        raise InvalidFilter(f"The filter has an unexpected {found} at column {column}.") from None


def _decode(literal: str) -> JSONLiteral:
    if literal[0] not in '"-0123456789':
        return {"true": True, "false": False, "null": None}[literal.lower()]
    try:
        value: JSONLiteral = json.loads(
            literal, parse_int=strict_json.integer, parse_float=strict_json.finite_number
        )
        if isinstance(value, str):
            strict_json.check_storable(value)
    except MalformedJSON as error:
        raise InvalidFilter(
            f"The value {shortened(literal)} cannot be used: {error.reason}."
        ) from None
    return value


def _unexpected(error: SCIMParserError, tokens: list["Token"]) -> InvalidFilter:
    """Say where the grammar stopped: the library gives only the text of the token."""
    for token in tokens:
        if str(token) in str(error):
            return InvalidFilter(
                f"The filter has an unexpected {quoted(str(token.value))}"
                f" at column {token.index + 1}."
            )
    return InvalidFilter("The filter ends too early.")


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
        raise InvalidFilter(f'{path}: the operator "{operator}" does not go with {what}.')
    if value is None:
        return None
    if kind is Type.DATE_TIME and isinstance(value, str):
        moment = parse_date_time(value)
        if moment is None:
            raise InvalidFilter(f"{path}: {quoted(value)} is no dateTime with a time zone.")
        return moment
    if kind is Type.BINARY and isinstance(value, str):
        return value
    if not fits(kind, value):
        raise InvalidFilter(
            f"{path} is {with_article(kind)}; {shortened(_literal(value))} is none."
        )
    return value
