"""What a filter is: a typed tree, and its text."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mobid_scim.errors import InvalidFilter
from mobid_scim.path import Path
from mobid_scim.resource import timestamp

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
            return f"{_name(path, inside=inside)} {operator} {literal_text(value)}"
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


def literal_text(value: Literal) -> str:
    """Return a literal as a filter has it."""
    if isinstance(value, dt.datetime):
        return json.dumps(timestamp(value))
    return json.dumps(value, ensure_ascii=False)
