"""A circle of operations: POSTs of a Bulk request that refer to each other, or one to itself.

Each is created without the values that refer to one that is not created yet; then each that lacks
values gets them by a PATCH, as by now all have their ids (RFC 7644, 3.7.2 leaves the way to us).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from mobid_scim.bulk.references import Place, put_off
from mobid_scim.bulk.request import BulkOperation
from mobid_scim.bulk.result import Result
from mobid_scim.bulk.single import Single
from mobid_scim.errors import Conflict
from mobid_scim.resource import Values
from mobid_scim.transaction import Undone
from mobid_scim.wording import quoted

CallerT = TypeVar("CallerT")
StepT = TypeVar("StepT")


class StepFailed(Exception):
    """The operation at an index of the request has failed, by an `error` of its own."""

    def __init__(self, index: int, error: Exception) -> None:
        super().__init__(index)
        self.index = index
        self.error = error


def attempted(index: int, do: Callable[[], StepT]) -> StepT:
    """Do something for an operation; whatever goes wrong then is its StepFailed.

    A transaction that is undone is no fault of one operation: `Undone` goes on as it is.
    """
    try:
        return do()
    except Undone:
        raise
    except Exception as error:
        raise StepFailed(index, error) from error


def created_together(
    circle: Mapping[int, BulkOperation], single: Single[CallerT], created: dict[str, Place]
) -> dict[int, Result]:
    """Create what refers to each other, and add it to what is `created`, or raise StepFailed."""
    made: dict[int, Place] = {}
    results: dict[int, Result] = {}
    later: dict[int, Sequence[Values]] = {}
    for index, operation in circle.items():
        missing = frozenset(map(_name, circle.values())) - created.keys()
        first, later[index] = _first_part(operation, missing)
        done = attempted(index, partial(single.done, first, created))
        results[index] = done.result
        made[index] = created[_name(operation)] = done.place
    for index, operations in later.items():
        if operations:
            rest = partial(single.completed, circle[index], made[index], operations, created)
            done = attempted(index, rest)
            results[index] = done.result
    return results


def half_done(circle: Collection[BulkOperation]) -> Conflict:
    """Return why a circle is not begun where there are no transactions."""
    names = ", ".join(quoted(_name(each)) for each in [*circle][:5])
    return Conflict(
        f"The operations {names} refer to each other, and could end half done, as there are no"
        " transactions here: create one without the reference, and send that later."
    )


def fell_together(failed: BulkOperation) -> Conflict:
    """Return why the others of a circle have failed as well."""
    return Conflict(
        f"It refers in a circle to bulkId:{_name(failed)[:64]}, and that operation has failed."
    )


def _first_part(
    operation: BulkOperation, missing: frozenset[str]
) -> tuple[BulkOperation, Sequence[Values]]:
    """Return a POST without what refers to `missing`, and the PATCH operations to add that."""
    if not isinstance(operation.data, dict):
        return operation, []
    data, later = put_off(operation.data, missing)
    return replace(operation, data=data), later


def _name(operation: BulkOperation) -> str:
    return str(operation.bulk_id)
