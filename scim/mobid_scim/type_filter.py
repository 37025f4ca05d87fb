"""Filters about the type itself: `meta.resourceType` is the same for all resources of a type."""

from typing import Final

from mobid_scim.filter import And, Comparison, Filter, Not, Or, Present, always
from mobid_scim.match import compare
from mobid_scim.resource import ResourceType

_KEY: Final = "meta.resourcetype"


def with_type_known(tree: Filter, scope: ResourceType) -> Filter:
    """Return the filter with what it says about the type decided, so that storage need not."""
    match tree:
        case Comparison(path, operator, literal) if path.key == _KEY:
            holds = compare([scope.name], path.leaf, operator, literal)
            return always(scope, holds=holds)
        case Present(path) if path.key == _KEY:
            return always(scope, holds=True)
        case And(operands):
            return And(tuple(with_type_known(each, scope) for each in operands))
        case Or(operands):
            return Or(tuple(with_type_known(each, scope) for each in operands))
        case Not(operand):
            return Not(with_type_known(operand, scope))
        case _:
            return tree
