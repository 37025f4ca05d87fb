"""What a filter means: a tree and a resource to true or false.

This is the reference that storage is compared with; it is not how resources are searched.
"""

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any, Final

from mobid_scim.attributes import Attribute, Type
from mobid_scim.filter import (
    And,
    Comparison,
    Filter,
    Literal,
    Not,
    Operator,
    Or,
    Present,
    ValuePath,
)
from mobid_scim.path import Path
from mobid_scim.resource import Resource
from mobid_scim.simple_values import parse_date_time

# Only values of one type meet here: the parser saw to the literal, the schema to the value.
_ORDER: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = {
    Operator.GT: gt,
    Operator.GE: ge,
    Operator.LT: lt,
    Operator.LE: le,
}


def matches(tree: Filter, resource: Resource) -> bool:
    """Tell whether the resource meets the filter (RFC 7644, 3.4.2.2).

    Of several values one must match. An unassigned attribute equals null, differs from
    everything else, and is neither greater nor less than anything.
    """
    return _holds(tree, lambda path: values_of(resource, path))


def value_matches(tree: Filter, value: object) -> bool:
    """Tell whether one value of a multi-valued attribute meets what is in brackets."""
    return _holds(tree, _inside(value))


def _holds(tree: Filter, values_at: Callable[[Path], list[object]]) -> bool:
    match tree:
        case Comparison(path, operator, literal):
            return compare(values_at(path), path.leaf, operator, literal)
        case Present(path):
            return any(_is_present(value) for value in values_at(path))
        case And(operands):
            return all(_holds(operand, values_at) for operand in operands)
        case Or(operands):
            return any(_holds(operand, values_at) for operand in operands)
        case Not(operand):
            return not _holds(operand, values_at)
        case ValuePath(path, inner):
            return any(_holds(inner, _inside(item)) for item in values_at(path))


def compare(
    values: list[object], attribute: Attribute, operator: Operator, literal: Literal
) -> bool:
    """Tell whether one of the values compares; `ne` holds for unassigned attributes, too."""
    if literal is None:
        return (operator is Operator.EQ) == (not values)
    wanted = comparable(literal, attribute)
    found = [comparable(value, attribute) for value in values]
    match operator:
        case Operator.EQ:
            return wanted in found
        case Operator.NE:
            return not found or any(value != wanted for value in found)
        case Operator.CO | Operator.SW | Operator.EW:
            return any(_contains(str(value), operator, str(wanted)) for value in found)
        case _:
            return any(_ORDER[operator](value, wanted) for value in found)


def _contains(value: str, operator: Operator, wanted: str) -> bool:
    match operator:
        case Operator.SW:
            return value.startswith(wanted)
        case Operator.EW:
            return value.endswith(wanted)
        case _:
            return wanted in value


def comparable(value: object, attribute: Attribute) -> object:
    """Return the value as it is compared: folded unless caseExact, dateTimes as moments."""
    if not isinstance(value, str):
        return value
    if attribute.type is Type.DATE_TIME:
        return parse_date_time(value)
    exact = attribute.case_exact or attribute.type is not Type.STRING
    return value if exact else value.casefold()


def values_of(resource: Resource, path: Path) -> list[object]:
    """Return all values at a path; an unassigned one has none."""
    found = _as_list(resource.get(path.attribute.name, extension=path.extension))
    return found if path.sub is None else _subs(found, path.sub)


def _inside(item: object) -> Callable[[Path], list[object]]:
    return lambda path: _subs([item], path.leaf)


def _subs(items: list[object], sub: Attribute) -> list[object]:
    return [
        value for item in items if isinstance(item, dict) for value in _as_list(item.get(sub.name))
    ]


def _as_list(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _is_present(value: object) -> bool:
    return value not in ("", None, {}, [])
