"""What the engine needs from storage: reading, and as separate abilities writing and deleting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from mobid_scim.filter import Operator
from mobid_scim.listing import Page, Query
from mobid_scim.projection import Projection
from mobid_scim.resource import Resource, StoredResource
from mobid_scim.rows import RowChanges


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A resource before and after a PUT or PATCH; the two differ, or there are rows to change.

    `before` is the resource as the client could read it, so that a repository can tell a written
    `active` from one that was never touched; what is only read need not be in either of the two.
    Attributes that the type has `by_row` are not; `rows` says by their names what becomes of them.
    """

    id: str
    before: Resource
    after: Resource
    rows: Mapping[str, RowChanges] = field(default_factory=dict)

    @property
    def rows_only(self) -> bool:
        """Tell whether the resource itself stays as it is."""
        return self.after == self.before


class ResourceRepository(Protocol):
    """The stored resources of one type, as one caller may see them.

    Every method of this and the following protocols is one transaction, unless the repository is
    one of a `Transaction`, and may raise a SCIMError or an error of the product that the app
    translates. `projection` says which computed values the answer needs; what is given beyond that
    is cut off.
    """

    @property
    def operators(self) -> frozenset[Operator]:
        """Return the filter operators that `search` evaluates."""

    def get(self, resource_id: str, *, projection: Projection) -> StoredResource:
        """Return the resource, or raise NotFound."""

    def search(self, query: Query) -> Page:
        """Return one page in a stable order.

        A filter that cannot be evaluated raises InvalidFilter: it is never dropped, and never
        applied after paging.
        """


@runtime_checkable
class Writes(Protocol):
    """A repository whose resources clients create and change."""

    def create(self, resource: Resource, *, projection: Projection) -> StoredResource:
        """Store a new resource under a new id, or raise Uniqueness.

        The values of attributes `by_row` are in `resource.values`, and not in its document.
        """

    def replace(
        self, change: Change, *, expected_version: str | None, projection: Projection
    ) -> StoredResource:
        """Store `change.after` and its rows, or raise PreconditionFailed for another version.

        `expected_version` is None only where `change.rows_only`, and no version was asked for:
        then nothing depends on what was read, and many may add members at once. Rows that are
        already as they are wanted are no change: where there is no other, the version stays.
        """


class WritableRepository(ResourceRepository, Writes, Protocol):
    """One that can do both."""


@runtime_checkable
class Holds(Protocol):
    """A repository of a `Transaction` that can keep others from a resource."""

    def hold(self, resource_id: str) -> None:
        """Let nobody else write the resource until the transaction ends, or raise NotFound."""


@runtime_checkable
class Seeks(Protocol):
    """A repository whose lists can be walked from place to place, at the same cost however deep."""

    def seek(self, query: Query) -> Page:
        """Return the page at `query.after`, in the order of `search`, with positions around it.

        Forward, it holds up to `query.count` resources behind the position, and backward the last
        ones before it; both in the order of the list. `next` is the position of the last one, if
        more come behind it, and `previous` that of the first one, backward, if any come before it.
        With `count` 0 only the total is asked for, and otherwise it need not be told: to count may
        cost more than a page. What is there during a whole walk is met once,
        even if others come and go meanwhile, and the resource at a position is itself deleted.
        """


@runtime_checkable
class Deletes(Protocol):
    """A repository whose resources clients delete."""

    def delete(self, resource_id: str, *, expected_version: str | None) -> None:
        """Delete the resource, or raise NotFound, or PreconditionFailed."""
