"""What SCIM needs of every resource type: pages in an order, and each client's own identifiers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import (
    Column,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    type_coerce,
    update,
)

from mobid.storage.columns import Key, is_storable
from mobid.storage.scim_filter import Relation, in_row, one_related
from mobid.storage.scim_recent import among_recent
from mobid.storage.scim_values import Plain, Words, always_there
from mobid.storage.tables import external_ids
from mobid_scim.listing import SortOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Executable, Row, Select, Table

    from mobid.storage.scim_filter import Attributes, Condition, Leaf
    from mobid_scim.listing import Query

    Ordering: TypeAlias = Callable[
        [ColumnElement[Any], ColumnElement[Any]], Sequence[ColumnElement[Any]]
    ]

CLIENT: Final = bindparam("client", type_=Key)
"""Which client asks: each has identifiers of its own."""
BASE_URL: Final = bindparam("base_url", type_=Text)
"""Where clients reach us: whole addresses are part of what can be searched by."""


_OF_ALL: Final = and_(
    external_ids.c.resource_type == bindparam("its_type"),
    external_ids.c.resource_id == bindparam("its_id"),
)
_OF_ONE: Final = and_(_OF_ALL, external_ids.c.client == bindparam("its_client"))
_NAME: Final = insert(external_ids)
_RENAME: Final = update(external_ids).where(_OF_ONE)
_UNNAME: Final = delete(external_ids).where(_OF_ONE)
_FORGET: Final = delete(external_ids).where(_OF_ALL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are wanted: those that meet a condition, from a place in an order.

    `order` makes it of the columns that have the value and the id.
    """

    value: ColumnElement[Any]
    where: Condition
    order: Ordering
    count: int
    offset: int = 0


