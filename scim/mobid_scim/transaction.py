"""Several operations in one transaction: an ability that the owner of the repositories may have."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, Protocol, TypeVar

from mobid_scim.repository import ResourceRepository

CallerT = TypeVar("CallerT")
ResultT = TypeVar("ResultT")

_ATTEMPTS: Final = 5
"""Of several that wait for each other one gets through each time, so this many need no luck."""


class Undone(Exception):
    """A transaction is undone as a whole, whichever of its parts was in the way of others.

    Repositories of transactions, and transactions raise it. `reason` is what the caller is told,
    unless the same work is worth doing `again` at once, and then succeeds.
    """

    def __init__(self, reason: Exception, *, again: bool) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.again = again


def settled(do: Callable[[], ResultT]) -> ResultT:
    """Return what a transaction returns; one that is undone is begun again where that is worth it.

    That is at most five times in all; then the reason is raised. Nothing of what it does may be told
    to anybody before it ends.
    """
    for left in reversed(range(_ATTEMPTS)):
        try:
            return do()
        except Undone as undone:
            if not (undone.again and left):
                raise undone.reason from undone
    raise AssertionError("The last attempt returns, or raises.")


class Transaction(Protocol):
    """Repositories of one caller, all bound to the same transaction.

    What they write is seen by what they read, and by nobody else before the end.
    """

    def repository(self, name: str) -> ResourceRepository:
        """Return the repository of the resource type of that name; its methods commit nothing."""

    def savepoint(self) -> AbstractContextManager[object]:
        """Return a block; leaving it by an exception undoes what was done in it, and nothing else.

        Blocks are not nested. The exception goes on to whoever entered the block.
        """


Transactional = Callable[[CallerT], AbstractContextManager[Transaction]]
"""Begins a transaction. Leaving the block commits, or raises; leaving by an exception rolls back.

It may raise a SCIMError or an error of the product that the app translates: then nothing is stored.
Where it raises `Undone`, it may be begun again.
"""
