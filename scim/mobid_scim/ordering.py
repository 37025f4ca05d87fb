"""Sorting (RFC 7644, 3.4.2.3): what a client may sort by, and what the order means.

`ordered` is the reference that storage is compared with; it is not how resources are sorted.
"""

from collections.abc import Iterable
from typing import Final

from mobid_scim.attributes import Returned, Type
from mobid_scim.errors import InvalidValue
from mobid_scim.listing import SortOrder
from mobid_scim.match import comparable, values_of
from mobid_scim.path import Path, resolve
from mobid_scim.resource import Resource, ResourceType
from mobid_scim.simple_values import with_article
from mobid_scim.wording import quoted

_WITHOUT_ORDER: Final = frozenset({Type.COMPLEX, Type.BINARY})


def read_sort_by(text: str, scope: ResourceType) -> Path:
    """Return what to sort by, down to simple values, or raise InvalidValue.

    A complex attribute stands for its `value`, where it has one.
    """
    path = resolve(text, scope, error=InvalidValue)
    if path.sub is None and (value := path.attribute.sub("value")) is not None:
        path = Path(path.attribute, value, path.extension)
    leaf = path.leaf
    if Returned.NEVER in (path.attribute.returned, leaf.returned):
        raise InvalidValue(f"{path} cannot be sorted by.")
    if leaf.type in _WITHOUT_ORDER:
        subs = ", ".join(sub.name for sub in leaf.sub_attributes)
        remedy = f"; sort by one of its sub-attributes: {subs}" if subs else ""
        raise InvalidValue(f"{path} is {with_article(leaf.type)} and has no order{remedy}.")
    return path


def read_sort_order(text: str) -> SortOrder:
    """Return the direction, or raise InvalidValue."""
    if text.lower() not in list(SortOrder):
        raise InvalidValue(f"sortOrder is ascending or descending, not {quoted(text)}.")
    return SortOrder(text.lower())


def ordered(resources: Iterable[Resource], by: Path, order: SortOrder) -> list[Resource]:
    """Return the resources in order; those that are equal stay as they were.

    Strings are compared without case unless they are caseExact, and code point by code point.
    What has no value comes last when ascending, and first when descending.
    """

    def key(resource: Resource) -> tuple[bool, object]:
        value = counted(resource, by)
        return (True, 0) if value is None else (False, comparable(value, by.leaf))

    return sorted(resources, key=key, reverse=order is SortOrder.DESCENDING)


def counted(resource: Resource, by: Path) -> object:
    """Return the value that counts: of several that have it the primary one, or else the first."""
    if by.sub is None or not by.attribute.multi_valued:
        return next(iter(values_of(resource, by)), None)
    whole = Path(by.attribute, None, by.extension)
    items = [each for each in values_of(resource, whole) if isinstance(each, dict)]
    having = [each for each in items if each.get(by.sub.name) is not None]
    having.sort(key=lambda each: each.get("primary") is not True)
    return having[0][by.sub.name] if having else None
