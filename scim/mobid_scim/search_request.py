"""What a client searches for, from a URL (RFC 7644, 3.4.2) or a SearchRequest (3.4.3)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mobid_scim.dialect import STRICT, Dialect
from mobid_scim.errors import InvalidCount, InvalidSyntax, InvalidValue, NotYetImplemented
from mobid_scim.filter import Filter, parse
from mobid_scim.listing import DEFAULT_COUNT, MAX_COUNT, Query, SortOrder
from mobid_scim.message import read_message
from mobid_scim.ordering import read_sort_by, read_sort_order
from mobid_scim.projection import Projection
from mobid_scim.resource import ResourceType, Values
from mobid_scim.wording import quoted

SEARCH_REQUEST: Final = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"

_TEXTS: Final = ("filter", "sortBy", "sortOrder", "cursor")
_LISTS: Final = ("attributes", "excludedAttributes")
_NUMBERS: Final = ("startIndex", "count")
PARAMETERS: Final = (*_TEXTS, *_LISTS, *_NUMBERS)
"""All parameters that a URL can have."""
# No database counts further, and a client that asks for it is beyond the end anyway.
_MAX_START_INDEX: Final = 2**53
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A search before it is known among which resources; its texts are as the client sent them.

    `start_index` is at least 1, `count` at least 0 and at most MAX_COUNT (RFC 7644, 3.4.2.4); None
    is what we choose. An empty `cursor` asks for the first page by cursor (RFC 9865, 2).
    """

    filter: str | None = None
    attributes: str | None = None
    excluded: str | None = None
    sort_by: str | None = None
    sort_order: SortOrder = SortOrder.ASCENDING
    start_index: int = 1
    count: int | None = None
    cursor: str | None = None

    def query(self, scope: ResourceType, dialect: Dialect = STRICT) -> Query:
        """Return the query among resources of one type, or raise the error of what is wrong."""
        found = None if self.filter is None else parse(self.filter, scope, dialect)
        return self.filtered_by(found, scope)

    def filtered_by(self, found: Filter | None, scope: ResourceType) -> Query:
        """Return the query with a filter that was parsed before."""
        if self.sort_by is not None and not scope.sorts:
            raise NotYetImplemented(f"{scope.endpoint} cannot be sorted; leave sortBy.")
        return Query(
            projection=Projection.parse(scope, self.attributes, self.excluded),
            filter=found,
            sort_by=None if self.sort_by is None else read_sort_by(self.sort_by, scope),
            sort_order=self.sort_order,
            start_index=self.start_index,
            count=DEFAULT_COUNT if self.count is None else self.count,
        )


def from_parameters(parameters: Mapping[str, str]) -> SearchRequest:
    """Read the parameters of a URL."""
    numbers = {name: _number(name, parameters[name]) for name in _NUMBERS if name in parameters}
    return _request(parameters, numbers)


def from_body(body: object) -> SearchRequest:
    """Read a SearchRequest message, or raise InvalidSyntax or InvalidValue."""
    members = read_message(body, SEARCH_REQUEST, PARAMETERS, "a SearchRequest message")
    assigned = {name: value for name, value in members.items() if value is not None}
    # No names at all are no choice, as an empty array is the same as null (RFC 7643, 2.5).
    chosen = [name for name in _LISTS if assigned.get(name, []) != []]
    texts: dict[str, str] = {}
    texts |= {name: _text(name, assigned[name]) for name in _TEXTS if name in assigned}
    texts |= {name: _names(name, assigned[name]) for name in chosen}
    return _request(texts, _integers(assigned))


def _request(texts: Mapping[str, str], numbers: Mapping[str, int]) -> SearchRequest:
    order, count = texts.get("sortOrder"), numbers.get("count")
    if "cursor" in texts and "startIndex" in numbers:
        raise InvalidValue('Send "cursor" or "startIndex", not both.')
    if "cursor" in texts and count is not None and count < 0:
        raise InvalidCount(f"count is at least 0, and at most {MAX_COUNT}.")
    return SearchRequest(
        filter=texts.get("filter"),
        attributes=texts.get("attributes"),
        excluded=texts.get("excludedAttributes"),
        sort_by=texts.get("sortBy"),
        sort_order=SortOrder.ASCENDING if order is None else read_sort_order(order),
        start_index=max(1, min(numbers.get("startIndex", 1), _MAX_START_INDEX)),
        count=None if count is None else max(0, min(count, MAX_COUNT)),
        cursor=texts.get("cursor"),
    )


def _number(name: str, text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise InvalidValue(f"{name} is an integer; {quoted(text)} is none.")
    return int(text)


def _integers(members: Values) -> Mapping[str, int]:
    found = {}
    for name in _NUMBERS:
        value = members.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            found[name] = value
        elif value is not None:
            raise InvalidValue(f"{name} is an integer, as a JSON number.")
    return found


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidSyntax(f"{name} of a SearchRequest message is a string.")
    return value


def _names(name: str, value: object) -> str:
    """Return a list of attribute names as a URL would have it."""
    names: Sequence[object] = value if isinstance(value, list) else ()
    texts = [each for each in names if isinstance(each, str)]
    if not isinstance(value, list) or len(texts) != len(value):
        raise InvalidSyntax(f"{name} of a SearchRequest message is an array of strings.")
    return ",".join(texts)
