"""The grammar of filters: text to the tree of scim2-filter-parser, within limits, with literals of JSON."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from scim2_filter_parser import ast
from scim2_filter_parser.lexer import SCIMLexer
from scim2_filter_parser.parser import SCIMParser, SCIMParserError

from mobid_scim import strict_json
from mobid_scim.errors import InvalidFilter, MalformedJSON
from mobid_scim.filter.tree import JSONLiteral
from mobid_scim.wording import quoted, shortened

if TYPE_CHECKING:
    from sly.lex import Token

MAX_LENGTH: Final = 8192
MAX_DEPTH: Final = 32
MAX_TERMS: Final = 100


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

# What may come behind tokens of a kind, for whoever wrote something else there.
_BEHIND: Final = {
    **dict.fromkeys(
        _TERMS - {"PR"},
        "behind an operator comes a text in double quotes, a number, true, false or null",
    ),
    **dict.fromkeys(
        ("ATTRNAME", "SUBATTR"),
        "behind an attribute comes an operator: eq, ne, co, sw, ew, gt, ge, lt, le or pr",
    ),
    **dict.fromkeys(
        _LITERALS | _CLOSING | {"PR"}, "behind a comparison comes another one, joined by and or or"
    ),
    "NOT": "behind not comes what is denied, in parentheses",
}
_AT_FIRST: Final = 'a comparison has the form userName eq "bjensen"'


def parsed(text: str) -> ast.AST:
    """Return the tree of the library, which has `and` and `or` in one precedence, or raise InvalidFilter."""
    if len(text) > MAX_LENGTH:
        raise InvalidFilter(f"The filter is longer than {MAX_LENGTH} characters.")
    tokens = list(_tokens(text))
    try:
        return SCIMParser().parse(iter(tokens))
    except SCIMParserError as error:
        raise _refusal(error, tokens) from None


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
    before: Token | None = None
    try:
        for token in lexer.tokenize(text):
            before = token
            yield token
    except ValueError:
        raise _unexpected(text[lexer.index], lexer.index, before) from None


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


def _refusal(error: SCIMParserError, tokens: list["Token"]) -> InvalidFilter:
    """Say where the grammar stopped: the library gives only the text of the token."""
    before: Token | None = None
    for token in tokens:
        if str(token) in str(error):
            return _unexpected(str(token.value), token.index, before)
        before = token
    kinds = [token.type for token in tokens]
    unclosed = sum((each in _OPENING) - (each in _CLOSING) for each in kinds)
    behind = "a bracket is not closed" if unclosed else _hint(before)
    return InvalidFilter(f"The filter ends too early; {behind}.")


def _unexpected(found: str, index: int, before: "Token | None") -> InvalidFilter:
    if found == '"':
        return InvalidFilter(
            f"The text at column {index + 1} of the filter is not closed, or has an escape that JSON"
            " does not know."
        )
    return InvalidFilter(
        f"The filter has an unexpected {quoted(found)} at column {index + 1}; {_hint(before)}."
    )


def _hint(before: "Token | None") -> str:
    return _AT_FIRST if before is None else _BEHIND.get(before.type, _AT_FIRST)
