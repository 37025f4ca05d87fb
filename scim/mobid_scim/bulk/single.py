"""One operation of a Bulk request (RFC 7644, 3.7): done as if it came alone, with a result of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from mobid_scim import wire
from mobid_scim.bulk.references import Place, resolved
from mobid_scim.bulk.request import BulkOperation, Method, Unreadable
from mobid_scim.bulk.result import Result
from mobid_scim.changing import Precondition
from mobid_scim.errors import NotFound, SCIMError
from mobid_scim.patch_request import PATCH_OP
from mobid_scim.projection import Projection
from mobid_scim.resource import Operation, ResourceType, StoredResource, Values, location
from mobid_scim.service import Service
from mobid_scim.wording import quoted

CallerT = TypeVar("CallerT")
Allow = Callable[[ResourceType, Operation], None]
"""Returns if the caller may do that, or raises."""
Refusal = Callable[[Exception], SCIMError]
"""Says what the client is told of an error."""

_OPERATIONS: Final = {
    Method.POST: Operation.CREATE,
    Method.PUT: Operation.REPLACE,
    Method.PATCH: Operation.PATCH,
    Method.DELETE: Operation.DELETE,
}
_SUCCESSES: Final = {Method.POST: 201, Method.PUT: 200, Method.PATCH: 200, Method.DELETE: 204}


@dataclass(frozen=True, slots=True)
class Terms(Generic[CallerT]):
    """Under which terms a request is carried out.

    `with_resources` asks for the resources that were written, beside their versions.
    """

    caller: CallerT
    allow: Allow
    refusal: Refusal
    with_resources: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What an operation has come to, and the resource that it was about."""

    result: Result
    place: Place


@dataclass(frozen=True, slots=True)
class Single(Generic[CallerT]):
    """Does operations at a service, one at a time.

    What refers to others is resolved by what they have `created` so far.
    """

    service: Service[CallerT]
    terms: Terms[CallerT]

    def done(self, operation: BulkOperation, created: Mapping[str, Place]) -> Done:
        """Do what an operation asks for, or raise the error of it."""
        scope = self._scope(operation.endpoint)
        self.service.check_available(scope, _OPERATIONS[operation.method])
        self.terms.allow(scope, _OPERATIONS[operation.method])
        resource_id = str(resolved(operation.resource_id or "", created))
        if operation.method is Method.DELETE:
            expects = _precondition(operation.tag)
            self.service.delete(self.terms.caller, scope, resource_id, expects)
            return self._done(operation, scope, resource_id)
        data = resolved(operation.data, created)
        return self._written(operation, scope, self._stored(operation, scope, resource_id, data))

    def completed(
        self,
        operation: BulkOperation,
        made: Place,
        later: Sequence[Values],
        created: Mapping[str, Place],
    ) -> Done:
        """Give what a POST has made the values that were left out of it, by PATCH operations."""
        scope = self._scope(operation.endpoint)
        stored = self.service.patch(
            self.terms.caller,
            scope,
            made.id,
            resolved({"schemas": [PATCH_OP], "Operations": [*later]}, created),
            projection=self._projection(scope),
            precondition=None,
        )
        return self._written(operation, scope, stored)

    def refused(
        self,
        operation: BulkOperation | Unreadable,
        error: Exception,
        created: Mapping[str, Place],
    ) -> Result:
        """Return the result of an operation that has failed; what a POST would make is nowhere."""
        refusal, path = self.terms.refusal(error), _path(operation, created)
        return Result(
            method=operation.method,
            bulk_id=operation.bulk_id,
            location=None if path is None else f"{self.service.base_url}{path}",
            status=refusal.status,
            response=wire.error(refusal),
        )

    def _stored(
        self, operation: BulkOperation, scope: ResourceType, resource_id: str, data: object
    ) -> StoredResource:
        """Create, replace or patch, and return what is stored then."""
        service, caller, projection = self.service, self.terms.caller, self._projection(scope)
        if operation.method is Method.POST:
            return service.create(caller, scope, data, projection)
        change = service.replace if operation.method is Method.PUT else service.patch
        expects = _precondition(operation.tag)
        return change(caller, scope, resource_id, data, projection=projection, precondition=expects)

    def _written(
        self, operation: BulkOperation, scope: ResourceType, stored: StoredResource
    ) -> Done:
        done = self._done(operation, scope, stored.id)
        shown = None
        if self.terms.with_resources:
            shown = wire.resource(stored, Projection(scope), self.service.base_url)
        return replace(done, result=replace(done.result, version=stored.version, response=shown))

    def _done(self, operation: BulkOperation, scope: ResourceType, resource_id: str) -> Done:
        place = Place(resource_id, location(resource_id, scope, self.service.base_url))
        result = Result(
            method=operation.method,
            status=_SUCCESSES[operation.method],
            bulk_id=operation.bulk_id,
            location=place.location,
        )
        return Done(result, place)

    def _projection(self, scope: ResourceType) -> Projection:
        whole = self.terms.with_resources
        return Projection(scope) if whole else Projection.without_rows(scope)

    def _scope(self, endpoint: str) -> ResourceType:
        for scope in self.service.types:
            if scope.endpoint == endpoint:
                return scope
        known = ", ".join(scope.endpoint for scope in self.service.types)
        raise NotFound(f"There is no resource type at {quoted(endpoint)}; there are {known}.")


def _precondition(tag: str | None) -> Precondition | None:
    return None if tag is None else lambda version: version == tag


def _path(operation: BulkOperation | Unreadable, created: Mapping[str, Place]) -> str | None:
    """Return the path of what an operation was to change, with the ids of what was created by then."""
    if isinstance(operation, Unreadable):
        return None if operation.method == Method.POST else operation.path
    if operation.resource_id is None:
        return None
    return f"{operation.endpoint}/{resolved(operation.resource_id, created)}"
