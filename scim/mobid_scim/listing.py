"""A query for resources and its page of answers (RFC 7644, 3.4.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mobid_scim.filter import Filter
from mobid_scim.path import Path
from mobid_scim.projection import Projection
from mobid_scim.resource import StoredResource

DEFAULT_COUNT: Final = 100
MAX_COUNT: Final = 1_000


class SortOrder(StrEnum):
    """The direction of a sort; what has no value comes last in the first, first in the other."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an ordered list, which stays where it is when others come and go.

    `key` is the repository's own: what the resource at that place is ordered by, ending with
    something unique. Forward, a page begins behind it; backward, a page ends in front of it.
    """

    key: tuple[str | int | float | bool | None, ...]
    backward: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to search; `start_index` counts from 1, `count` may be 0 to ask for the total only.

    `sort_by` leads to simple values: `emails.value`, never `emails`. Of several values that have
    it, the primary one counts, or else the first: see `ordering`. A repository raises InvalidValue
    for a path that it cannot sort by.
    """

    projection: Projection
    filter: Filter | None = None
    sort_by: Path | None = None
    sort_order: SortOrder = SortOrder.ASCENDING
    start_index: int = 1
    count: int = DEFAULT_COUNT
    after: Position | None = None
    """Where `seek` begins, in place of `start_index`; None is the beginning of the list."""

    @property
    def offset(self) -> int:
        """Return how many resources to skip."""
        return self.start_index - 1


@dataclass(frozen=True, slots=True)
class Page:
    """The resources of one page, in a stable order, and how many match in all.

    `seek` need not tell the total of a page that holds something. `next` and `previous` are where
    other pages are, if there are any; `seek` alone tells them.
    """

    resources: Sequence[StoredResource]
    total: int | None
    next: Position | None = None
    previous: Position | None = None
