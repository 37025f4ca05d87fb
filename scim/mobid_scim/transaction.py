"""Several operations in one transaction: an ability that the owner of the repositories may have."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from mobid_scim.repository import ResourceRepository

CallerT = TypeVar("CallerT")


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
"""
