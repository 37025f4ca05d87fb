"""What SCIM needs of every resource type: filters as SQL, pages, and each client's own identifiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, false, func, insert, not_, select, true

from mobid.storage.columns import is_storable
from mobid.storage.tables import external_ids
from mobid_scim.errors import InvalidFilter
from mobid_scim.filter import And, Comparison, Filter, Literal, Operator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table

    Condition = ColumnElement[bool]
    Term = Callable[[Literal], Condition]
    Terms = Mapping[str, Term]
    """What `path eq literal` is in SQL, by the path as its definitions spell it."""

OPERATORS: Final = frozenset({Operator.EQ, Operator.AND})


def condition(tree: Filter | None, terms: Terms) -> Condition:
    """Return a filter as SQL; raise InvalidFilter, which says what can be filtered by."""
    match tree:
        case None:
            return true()
        case And(operands):
            return and_(*(condition(operand, terms) for operand in operands))
        case Comparison(path, Operator.EQ, literal) if term := terms.get(str(path)):
            return term(literal)
        case Comparison(path):
            known = ", ".join(terms)
            raise InvalidFilter(f"{path} cannot be filtered by here; what can: {known}.")
    raise InvalidFilter("A filter here is made of comparisons by eq, and of and.")


def exact(column: Column[Any]) -> Term:
    """Compare with a column as it is. What no column could hold is equal to nothing."""

    def term(literal: Literal) -> Condition:
        if isinstance(literal, str) and not is_storable(literal):
            return false()
        return column.is_(None) if literal is None else column == literal

    return term


def folded(column: Column[Any]) -> Term:
    """Compare with a column of case-folded keys."""
    return lambda literal: exact(column)(
        literal.casefold() if isinstance(literal, str) else literal
    )


def among_rows(column: Column[Any], rows: Select[Any], value: Term) -> Term:
    """Compare with the values in other rows, of which `rows` selects the owners.

    One of them must match. IN lets both databases begin with the value, which is the rarer thing.
    """
    return lambda literal: (
        not_(column.in_(rows)) if literal is None else column.in_(rows.where(value(literal)))
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A table of resources, as one client sees it; deleted ones are not `there`."""

    table: Table
    resource_type: str
    client: str
    there: Condition

    def external_id(self) -> Term:
        """Compare with the client's own identifier."""
        owners = select(external_ids.c.resource_id).where(*self._own())
        return among_rows(self.table.c.id, owners, exact(external_ids.c.external_id))

    def find(self, connection: Connection, resource_id: str) -> Sequence[Row[Any]]:
        """Return the row of a resource that is there, or no row."""
        return connection.execute(self._select(exact(self.table.c.id)(resource_id))).all()

    def page(
        self, connection: Connection, where: Condition, *, offset: int, count: int
    ) -> tuple[Sequence[Row[Any]], int]:
        """Return a page, the oldest first, and how many match in all."""
        table = self.table.c
        query = self._select(where).order_by(table.created_at, table.id)
        rows = connection.execute(query.offset(offset).limit(count)).all() if count else []
        if rows and len(rows) < count:
            return rows, offset + len(rows)
        total = select(func.count()).select_from(self.table).where(self.there, where)
        return rows, connection.execute(total).scalar_one()

    def keep_external_id(
        self, connection: Connection, resource_id: str, external_id: str | None
    ) -> None:
        """Write the client's own identifier; a taken one is an IntegrityError."""
        mine = external_ids.c.resource_id == resource_id
        connection.execute(delete(external_ids).where(mine, *self._own()))
        if external_id is not None:
            connection.execute(
                insert(external_ids).values(
                    resource_type=self.resource_type,
                    client=self.client,
                    external_id=external_id,
                    resource_id=resource_id,
                )
            )

    def forget_external_ids(self, connection: Connection, resource_id: str) -> None:
        """Free the identifiers that all clients gave to a resource."""
        connection.execute(
            delete(external_ids).where(
                external_ids.c.resource_type == self.resource_type,
                external_ids.c.resource_id == resource_id,
            )
        )

    def _own(self) -> tuple[Condition, Condition]:
        return (
            external_ids.c.resource_type == self.resource_type,
            external_ids.c.client == self.client,
        )

    def _select(self, where: Condition) -> Select[Any]:
        own = and_(external_ids.c.resource_id == self.table.c.id, *self._own())
        return (
            select(self.table, external_ids.c.external_id)
            .select_from(self.table.outerjoin(external_ids, own))
            .where(self.there, where)
        )
