"""The operations of the protocol over repositories: everything but HTTP."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

from mobid_scim.bulk.request import BulkLimits
from mobid_scim.cursors import Cursors
from mobid_scim.dialect import STRICT, Dialect
from mobid_scim.errors import (
    Conflict,
    NotFound,
    NotYetImplemented,
    PreconditionFailed,
)
from mobid_scim.filter import check_operators
from mobid_scim.listing import Page, Query
from mobid_scim.patch import apply
from mobid_scim.patch_request import PATCH_OP, read_request
from mobid_scim.patch_rows import row_changes, rows_of
from mobid_scim.path import quoted
from mobid_scim.projection import Projection
from mobid_scim.put import replaced
from mobid_scim.repository import Change, Deletes, Holds, ResourceRepository, Seeks, Writes
from mobid_scim.resource import Operation, Resource, ResourceType, StoredResource, represent
from mobid_scim.rows import RowChanges
from mobid_scim.transaction import ResultT, Transaction, Transactional, settled
from mobid_scim.validation import read_resource

CallerT = TypeVar("CallerT")
Me = Callable[[CallerT], tuple[str, str] | None]
"""Tells the type's name and the id of the resource that is the caller's own, if there is one."""
Precondition = Callable[[str], bool]
"""Tells whether a version is one that the client accepts (If-Match)."""
_Plan = Callable[[StoredResource, Resource], Resource]
"""Makes the resource after a change from what is stored, as a whole and without rows."""

_MORE_ATTEMPTS: Final = 2
_LONGEST_ID: Final = 256


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[CallerT]):
    """A resource type and its storage, bound to whoever calls."""

    type: ResourceType
    repository: Callable[[CallerT], ResourceRepository]


@dataclass(frozen=True, slots=True)
class _Writing:
    """What a PUT and a PATCH have in common, besides the resource that they make."""

    operation: Operation
    projection: Projection
    precondition: Precondition | None
    rows: Mapping[str, RowChanges]


class Service(Generic[CallerT]):
    """What the provider offers; `base_url` is where clients reach it, and is part of locations.

    What is not given is not there, and discovery says so: `bulk` lets Bulk requests in, which are one
    transaction each where there is a `unit`; `me` knows what /Me stands for; `cursors` seal places
    in lists; `dialect_of` tells what a client is known to say otherwise than the RFCs.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint[CallerT]],
        *,
        base_url: str,
        me: Me[CallerT] = lambda _: None,
        bulk: BulkLimits | None = None,
        unit: Transactional[CallerT] | None = None,
        cursors: Cursors[CallerT] | None = None,
        dialect_of: Callable[[CallerT], Dialect] = lambda _: STRICT,
    ) -> None:
        parts = urlsplit(base_url)
        if not parts.scheme or not parts.netloc:
            raise ValueError(f'The base URL "{base_url}" of SCIM is not absolute.')
        self.base_url = base_url.rstrip("/")
        self.endpoints: Mapping[str, Endpoint[CallerT]] = {
            endpoint.type.name: endpoint for endpoint in endpoints
        }
        self.bulk = bulk
        self.unit = unit
        self.cursors = cursors
        self.dialect_of = dialect_of
        self._me = me
        self.is_bound = False
        """Whether it is a part of one transaction, which others end."""
        if cursors is not None:
            self._check_seeks()

    @property
    def types(self) -> list[ResourceType]:
        """Return the resource types that are there."""
        return [endpoint.type for endpoint in self.endpoints.values()]

    def bound(self, transaction: Transaction) -> "Service[CallerT]":
        """Return the same service on the repositories of one transaction."""
        inside = copy(self)
        inside.is_bound = True
        inside.endpoints = {
            name: Endpoint(endpoint.type, _within(transaction, name))
            for name, endpoint in self.endpoints.items()
        }
        return inside

    def me(self, caller: CallerT) -> tuple[ResourceType, str]:
        """Return which resource /Me stands for (RFC 7644, 3.11), or raise NotYetImplemented."""
        found = self._me(caller)
        if found is None:
            raise NotYetImplemented(
                "/Me is not available: no resource stands for whoever calls; use its own URL."
            )
        name, resource_id = found
        return self.endpoints[name].type, resource_id

    def _check_seeks(self) -> None:
        """Fail at once, rather than for the first client that believes discovery."""
        for scope in self.types:
            if Operation.SEARCH in scope.operations and not scope.seeks:
                raise ValueError(f"{scope.name} has no cursors, so the service cannot offer them.")

    def check_available(self, scope: ResourceType, operation: Operation) -> None:
        """Raise NotYetImplemented if the resource type has no such operation."""
        if operation not in scope.operations:
            raise _not_there(scope, operation)

    def get(
        self, caller: CallerT, scope: ResourceType, resource_id: str, projection: Projection
    ) -> StoredResource:
        """Return one resource (RFC 7644, 3.4.1), or raise NotFound."""
        repository = self._repository(caller, scope, Operation.READ)
        return repository.get(_checked_id(resource_id, scope), projection=projection)

    def search(self, caller: CallerT, scope: ResourceType, query: Query) -> Page:
        """Return a page (RFC 7644, 3.4.2); operators that storage has not are refused here."""
        repository = self._repository(caller, scope, Operation.SEARCH)
        if query.filter is not None:
            check_operators(query.filter, repository.operators)
        return repository.search(query)

    def seek(self, caller: CallerT, scope: ResourceType, query: Query) -> Page:
        """Return the page at a position (RFC 9865), as `search` does by index."""
        repository = self._repository(caller, scope, Operation.SEARCH)
        if not isinstance(repository, Seeks):
            raise NotYetImplemented(f"{scope.endpoint} has no cursors; leave cursor.")
        if query.filter is not None:
            check_operators(query.filter, repository.operators)
        return repository.seek(query)

    def create(
        self, caller: CallerT, scope: ResourceType, body: object, projection: Projection
    ) -> StoredResource:
        """Store a new resource (RFC 7644, 3.3)."""
        repository = self._writable(caller, scope, Operation.CREATE)[1]
        new = read_resource(self.dialect_of(caller).resource(body, scope), scope)
        return self._settled(lambda: repository.create(new, projection=projection))

    def replace(
        self,
        caller: CallerT,
        scope: ResourceType,
        resource_id: str,
        body: object,
        *,
        projection: Projection,
        precondition: Precondition | None,
    ) -> StoredResource:
        """Replace a resource (RFC 7644, 3.5.1), or raise NotFound: PUT creates none.

        What changes nothing is not stored, and keeps the version.
        """
        plan, rows = _planned_put(body, scope, self.dialect_of(caller))
        writing = _Writing(Operation.REPLACE, projection, precondition, rows)
        return self._change(caller, scope, resource_id, plan, writing)

    def patch(
        self,
        caller: CallerT,
        scope: ResourceType,
        resource_id: str,
        body: object,
        *,
        projection: Projection,
        precondition: Precondition | None,
    ) -> StoredResource:
        """Change a resource (RFC 7644, 3.5.2), whole or not at all.

        What changes nothing is not stored, and keeps the version.
        """
        plan, rows = _planned_patch(body, scope, self.dialect_of(caller))
        writing = _Writing(Operation.PATCH, projection, precondition, rows)
        return self._change(caller, scope, resource_id, plan, writing)

    def delete(
        self,
        caller: CallerT,
        scope: ResourceType,
        resource_id: str,
        precondition: Precondition | None,
    ) -> None:
        """Delete a resource (RFC 7644, 3.6)."""
        repository = self._repository(caller, scope, Operation.DELETE)
        if not isinstance(repository, Deletes):
            raise _not_there(scope, Operation.DELETE)
        checked_id = _checked_id(resource_id, scope)

        def remove() -> None:
            expected = None
            if precondition is not None:
                stored = repository.get(checked_id, projection=Projection(scope))
                expected = _expect(stored, precondition)
            repository.delete(checked_id, expected_version=expected)

        self._settled(remove)

    def _change(
        self,
        caller: CallerT,
        scope: ResourceType,
        resource_id: str,
        plan: _Plan,
        writing: _Writing,
    ) -> StoredResource:
        """Carry out a PUT or PATCH.

        Without a precondition, a change that meets another one is computed again, from what the
        other one left, and while nobody else may write where storage can promise that.
        """
        self._writable(caller, scope, writing.operation)
        checked_id = _checked_id(resource_id, scope)

        def alone() -> StoredResource:
            return self._changed(self._repository_of(caller, scope), checked_id, plan, writing)

        def while_held() -> StoredResource:
            with self._holding(caller, scope, checked_id) as repository:
                return self._changed(repository, checked_id, plan, writing)

        for change in (alone, *(while_held,) * _MORE_ATTEMPTS):
            try:
                return self._settled(change)
            except PreconditionFailed:
                if writing.precondition is not None:
                    raise
        raise Conflict(f"{scope.name} {quoted(resource_id)} keeps changing; send it again.")

    def _changed(
        self, repository: ResourceRepository, resource_id: str, plan: _Plan, writing: _Writing
    ) -> StoredResource:
        """Change what is stored, or raise PreconditionFailed if another change comes between."""
        scope = writing.projection.scope
        stored = repository.get(resource_id, projection=Projection.without_rows(scope))
        _expect(stored, writing.precondition)
        before = self._without_rows(stored, scope)
        after = plan(stored, before)
        change = Change(id=resource_id, before=before, after=after, rows=writing.rows)
        if change.rows_only and not change.rows:
            return repository.get(resource_id, projection=writing.projection)
        if not isinstance(repository, Writes):
            raise _not_there(scope, writing.operation)
        free = change.rows_only and writing.precondition is None
        expected = None if free else stored.version
        return repository.replace(change, expected_version=expected, projection=writing.projection)

    @contextmanager
    def _holding(
        self, caller: CallerT, scope: ResourceType, resource_id: str
    ) -> Iterator[ResourceRepository]:
        """Give a repository in a transaction in which nobody else writes the resource."""
        if self.unit is None or self.is_bound:
            repository = self._repository_of(caller, scope)
            if self.is_bound:
                _hold(repository, resource_id)
            yield repository
        else:
            with self.unit(caller) as transaction:
                repository = transaction.repository(scope.name)
                _hold(repository, resource_id)
                yield repository

    def _settled(self, do: Callable[[], ResultT]) -> ResultT:
        """Do it, again if others were in the way; a part of a transaction is not done again alone."""
        return do() if self.is_bound else settled(do)

    def _without_rows(self, stored: StoredResource, scope: ResourceType) -> Resource:
        whole = represent(stored, scope, self.base_url)
        kept = {name: value for name, value in whole.values.items() if name not in scope.by_row}
        return Resource(scope, kept)

    def _repository(
        self, caller: CallerT, scope: ResourceType, operation: Operation
    ) -> ResourceRepository:
        self.check_available(scope, operation)
        return self._repository_of(caller, scope)

    def _repository_of(self, caller: CallerT, scope: ResourceType) -> ResourceRepository:
        return self.endpoints[scope.name].repository(caller)

    def _writable(
        self, caller: CallerT, scope: ResourceType, operation: Operation
    ) -> tuple[ResourceRepository, Writes]:
        repository = self._repository(caller, scope, operation)
        if not isinstance(repository, Writes):
            raise _not_there(scope, operation)
        return repository, repository


