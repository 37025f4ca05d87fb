"""Filters (RFC 7644, 3.4.2.2): text to a typed tree, and back.

The only place of scim2-filter-parser. Its lexer and grammar are used; typed literals, limits and
the precedence of `and` over `or` are added here, because it has them not or wrong.
"""

from mobid_scim.filter.grammar import MAX_DEPTH, MAX_LENGTH, MAX_TERMS
from mobid_scim.filter.reading import always, parse, parse_each
from mobid_scim.filter.tree import (
    And,
    Comparison,
    Filter,
    JSONLiteral,
    Literal,
    Not,
    Operator,
    Or,
    Present,
    ValuePath,
    check_operators,
    operators,
    to_text,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "MAX_TERMS",
    "And",
    "Comparison",
    "Filter",
    "JSONLiteral",
    "Literal",
    "Not",
    "Operator",
    "Or",
    "Present",
    "ValuePath",
    "always",
    "check_operators",
    "operators",
    "parse",
    "parse_each",
    "to_text",
]
