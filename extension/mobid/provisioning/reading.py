"""What reading has in common for all resource types: one, or a page, as one client sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobid.storage.scim_filter import OPERATORS
from mobid_scim.errors import NotFound
from mobid_scim.listing import Page
from mobid_scim.path import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from sqlalchemy import Connection, Row

    from mobid.processes.mass_changes import MassChangeGuard
    from mobid.processes.settlement import Settlement
    from mobid.provisioning.access import Caller
    from mobid.storage import SQLUnits, Transactions
    from mobid.storage.scim import Place
    from mobid.storage.scim_filter import Attributes
    from mobid_scim.filter import Operator
    from mobid_scim.listing import Query
    from mobid_scim.projection import Projection
    from mobid_scim.resource import StoredResource


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the repositories stand on; `base_url` is where clients reach them."""

    units: SQLUnits
    transactions: Transactions
    settlement: Settlement
    guard: MassChangeGuard
    order_lapses_after: timedelta
    base_url: str


@dataclass(frozen=True, slots=True)
class Repository(ABC):
    """Implements the engine's `ResourceRepository` for one caller."""

    parts: Parts
    caller: Caller

    @property
    def operators(self) -> frozenset[Operator]:
        """Return the filter operators that `search` evaluates."""
        return OPERATORS

    @property
    @abstractmethod
    def place(self) -> Place:
        """Return where the resources are."""

    @abstractmethod
    def attributes(self) -> Attributes:
        """Return what they are searched by."""

    @abstractmethod
    def shown(
        self, connection: Connection, rows: Sequence[Row[Any]], projection: Projection
    ) -> list[StoredResource]:
        """Return rows as resources, with what is costly only where it is asked for."""

    def get(self, resource_id: str, *, projection: Projection) -> StoredResource:
        """Return a resource that is not deleted, or raise NotFound."""
        with self.parts.transactions.reading() as connection:
            return self.one(connection, resource_id, projection)

    def search(self, query: Query) -> Page:
        """Return a page, the oldest first unless it is sorted; raise InvalidFilter or InvalidValue."""
        attributes = self.attributes()
        with self.parts.transactions.reading() as connection:
            rows, total = self.place.page(connection, query, attributes)
            return Page(self.shown(connection, rows, query.projection), total)

    def one(
        self, connection: Connection, resource_id: str, projection: Projection
    ) -> StoredResource:
        """Return a resource as this connection sees it, or raise NotFound."""
        return self.shown(connection, [self.row(connection, resource_id)], projection)[0]

    def row(self, connection: Connection, resource_id: str, *, lock: bool = False) -> Row[Any]:
        """Return the row of a resource, locked if asked for, or raise NotFound."""
        for row in self.place.find(connection, resource_id, lock=lock):
            return row
        raise NotFound(f"There is no {self.place.resource_type} {quoted(resource_id)}.")