def _planned_put(
    body: object, scope: ResourceType, dialect: Dialect
) -> tuple[_Plan, Mapping[str, RowChanges]]:
    said = dialect.resource(body, scope)
    operations = dialect.instead_of_put(said, scope)
    if operations is not None:
        message = {"schemas": [PATCH_OP], "Operations": list(operations)}
        return _planned_patch(message, scope, dialect)
    wanted = read_resource(said, scope)

    def plan(stored: StoredResource, before: Resource) -> Resource:
        return replaced(before, wanted, computed=stored.computed)

    return plan, rows_of(wanted)


def _planned_patch(
    body: object, scope: ResourceType, dialect: Dialect
) -> tuple[_Plan, Mapping[str, RowChanges]]:
    operations = read_request(body, scope, dialect)

    def plan(_: StoredResource, before: Resource) -> Resource:
        return apply(before, operations, dialect)

    return plan, row_changes(operations, scope)


def _within(transaction: Transaction, name: str) -> Callable[[object], ResourceRepository]:
    return lambda _: transaction.repository(name)


def _hold(repository: ResourceRepository, resource_id: str) -> None:
    if isinstance(repository, Holds):
        repository.hold(resource_id)


def _not_there(scope: ResourceType, operation: Operation) -> NotYetImplemented:
    there = ", ".join(sorted(scope.operations))
    return NotYetImplemented(
        f'{scope.endpoint}: the operation "{operation}" is not available; available are {there}.'
    )


def _checked_id(resource_id: str, scope: ResourceType) -> str:
    """Return the id, unless it is none of ours for sure, as one with U+0000 would be."""
    if len(resource_id) > _LONGEST_ID or not resource_id.isprintable():
        raise NotFound(f"There is no {scope.name} with such an id.")
    return resource_id


def _expect(stored: StoredResource, precondition: Precondition | None) -> str:
    if precondition is not None and not precondition(stored.version):
        raise PreconditionFailed(
            f'{quoted(stored.id)} has the version W/"{stored.version}" now; read it again.'
        )
    return stored.version
