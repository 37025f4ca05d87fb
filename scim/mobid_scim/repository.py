"""What the engine needs from storage: reading, and as separate abilities writing and deleting."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mobid_scim.filter import Operator
from mobid_scim.listing import Page, Query
from mobid_scim.projection import Projection
from mobid_scim.resource import Resource, StoredResource


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A resource before and after; the two differ.

    `before` is the whole resource as the client could read it by default, so that a repository
    can tell a written `active` from one that was never touched.
    """

    id: str
    before: Resource
    after: Resource


class ResourceRepository(Protocol):
    """The stored resources of one type, as one caller may see them.

    Every method of this and the following protocols is one transaction, and may raise a SCIMError
    or an error of the product that the app translates. `projection` says which computed values
    the answer needs; what is given beyond that is cut off.
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
        """Store a new resource under a new id, or raise Uniqueness."""

    def replace(
        self, change: Change, *, expected_version: str, projection: Projection
    ) -> StoredResource:
        """Store `change.after`, or raise PreconditionFailed if the version is another one."""


@runtime_checkable
class Deletes(Protocol):
    """A repository whose resources clients delete."""

    def delete(self, resource_id: str, *, expected_version: str | None) -> None:
        """Delete the resource, or raise NotFound, or PreconditionFailed."""
