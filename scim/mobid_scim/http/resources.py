"""The views of resources: parse, call the service once, present."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from flask import Response, after_this_request, g

from mobid_scim import search_request, wire
from mobid_scim.dialect import Dialect
from mobid_scim.errors import NotYetImplemented
from mobid_scim.http import reading
from mobid_scim.http.answers import answer, bare, with_preference, with_version
from mobid_scim.http.reading import Return
from mobid_scim.projection import Projection
from mobid_scim.resource import Operation, ResourceType, StoredResource, location
from mobid_scim.search_request import SearchRequest
from mobid_scim.searching import find
from mobid_scim.service import Service

CallerT = TypeVar("CallerT")
Authorize = Callable[[CallerT, ResourceType, Operation], None]
"""Returns if the caller may do that, or raises Forbidden or an error that is translated."""
View = Callable[..., Response]
_CREATED: Final = 201


class ResourceViews(Generic[CallerT]):
    """The views of every registered type, and of all of them together."""

    def __init__(self, service: Service[CallerT], authorize: Authorize[CallerT]) -> None:
        self._service = service
        self._authorize = authorize

    def of_all(self, scope: ResourceType) -> Mapping[str, View]:
        """Return the views of the endpoint itself, such as /Users."""
        return {
            "GET": partial(self._search, [scope], _asked),
            "POST": partial(self._create, scope),
        }

    def of_search(self, scope: ResourceType) -> Mapping[str, View]:
        """Return the views of /.search below an endpoint (RFC 7644, 3.4.3)."""
        return {"POST": partial(self._search, [scope], _sent)}

    def of_one(self, scope: ResourceType) -> Mapping[str, View]:
        """Return the views of one resource."""
        return {
            "GET": partial(self._get, scope),
            "PUT": partial(self._change, scope, Operation.REPLACE),
            "PATCH": partial(self._change, scope, Operation.PATCH),
            "DELETE": partial(self._delete, scope),
        }

    def of_me(self) -> Mapping[str, View]:
        """Return the views of /Me, the alias of whoever calls (RFC 7644, 3.11).

        To create oneself is not there.
        """
        return {
            method: partial(self._me, method)
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        }

    def of_root(self) -> Mapping[str, View]:
        """Return the views of the root, which searches all types (RFC 7644, 3.4.2.1)."""
        return {"GET": lambda: self._search(self._searched(), _asked)}

    def of_root_search(self) -> Mapping[str, View]:
        """Return the views of /.search at the root."""
        return {"POST": lambda: self._search(self._searched(), _sent)}

    def _me(self, method: str) -> Response:
        scope, resource_id = self._service.me(g.scim_caller)
        views = self.of_one(scope)
        if method not in views:
            raise NotYetImplemented("A resource cannot be created through /Me.")
        permanent = location(resource_id, scope, self._service.base_url)

        @after_this_request
        def tell_where(response: Response) -> Response:
            response.headers["Location"] = permanent
            return response

        return views[method](resource_id=resource_id)

    def _search(
        self, scopes: Sequence[ResourceType], read: Callable[[Dialect], SearchRequest]
    ) -> Response:
        callers = [self._caller(scope, Operation.SEARCH) for scope in scopes]
        asked = read(self._service.dialect_of(callers[0]))
        found = find(self._service, callers[0], scopes, asked)
        return answer(
            wire.page(
                [self._shown(*each) for each in found.resources],
                total=found.total,
                start_index=found.start_index,
                next_cursor=found.next_cursor,
                previous_cursor=found.previous_cursor,
            )
        )

    def _searched(self) -> list[ResourceType]:
        return [each for each in self._service.types if Operation.SEARCH in each.operations]

    def _get(self, scope: ResourceType, resource_id: str) -> Response:
        caller = self._caller(scope, Operation.READ)
        projection = reading.projection(scope, self._service.dialect_of(caller))
        stored = self._service.get(caller, scope, resource_id, projection)
        if reading.is_known(stored.version) and projection.is_versioned():
            return with_version(bare(304), stored)
        return self._present(stored, projection)

    def _create(self, scope: ResourceType) -> Response:
        caller = self._caller(scope, Operation.CREATE)
        wanted = _Wanted.read(scope, self._service.dialect_of(caller))
        stored = self._service.create(caller, scope, reading.body(), wanted.needed)
        created = self._written(stored, wanted, status=201)
        created.headers["Location"] = location(stored.id, scope, self._service.base_url)
        return created

    def _change(self, scope: ResourceType, operation: Operation, resource_id: str) -> Response:
        """Answer PUT or PATCH: they differ in what the service does with the body."""
        change = self._service.patch if operation is Operation.PATCH else self._service.replace
        caller = self._caller(scope, operation)
        wanted = _Wanted.read(scope, self._service.dialect_of(caller))
        stored = change(
            caller,
            scope,
            resource_id,
            reading.body(),
            projection=wanted.needed,
            precondition=reading.precondition(),
        )
        return self._written(stored, wanted)

    def _delete(self, scope: ResourceType, resource_id: str) -> Response:
        caller = self._caller(scope, Operation.DELETE)
        reading.check_no_parameters(self._service.dialect_of(caller))
        self._service.delete(caller, scope, resource_id, reading.precondition())
        return bare(204)

    def _caller(self, scope: ResourceType, operation: Operation) -> CallerT:
        self._service.check_available(scope, operation)
        caller: CallerT = g.scim_caller
        self._authorize(caller, scope, operation)
        return caller

    def _shown(self, stored: StoredResource, projection: Projection) -> bytes:
        return wire.resource(stored, projection, self._service.base_url)

    def _written(self, stored: StoredResource, wanted: "_Wanted", *, status: int = 200) -> Response:
        """Answer with what was written, or with its version alone."""
        if wanted.minimal:
            written = bare(status if status == _CREATED else 204)
            return with_preference(with_version(written, stored), wanted.preferred)
        return with_preference(
            self._present(stored, wanted.projection, status=status), wanted.preferred
        )

    def _present(
        self, stored: StoredResource, projection: Projection, *, status: int = 200
    ) -> Response:
        return with_version(answer(self._shown(stored, projection), status=status), stored)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a client that writes wants to see afterwards."""

    projection: Projection
    preferred: Return | None

    @classmethod
    def read(cls, scope: ResourceType, dialect: Dialect) -> "_Wanted":
        return cls(reading.projection(scope, dialect), reading.preferred_return())

    @property
    def minimal(self) -> bool:
        return self.preferred is Return.MINIMAL

    @property
    def needed(self) -> Projection:
        """Return what storage has to read: no rows for an answer without a body."""
        scope = self.projection.scope
        return Projection.without_rows(scope) if self.minimal else self.projection


def _asked(dialect: Dialect) -> SearchRequest:
    """Read a search from the URL."""
    return search_request.from_parameters(reading.parameters(dialect))


def _sent(dialect: Dialect) -> SearchRequest:
    """Read a search from the body, which says all."""
    reading.check_no_parameters(dialect)
    return search_request.from_body(reading.body())
