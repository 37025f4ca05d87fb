"""The operations of the protocol over repositories: everything but HTTP."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

from mobid_scim.access import Access, Alone, Endpoint, Together
from mobid_scim.bulk.request import BulkLimits
from mobid_scim.changing import (
    Plan,
    Precondition,
    Terms,
    changed,
    expect,
    planned_patch,
    planned_put,
)
from mobid_scim.cursors import Cursors
from mobid_scim.dialect import STRICT, Dialect
from mobid_scim.errors import Conflict, NotFound, NotYetImplemented, PreconditionFailed
from mobid_scim.filter import check_operators
from mobid_scim.listing import Page, Query
from mobid_scim.projection import Projection
from mobid_scim.repository import (
    Deletes,
    ResourceRepository,
    Seeks,
    WritableRepository,
    Writes,
)
from mobid_scim.resource import Operation, ResourceType, StoredResource
from mobid_scim.transaction import Transaction, Transactional
from mobid_scim.validation import read_resource
from mobid_scim.wording import quoted

__all__ = ["Endpoint", "Me", "Service"]

CallerT = TypeVar("CallerT")
Me = Callable[[CallerT], tuple[str, str] | None]
"""Tells the type's name and the id of the resource that is the caller's own, if there is one."""

_MORE_ATTEMPTS: Final = 2
_LONGEST_ID: Final = 256


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
        names = [endpoint.type.name for endpoint in endpoints]
        if len(set(names)) != len(names):
            raise ValueError(f"Two resource types have one name, among {', '.join(names)}.")
        self.base_url = base_url.rstrip("/")
        self.endpoints: Mapping[str, Endpoint[CallerT]] = {
            endpoint.type.name: endpoint for endpoint in endpoints
        }
        self.bulk = bulk
        self.unit = unit
        self.cursors = cursors
        self.dialect_of = dialect_of
        self._me = me
        self.access: Access[CallerT] = Alone(self.endpoints, unit)
        if cursors is not None:
            self._check_seeks()

    @property
    def types(self) -> list[ResourceType]:
        """Return the resource types that are there."""
        return [endpoint.type for endpoint in self.endpoints.values()]

    def bound(self, transaction: Transaction) -> "Service[CallerT]":
        """Return the same service on the repositories of one transaction."""
        inside = copy(self)
        inside.access = Together(transaction)
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
        repository = _writable(
            self._repository(caller, scope, Operation.CREATE), scope, Operation.CREATE
        )
        new = read_resource(self.dialect_of(caller).resource(body, scope), scope)
        return self.access.settled(lambda: repository.create(new, projection=projection))

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
        plan = planned_put(body, scope, self.dialect_of(caller))
        terms = Terms(Operation.REPLACE, projection, precondition, self.base_url)
        return self._change(caller, resource_id, plan, terms)

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
        plan = planned_patch(body, scope, self.dialect_of(caller))
        terms = Terms(Operation.PATCH, projection, precondition, self.base_url)
        return self._change(caller, resource_id, plan, terms)

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
                expected = expect(stored, precondition)
            repository.delete(checked_id, expected_version=expected)

        self.access.settled(remove)

    def hold(self, caller: CallerT, scope: ResourceType, resource_id: str) -> None:
        """Let nobody else write a resource that is there until the transaction around it ends."""
        with (
            suppress(NotFound),
            self.access.holding(caller, scope, _checked_id(resource_id, scope)),
        ):
            pass

    def _change(
        self, caller: CallerT, resource_id: str, plan: Plan, terms: Terms
    ) -> StoredResource:
        """Carry out a PUT or PATCH.

        Without a precondition, a change that meets another one is computed again, from what the
        other one left, and while nobody else may write where storage can promise that.
        """
        scope, checked_id = plan.reads.scope, _checked_id(resource_id, plan.reads.scope)
        repository = self._repository(caller, scope, terms.operation)

        def alone() -> StoredResource:
            return changed(_writable(repository, scope, terms.operation), checked_id, plan, terms)

        def while_held() -> StoredResource:
            with self.access.holding(caller, scope, checked_id) as held:
                return changed(_writable(held, scope, terms.operation), checked_id, plan, terms)

        for change in (alone, *(while_held,) * _MORE_ATTEMPTS):
            try:
                return self.access.settled(change)
            except PreconditionFailed:
                if terms.precondition is not None:
                    raise
        raise Conflict(f"{scope.name} {quoted(resource_id)} keeps changing; send it again.")

    def _repository(
        self, caller: CallerT, scope: ResourceType, operation: Operation
    ) -> ResourceRepository:
        self.check_available(scope, operation)
        return self.access.repository(caller, scope)


def _writable(
    repository: ResourceRepository, scope: ResourceType, operation: Operation
) -> WritableRepository:
    if not isinstance(repository, Writes):
        raise _not_there(scope, operation)
    return repository


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