class ResourceTable:
    """A table of resources; deleted ones are not `there`, and `seen` are the columns that answers need.

    Where those that are `gone` can be counted by an index, so can all others: SQLite knows at once how
    many rows a table has.

    Its statements are built once. Who asks, and at which address, is bound when they are sent.
    """

    def __init__(
        self,
        table: Table,
        resource_type: str,
        there: Condition,
        seen: Sequence[Column[Any]],
        gone: Condition | None = None,
    ) -> None:
        self.table: Final = table
        self.resource_type: Final = resource_type
        self.there: Final = there
        mine = and_(external_ids.c.resource_id == table.c.id, *self._own())
        joined = table.outerjoin(external_ids, mine)
        self.seen: Final[Select[Any]] = select(*seen, external_ids.c.external_id).select_from(
            joined
        )
        wanted = and_(there, table.c.id == bindparam("id", type_=Key))
        self.seen_one: Final = self.seen.where(wanted)
        self.one: Final = (
            select(table, external_ids.c.external_id).select_from(joined).where(wanted)
        )
        self.one_locked: Final = self.one.with_for_update(of=table)
        number = select(func.count()).select_from(table)
        self.total: Final[Select[Any]] = (
            number.where(there)
            if gone is None
            else select(number.scalar_subquery() - number.where(gone).scalar_subquery())
        )

    def common(self) -> Mapping[str, Leaf]:
        """Return what every resource has (RFC 7643, 3.1)."""
        row = self.table.c
        meta = {
            "resourceType": Words(literal(self.resource_type)),
            "created": Plain(row.created_at),
            "lastModified": Plain(row.changed_at),
            "location": Words(address(self.resource_type, row.id)),
            "version": Words(concat('W/"', cast(row.version, Text), '"')),
        }
        return {
            "id": in_row(Words(row.id)),
            "externalId": self._external_id(),
            "meta": in_row(meta["created"]),
            **{f"meta.{name}": in_row(value) for name, value in meta.items()},
        }

    def _external_id(self) -> Leaf:
        """Return the client's own identifier of each."""
        return one_related(
            Relation(
                resource=self.table.c.id,
                owner=external_ids.c.resource_id,
                rows=external_ids,
                where=and_(*self._own()),
                subs={},
            ),
            Words(external_ids.c.external_id),
        )

    def _own(self) -> tuple[Condition, Condition]:
        return (
            external_ids.c.resource_type == self.resource_type,
            external_ids.c.client == CLIENT,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """A table of resources, as one client sees it below an address."""

    of: ResourceTable
    client: str
    base_url: str

    @property
    def resource_type(self) -> str:
        """Return what is there."""
        return self.of.resource_type

    @property
    def table(self) -> Table:
        """Return the table of the resources."""
        return self.of.table

    @property
    def asking(self) -> dict[str, str]:
        """Return what statements have to know of who asks."""
        return {CLIENT.key: self.client, BASE_URL.key: self.base_url}

    def row(
        self, connection: Connection, resource_id: str, *, lock: bool = False
    ) -> Sequence[Row[Any]]:
        """Return the whole row of a resource that is there, or no row.

        Nobody else writes a locked one until the end of the transaction.
        """
        statement = self.of.one_locked if lock else self.of.one
        return self._one(connection, statement, resource_id)

    def seen(self, connection: Connection, resource_id: str) -> Sequence[Row[Any]]:
        """Return what answers need of a resource that is there, or no row."""
        return self._one(connection, self.of.seen_one, resource_id)

    def page(
        self, connection: Connection, query: Query, attributes: Attributes
    ) -> tuple[Sequence[Row[Any]], int]:
        """Return a page, the oldest first unless the query says otherwise, and how many match in all."""
        where = self.where(connection, query, attributes)
        rows: Sequence[Row[Any]] = []
        if query.count:
            value, order = self.order(query, attributes)
            wanted = Wanted(value, where, partial(_in_order, order), query.count, query.offset)
            rows = self.rows(connection, wanted)
        if rows and len(rows) < query.count:
            return rows, query.offset + len(rows)
        return rows, self.count(connection, where)

    def where(self, connection: Connection, query: Query, attributes: Attributes) -> Condition:
        """Return what the resources of a query have in common, or raise InvalidFilter."""
        if query.filter is None:
            return self.of.there
        meant = attributes.condition(query.filter)
        return and_(self.of.there, among_recent(connection, self.table, query.filter), meant)

    def count(self, connection: Connection, where: Condition) -> int:
        """Return how many resources meet a condition."""
        counted = select(func.count()).select_from(self.table).where(where)
        total = self.of.total if where is self.of.there else counted
        number: int = connection.execute(total, self.asking).scalar_one()
        return number

    def order(self, query: Query, attributes: Attributes) -> tuple[ColumnElement[Any], SortOrder]:
        """Return what a query sorts by, and which way; the oldest come first if it does not say."""
        if query.sort_by is None:
            return self.table.c.created_at, SortOrder.ASCENDING
        return attributes.order(query.sort_by), query.sort_order

    def rows(self, connection: Connection, wanted: Wanted) -> Sequence[Row[Any]]:
        """Return what answers need of resources in an order, each with what it is `sorted_by`."""
        row_id, value = self.table.c.id, wanted.value
        if wanted.offset:
            rows = self._behind(wanted)
        else:
            rows = self.of.seen.add_columns(value.label("sorted_by")).where(wanted.where)
            rows = rows.order_by(*wanted.order(value, row_id)).limit(wanted.count)
        return connection.execute(rows, self.asking).all()

    def _behind(self, wanted: Wanted) -> Select[Any]:
        """Ask for ids first: whole rows are read for those alone, however deep they are."""
        row_id, value = self.table.c.id, wanted.value
        # Coerced to what they are: SQLAlchemy copies a mere column with all that it knows of it.
        found = select(
            type_coerce(row_id, row_id.type).label("found"),
            type_coerce(value, value.type).label("sorted_by"),
        )
        found = found.where(wanted.where).order_by(*wanted.order(value, row_id))
        page = found.offset(wanted.offset).limit(wanted.count).subquery("page").c
        rows = self.of.seen.add_columns(page.sorted_by).where(page.found == row_id)
        return rows.order_by(*wanted.order(page.sorted_by, page.found))

    def _one(
        self, connection: Connection, statement: Executable, resource_id: str
    ) -> Sequence[Row[Any]]:
        if not is_storable(resource_id):
            return []
        return connection.execute(statement, {**self.asking, "id": resource_id}).all()

    def keep_external_id(
        self, connection: Connection, resource_id: str, before: str | None, after: str | None
    ) -> None:
        """Write the client's own identifier if it is another one; a taken one is an IntegrityError."""
        mine = {"its_type": self.resource_type, "its_client": self.client, "its_id": resource_id}
        if before is None and after is not None:
            new = {
                "resource_type": self.resource_type,
                "client": self.client,
                "external_id": after,
                "resource_id": resource_id,
            }
            connection.execute(_NAME, new)
        elif after is None and before is not None:
            connection.execute(_UNNAME, mine)
        elif after != before:
            connection.execute(_RENAME, {**mine, "external_id": after})

    def forget_external_ids(self, connection: Connection, resource_id: str) -> None:
        """Free the identifiers that all clients gave to a resource."""
        connection.execute(_FORGET, {"its_type": self.resource_type, "its_id": resource_id})


def concat(*parts: ColumnElement[str] | str) -> ColumnElement[str]:
    """Return texts, one after the other, as a text."""
    whole, *others = (literal(each, Text) if isinstance(each, str) else each for each in parts)
    for other in others:
        whole = whole.concat(other)
    return whole


def address(resource_type: str, resource_id: ColumnElement[str]) -> ColumnElement[str]:
    """Return where clients reach a resource."""
    return concat(BASE_URL, f"/{resource_type}s/", resource_id)


def _in_order(
    order: SortOrder, value: ColumnElement[Any], row_id: ColumnElement[Any]
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Sort; what has no value is last, or first the other way round (RFC 7644, 3.4.2.3).

    Those that are equal have the order of their ids, so that no two pages show the same.
    """
    ascending = order is SortOrder.ASCENDING
    by_value = value.asc() if ascending else value.desc()
    if not always_there(value):
        by_value = by_value.nulls_last() if ascending else by_value.nulls_first()
    return by_value, row_id
