"""What reading has in common for all resource types: one, or a page, as one client sees them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobid.storage import Contended, DatabaseUnavailable
from mobid.storage.engine import translated
from mobid.storage.scim_filter import OPERATORS
from mobid.storage.scim_seek import seek
from mobid_scim.errors import NotFound
from mobid_scim.listing import Page
from mobid_scim.transaction import Undone
from mobid_scim.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from sqlalchemy import Connection, Row

    from mobid.processes.mass_changes import MassChangeGuard
    from mobid.processes.settlement import Settlement
    from mobid.provisioning.access import Caller
    from mobid.storage import SQLUnits, Transactions
    from mobid.storage.scim import Place
    from mobid.storage.scim_filter import Attributes
    from mobid.storage.unit_of_work import SQLUnit
    from mobid_scim.filter import Operator
    from mobid_scim.listing import Query
    from mobid_scim.projection import Projection
    from mobid_scim.resource import StoredResource


@contextmanager
def undone_as_a_whole() -> Iterator[None]:
    """Tell the engine that a transaction has failed, and not what it was about to do.

    Who gave way to others in a circle of locks has good prospects; who waited in vain has waited enough.
    """
    try:
        yield
    except DatabaseUnavailable as error:
        raise Undone(error, again=isinstance(error, Contended)) from error


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
    """Implements the engine's `ResourceRepository` and `Seeks` for one caller.

    With a `unit` of somebody else, everything is read and written in that; otherwise each method
    is a transaction of its own.
    """

    parts: Parts
    caller: Caller
    unit: SQLUnit | None = None

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
        with self.reading() as connection:
            return self.one(connection, resource_id, projection)

    def search(self, query: Query) -> Page:
        """Return a page, the oldest first unless it is sorted; raise InvalidFilter or InvalidValue."""
        attributes = self.attributes()
        with self.reading() as connection:
            rows, total = self.place.page(connection, query, attributes)
            return Page(self.shown(connection, rows, query.projection), total)

    def seek(self, query: Query) -> Page:
        """Return the page at a position, in the order of `search`; raise as that does."""
        attributes = self.attributes()
        with self.reading() as connection:
            found = seek(connection, self.place, query, attributes)
            shown = self.shown(connection, found.rows, query.projection)
            return Page(shown, found.total, found.next, found.previous)

    def hold(self, resource_id: str) -> None:
        """Let nobody else write the resource until the unit ends, or raise NotFound."""
        with self.writing() as unit:
            self.keep(unit, resource_id)

    def keep(self, unit: SQLUnit, resource_id: str) -> None:
        """Lock what those who write it lock."""
        self.row(unit.connection, resource_id, lock=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with."""
        if self.unit is None:
            with self.parts.transactions.reading() as connection:
                yield connection
        else:
            with undone_as_a_whole(), translated():
                yield self.unit.connection

    @contextmanager
    def writing(self) -> Iterator[SQLUnit]:
        """Give a unit of work; unless it is somebody else's, it is committed at the end."""
        if self.unit is None:
            with undone_as_a_whole(), self.parts.units() as unit:
                yield unit
                unit.commit()
        else:
            with undone_as_a_whole(), translated():
                yield self.unit

    def one(
        self, connection: Connection, resource_id: str, projection: Projection
    ) -> StoredResource:
        """Return a resource as this connection sees it, or raise NotFound."""
        for row in self.place.seen(connection, resource_id):
            return self.shown(connection, [row], projection)[0]
        raise self._not_found(resource_id)

    def row(self, connection: Connection, resource_id: str, *, lock: bool = False) -> Row[Any]:
        """Return the whole row of a resource, locked if asked for, or raise NotFound."""
        for row in self.place.row(connection, resource_id, lock=lock):
            return row
        raise self._not_found(resource_id)

    def _not_found(self, resource_id: str) -> NotFound:
        return NotFound(f"There is no {self.place.resource_type} {quoted(resource_id)}.")
