"""The work of a Bulk request (RFC 7644, 3.7): every operation gets a result of its own.

How references and circles between operations are carried out:

1. A reference is a bulkId that a POST of the same request has; others fail the operation.
2. Operations are put in the order of the request, but behind the POSTs that they refer to.
3. POSTs that refer to each other, or one to itself, are a circle, and are carried out together:
4. each is created without the values that refer to one that is not created yet;
5. then each that lacks values gets them by a PATCH, as by now all have their ids.
6. A circle is one savepoint: if one of its steps fails, all of its operations have failed.
   Without transactions a circle could be left half done, so it is a conflict (409) then.
7. Every other operation is a savepoint of its own, or a transaction where there are none.
8. What refers to an operation that failed is a conflict (409), and is not tried.
9. Once `failOnErrors` operations have failed, the rest is not begun, and has no result.
10. Results stand in the order of the request; what succeeded stays, whatever failed beside it.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Generic, TypeVar

from mobid_scim import wire
from mobid_scim.bulk.order import in_order
from mobid_scim.bulk.references import Created, put_off, references, resolved
from mobid_scim.bulk.request import BulkOperation, BulkRequest, Method, Unreadable
from mobid_scim.bulk.result import Result
from mobid_scim.changing import Precondition
from mobid_scim.errors import Conflict, InvalidValue, NotFound, SCIMError
from mobid_scim.patch_request import PATCH_OP
from mobid_scim.path import quoted
from mobid_scim.projection import Projection
from mobid_scim.resource import Operation, ResourceType, StoredResource, Values, location
from mobid_scim.service import Service
from mobid_scim.transaction import Transactional, Undone, settled

CallerT = TypeVar("CallerT")
StepT = TypeVar("StepT")
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


def carry_out(
    request: BulkRequest, service: Service[CallerT], terms: Terms[CallerT]
) -> list[Result]:
    """Do what a request asks for, and return the results of what was begun.

    It is one transaction where the service has them; an error of its beginning or its end is
    raised, and then nothing is stored. Where others were in its way, it is begun again as a whole.
    """
    if service.unit is None:
        return _Work(service, terms, request.operations).run(request.fail_on_errors)
    return settled(partial(_carry_out_together, request, service, service.unit, terms))


def _carry_out_together(
    request: BulkRequest,
    service: Service[CallerT],
    unit: Transactional[CallerT],
    terms: Terms[CallerT],
) -> list[Result]:
    with unit(terms.caller) as transaction:
        bound, savepoint = service.bound(transaction), transaction.savepoint
        return _Work(bound, terms, request.operations, savepoint).run(request.fail_on_errors)


class _StepFailed(Exception):
    """One operation of a circle has failed."""

    def __init__(self, index: int, error: Exception) -> None:
        super().__init__(index)
        self.index = index
        self.error = error


@dataclass(slots=True)
class _Work(Generic[CallerT]):
    """The state of a request that is being carried out."""

    service: Service[CallerT]
    terms: Terms[CallerT]
    operations: Sequence[BulkOperation | Unreadable]
    savepoint: Callable[[], AbstractContextManager[object]] | None = None
    results: dict[int, Result] = field(default_factory=dict)
    created: dict[str, Created] = field(default_factory=dict)
    failures: int = 0

    def run(self, fail_on_errors: int | None) -> list[Result]:
        needs = self._needs()
        for step in in_order(needs):
            if fail_on_errors is not None and self.failures >= fail_on_errors:
                break
            first = step[0]
            if first in needs[first] or len(step) > 1:
                self._circle(step)
            else:
                self._one(first)
        return [self.results[index] for index in sorted(self.results)]

    def _needs(self) -> list[frozenset[int]]:
        """Return, for each operation, which others it refers to."""
        at = {name: index for index, name in enumerate(map(_name_of_post, self.operations)) if name}
        return [
            frozenset(at[name] for name in _references(each) if name in at)
            for each in self.operations
        ]

    def _one(self, index: int) -> None:
        operation = self.operations[index]
        try:
            with nullcontext() if self.savepoint is None else self.savepoint():
                result, made = self._step(index, lambda: self._done(operation))
        except _StepFailed as failed:
            self._fail(index, failed.error)
            return
        self.results[index] = result
        if made is not None and operation.bulk_id is not None:
            self.created[operation.bulk_id] = made

    def _circle(self, step: Sequence[int]) -> None:
        if self.savepoint is None:
            for index in step:
                self._fail(index, _half_done([self.operations[each] for each in step]))
            return
        before = dict(self.created)
        try:
            with self.savepoint():
                results = self._created_together(step)
        except _StepFailed as failed:
            self.created = before
            others = _fell_together(self.operations[failed.index])
            for index in step:
                self._fail(index, failed.error if index == failed.index else others)
        else:
            self.results |= results

    def _created_together(self, step: Sequence[int]) -> dict[int, Result]:
        """Create what refers to each other, or raise _StepFailed."""
        circle = {name for index in step if (name := _name_of_post(self.operations[index]))}
        results: dict[int, Result] = {}
        later: dict[int, list[Values]] = {}
        for index in step:
            missing = frozenset(circle - self.created.keys())
            create = partial(self._created_without, index, missing)
            results[index], later[index] = self._step(index, create)
        for index, operations in later.items():
            if operations:
                complete = partial(self._completed, self.operations[index], operations)
                results[index] = self._step(index, complete)
        return results

    def _step(self, index: int, do: Callable[[], StepT]) -> StepT:
        """Do something for an operation; whatever goes wrong with it is the result of that one."""
        try:
            return do()
        except Undone:
            raise
        except Exception as error:
            raise _StepFailed(index, error) from error

    def _created_without(self, index: int, missing: frozenset[str]) -> tuple[Result, list[Values]]:
        """Create a resource; return what is to be patched in once `missing` is created, too."""
        operation = self.operations[index]
        if isinstance(operation, Unreadable) or not isinstance(operation.data, dict):
            return self._done(operation)[0], []
        self._check_references(operation, besides=missing)
        data, later = put_off(operation.data, missing)
        result, made = self._done(replace(operation, data=data))
        if made is not None:
            self.created[str(operation.bulk_id)] = made
        return result, later

    def _completed(self, operation: BulkOperation | Unreadable, later: list[Values]) -> Result:
        """Give a resource of a circle the values that were left out."""
        made = self.created[str(operation.bulk_id)]
        body = resolved({"schemas": [PATCH_OP], "Operations": later}, self.created)
        scope = self._scope(str(operation.path))
        stored = self.service.patch(
            self.terms.caller,
            scope,
            made.id,
            body,
            projection=self._projection(scope),
            precondition=None,
        )
        return self._written(operation, scope, stored)[0]

    def _done(self, operation: BulkOperation | Unreadable) -> tuple[Result, Created | None]:
        """Do what one operation asks for, or raise the error of it."""
        if isinstance(operation, Unreadable):
            raise operation.error
        self._check_references(operation)
        service, caller = self.service, self.terms.caller
        scope = self._scope(operation.endpoint)
        service.check_available(scope, _OPERATIONS[operation.method])
        self.terms.allow(scope, _OPERATIONS[operation.method])
        resource_id = str(resolved(operation.resource_id or "", self.created))
        if operation.method is Method.DELETE:
            service.delete(caller, scope, resource_id, _precondition(operation.tag))
            return self._result(operation, resource_id, scope), None
        return self._written(operation, scope, self._stored(operation, scope, resource_id))

    def _stored(
        self, operation: BulkOperation, scope: ResourceType, resource_id: str
    ) -> StoredResource:
        """Create, replace or patch, and return what is stored then."""
        service, caller = self.service, self.terms.caller
        data, projection = resolved(operation.data, self.created), self._projection(scope)
        if operation.method is Method.POST:
            return service.create(caller, scope, data, projection)
        change = service.replace if operation.method is Method.PUT else service.patch
        expects = _precondition(operation.tag)
        return change(caller, scope, resource_id, data, projection=projection, precondition=expects)

    def _written(
        self, operation: BulkOperation | Unreadable, scope: ResourceType, stored: StoredResource
    ) -> tuple[Result, Created]:
        result = self._result(operation, stored.id, scope)
        shown = None
        if self.terms.with_resources:
            shown = wire.resource(stored, Projection(scope), self.service.base_url)
        made = Created(stored.id, location(stored.id, scope, self.service.base_url))
        return replace(result, version=stored.version, response=shown), made

    def _result(
        self, operation: BulkOperation | Unreadable, resource_id: str, scope: ResourceType
    ) -> Result:
        return Result(
            method=operation.method,
            status=_SUCCESSES[Method(operation.method)],
            bulk_id=operation.bulk_id,
            location=location(resource_id, scope, self.service.base_url),
        )

    def _check_references(
        self, operation: BulkOperation, besides: Collection[str] = frozenset()
    ) -> None:
        """Raise the error of a reference to what is not there, `besides` what will be."""
        for name in sorted(references(operation) - self.created.keys() - set(besides)):
            if any(each.bulk_id == name and each.method == Method.POST for each in self.operations):
                raise Conflict(f"It refers to bulkId:{name[:64]}, and that operation has failed.")
            raise InvalidValue(f"No POST of the request has the bulkId {quoted(name)}.")

    def _projection(self, scope: ResourceType) -> Projection:
        whole = self.terms.with_resources
        return Projection(scope) if whole else Projection.without_rows(scope)

    def _scope(self, endpoint: str) -> ResourceType:
        for scope in self.service.types:
            if scope.endpoint == endpoint:
                return scope
        raise NotFound(f"There is no resource type at {quoted(endpoint)}.")

    def _fail(self, index: int, error: Exception) -> None:
        self.failures += 1
        operation, refused = self.operations[index], self.terms.refusal(error)
        there = operation.path is not None and operation.method != Method.POST
        self.results[index] = Result(
            method=operation.method,
            bulk_id=operation.bulk_id,
            location=f"{self.service.base_url}{self._path(operation)}" if there else None,
            status=refused.status,
            response=wire.error(refused),
        )

    def _path(self, operation: BulkOperation | Unreadable) -> str:
        if isinstance(operation, Unreadable) or operation.resource_id is None:
            return str(operation.path)
        return f"{operation.endpoint}/{resolved(operation.resource_id, self.created)}"


def _name_of_post(operation: BulkOperation | Unreadable) -> str | None:
    readable = isinstance(operation, BulkOperation)
    return operation.bulk_id if readable and operation.method is Method.POST else None


def _references(operation: BulkOperation | Unreadable) -> frozenset[str]:
    return references(operation) if isinstance(operation, BulkOperation) else frozenset()


def _precondition(tag: str | None) -> Precondition | None:
    return None if tag is None else lambda version: version == tag


def _half_done(circle: Sequence[BulkOperation | Unreadable]) -> Conflict:
    names = ", ".join(quoted(str(each.bulk_id)) for each in circle[:5])
    return Conflict(
        f"The operations {names} refer to each other, and could end half done, as there are no"
        " transactions here: create one without the reference, and send that later."
    )


def _fell_together(failed: BulkOperation | Unreadable) -> Conflict:
    name = str(failed.bulk_id)[:64]
    return Conflict(f"It refers in a circle to bulkId:{name}, and that operation has failed.")
