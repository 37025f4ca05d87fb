"""How operations reach repositories: each in a transaction of its own, or all as parts of one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from mobid_scim.repository import Holds, ResourceRepository
from mobid_scim.resource import ResourceType
from mobid_scim.transaction import ResultT, Transaction, Transactional, settled

CallerT = TypeVar("CallerT")
CallerT_contra = TypeVar("CallerT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[CallerT]):
    """A resource type and its storage, bound to whoever calls."""

    type: ResourceType
    repository: Callable[[CallerT], ResourceRepository]


class Access(Protocol[CallerT_contra]):
    """What the operations of a service need of transactions."""

    def repository(self, caller: CallerT_contra, scope: ResourceType) -> ResourceRepository:
        """Return the repository of a type."""

    def holding(
        self, caller: CallerT_contra, scope: ResourceType, resource_id: str
    ) -> AbstractContextManager[ResourceRepository]:
        """Give the repository of a type while nobody else writes a resource.

        Storage promises that where it has transactions whose repositories are `Holds`.
        """

    def settled(self, do: Callable[[], ResultT]) -> ResultT:
        """Return what an operation returns; it is done again if others were in its way."""


class Alone(Generic[CallerT]):
    """Each call of a repository is a transaction; a `unit` begins one of several calls, if there is one."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint[CallerT]],
        unit: Transactional[CallerT] | None,
    ) -> None:
        self._endpoints = endpoints
        self._unit = unit

    def repository(self, caller: CallerT, scope: ResourceType) -> ResourceRepository:
        """Return the repository of a type, as a caller sees it."""
        return self._endpoints[scope.name].repository(caller)

    @contextmanager
    def holding(
        self, caller: CallerT, scope: ResourceType, resource_id: str
    ) -> Iterator[ResourceRepository]:
        """Give the repository in a transaction that holds the resource, if there are transactions."""
        if self._unit is None:
            yield self.repository(caller, scope)
        else:
            with self._unit(caller) as transaction:
                yield _held(transaction.repository(scope.name), resource_id)

    def settled(self, do: Callable[[], ResultT]) -> ResultT:
        """Begin a transaction that was undone again."""
        return settled(do)


@dataclass(frozen=True, slots=True)
class Together:
    """Everything is a part of one transaction, which others begin, end, and begin again."""

    transaction: Transaction

    def repository(self, caller: object, scope: ResourceType) -> ResourceRepository:
        """Return the repository of a type; the transaction knows whose it is."""
        del caller
        return self.transaction.repository(scope.name)

    @contextmanager
    def holding(
        self, caller: object, scope: ResourceType, resource_id: str
    ) -> Iterator[ResourceRepository]:
        """Give the repository; the resource is held until the whole transaction ends."""
        yield _held(self.repository(caller, scope), resource_id)

    def settled(self, do: Callable[[], ResultT]) -> ResultT:
        """Do it once: a part is not begun again without the others."""
        return do()


def _held(repository: ResourceRepository, resource_id: str) -> ResourceRepository:
    if isinstance(repository, Holds):
        repository.hold(resource_id)
    return repository
