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
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from mobid_scim.bulk.circle import (
    StepFailed,
    attempted,
    created_together,
    fell_together,
    half_done,
)
from mobid_scim.bulk.order import in_order
from mobid_scim.bulk.references import Place, references
from mobid_scim.bulk.request import BulkOperation, BulkRequest, Method, Unreadable
from mobid_scim.bulk.result import Result
from mobid_scim.bulk.single import Done, Single, Terms
from mobid_scim.errors import Conflict, InvalidValue
from mobid_scim.service import Service
from mobid_scim.transaction import Transactional, settled
from mobid_scim.wording import quoted

CallerT = TypeVar("CallerT")
Savepoint = Callable[[], AbstractContextManager[object]]


def carry_out(
    request: BulkRequest, service: Service[CallerT], terms: Terms[CallerT]
) -> list[Result]:
    """Do what a request asks for, and return the results of what was begun.

    It is one transaction where the service has them; an error of its beginning or its end is
    raised, and then nothing is stored. Where others were in its way, it is begun again as a whole.
    """
    if service.unit is None:
        return _Work(request.operations, Single(service, terms)).run(request.fail_on_errors)
    return settled(partial(_carry_out_together, request, service, service.unit, terms))


def _carry_out_together(
    request: BulkRequest,
    service: Service[CallerT],
    unit: Transactional[CallerT],
    terms: Terms[CallerT],
) -> list[Result]:
    with unit(terms.caller) as transaction:
        bound = service.bound(transaction)
        _hold_all(request.operations, bound, terms.caller)
        work = _Work(request.operations, Single(bound, terms), transaction.savepoint)
        return work.run(request.fail_on_errors)


def _hold_all(
    operations: Sequence[BulkOperation | Unreadable], service: Service[CallerT], caller: CallerT
) -> None:
    """Hold all that a request changes, in the same order as others do, so that nobody waits in a circle.

    Were the first attempt to go its own way, each such one could end those that wait in order.
    """
    named = {
        (each.endpoint, each.resource_id)
        for each in operations
        if isinstance(each, BulkOperation) and each.resource_id is not None
    }
    for scope in service.types:
        for resource_id in sorted(name for endpoint, name in named if endpoint == scope.endpoint):
            service.hold(caller, scope, resource_id)


@dataclass(slots=True)
class _Work(Generic[CallerT]):
    """The state of a request that is being carried out."""

    operations: Sequence[BulkOperation | Unreadable]
    single: Single[CallerT]
    savepoint: Savepoint | None = None
    results: dict[int, Result] = field(default_factory=dict)
    created: dict[str, Place] = field(default_factory=dict)
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
        try:
            with nullcontext() if self.savepoint is None else self.savepoint():
                done = attempted(index, partial(self._done, self.operations[index]))
        except StepFailed as failed:
            self._fail(index, failed.error)
            return
        self.results[index] = done.result
        if name := _name_of_post(self.operations[index]):
            self.created[name] = done.place

    def _done(self, operation: BulkOperation | Unreadable) -> Done:
        """Do what one operation asks for, or raise the error of it."""
        if isinstance(operation, Unreadable):
            raise operation.error
        self._check_references(operation)
        return self.single.done(operation, self.created)

    def _circle(self, step: Sequence[int]) -> None:
        """Do all operations of a circle, or none."""
        found = ((index, self.operations[index]) for index in step)
        # What cannot be read refers to nothing, and so is in no circle.
        circle = {index: each for index, each in found if isinstance(each, BulkOperation)}
        if self.savepoint is None:
            for index in circle:
                self._fail(index, half_done(circle.values()))
            return
        created, names = dict(self.created), {str(each.bulk_id) for each in circle.values()}
        try:
            with self.savepoint():
                for index, each in circle.items():
                    attempted(index, partial(self._check_references, each, besides=names))
                results = created_together(circle, self.single, created)
        except StepFailed as failed:
            others = fell_together(circle[failed.index])
            for index in circle:
                self._fail(index, failed.error if index == failed.index else others)
        else:
            self.results |= results
            self.created = created

    def _check_references(
        self, operation: BulkOperation, besides: Collection[str] = frozenset()
    ) -> None:
        """Raise the error of a reference to what is not there, `besides` what will be."""
        posts = set(map(_name_of_post, self.operations))
        for name in sorted(references(operation) - self.created.keys() - set(besides)):
            if name in posts:
                raise Conflict(f"It refers to bulkId:{name[:64]}, and that operation has failed.")
            raise InvalidValue(f"No POST of the request has the bulkId {quoted(name)}.")

    def _fail(self, index: int, error: Exception) -> None:
        self.failures += 1
        self.results[index] = self.single.refused(self.operations[index], error, self.created)


def _name_of_post(operation: BulkOperation | Unreadable) -> str | None:
    """Return the bulkId that others may refer to; a POST that cannot be read has one as well."""
    return operation.bulk_id if operation.method == Method.POST else None


def _references(operation: BulkOperation | Unreadable) -> frozenset[str]:
    return references(operation) if isinstance(operation, BulkOperation) else frozenset()
