"""Pages of resources by a place in their order, for cursors: a page costs the same however deep it is.

An order has two stretches: what has the value that it sorts by, and what has not, which comes last
ascending and first descending (RFC 7644, 3.4.2.3). Each stretch is asked for by itself, because an
index serves it as it is then; a page ends in the second one if the first one has not filled it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Boolean, ColumnElement, and_, literal, or_, tuple_

from mobid.storage.columns import Instant, Key, Text, instant, microseconds
from mobid.storage.scim import Wanted
from mobid.storage.scim_values import always_there, is_there
from mobid_scim.listing import Position, SortOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, Connection, Row

    from mobid.storage.scim import Place
    from mobid.storage.scim_filter import Attributes, Condition
    from mobid_scim.listing import Query

    Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Found:
    """Rows around a position, and where other pages are, if there are any; or how many match in all."""

    rows: Sequence[Row[Any]]
    total: int | None = None
    next: Position | None = None
    previous: Position | None = None


def seek(connection: Connection, place: Place, query: Query, attributes: Attributes) -> Found:
    """Return the page at `query.after`, or the first one; raise InvalidFilter or InvalidValue."""
    where = place.where(connection, query, attributes)
    if not query.count:
        return Found([], place.count(connection, where))
    first, order = place.order(query, attributes)
    walk = _Walk(connection, place, where, first, place.table.c.id, order)
    after = query.after
    if after is not None and after.backward:
        rows = walk.rows(after, query.count + 1)
        page = rows[: query.count][::-1]
        less, more = len(rows) > query.count, bool(page) and walk.is_any(_at(page[-1]))
    else:
        rows = walk.rows(after, query.count + 1)
        page = rows[: query.count]
        more = len(rows) > query.count
        less = bool(page) and after is not None and walk.is_any(_at(page[0], backward=True))
    return Found(
        page,
        next=_at(page[-1]) if more else None,
        previous=_at(page[0], backward=True) if less else None,
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    """One way through the resources that meet a condition: by a value, and then by their ids."""

    connection: Connection
    place: Place
    where: Condition
    value: ColumnElement[Any]
    id: Column[str]
    order: SortOrder

    def rows(self, after: Position | None, count: int) -> list[Row[Any]]:
        """Return so many rows behind a position, in the order in which it leads."""
        found: list[Row[Any]] = []
        backward = after is not None and after.backward
        down = (self.order is SortOrder.DESCENDING) is not backward
        order = partial(_order, down, backward)
        for stretch in self._stretches(after, down=down):
            if len(found) < count:
                where = and_(self.where, stretch)
                wanted = Wanted(self.value, where, order, count - len(found))
                found += self.place.rows(self.connection, wanted)
        return found

    def is_any(self, position: Position) -> bool:
        """Tell whether anything comes behind a position."""
        return bool(self.rows(position, 1))

    def _stretches(self, after: Position | None, *, down: bool) -> Sequence[Condition]:
        """Return what is left of the stretches, in the order in which they are walked."""
        with_value = self._behind_value(after, down=down)
        if always_there(self.value):
            return [with_value]
        missing = self._behind_missing(after)
        # Upwards what has no value comes last, and downwards first.
        both = [missing, with_value] if down else [with_value, missing]
        is_in_second = after is not None and (after.key[0] is None) is not down
        return both[1:] if is_in_second else both

    def _behind_missing(self, after: Position | None) -> Condition:
        """Say that a resource has no value, and comes behind a position without one."""
        missing = self.value.is_(None)
        if after is None or after.key[0] is not None:
            return missing
        return and_(missing, self._beyond(self.id, after.key[1], down=after.backward))

    def _behind_value(self, after: Position | None, *, down: bool) -> Condition:
        """Say that a resource has a value, and comes behind a position with one."""
        there = is_there(self.value)
        if after is None or after.key[0] is None:
            return there
        value, resource_id = after.key
        if down is after.backward:
            both = tuple_(self.value, self.id)
            bound = tuple_(_bound(self.value, value), _bound(self.id, resource_id))
            return and_(there, both < bound if down else both > bound)
        # Ids go the other way than values: an index gives the range, and each of it is looked at.
        limit = _bound(self.value, value)
        return and_(
            there,
            self.value <= limit if down else self.value >= limit,
            or_(
                self._beyond(self.value, value, down=down),
                self._beyond(self.id, resource_id, down=after.backward),
            ),
        )

    @staticmethod
    def _beyond(column: ColumnElement[Any], value: Scalar, *, down: bool) -> Condition:
        limit = _bound(column, value)
        return column < limit if down else column > limit


def _order(
    down: bool,  # noqa: FBT001  # bound by position
    backward: bool,  # noqa: FBT001  # likewise
    value: ColumnElement[Any],
    row_id: ColumnElement[Any],
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return value.desc() if down else value.asc(), row_id.desc() if backward else row_id.asc()


def _at(row: Row[Any], *, backward: bool = False) -> Position:
    """Return where a row is, as what JSON can hold."""
    value = row.sorted_by
    if isinstance(value, datetime):
        value = microseconds(value)
    return Position((value, row.id), backward)


def _bound(column: ColumnElement[Any], value: Scalar) -> ColumnElement[Any]:
    """Return a part of a position as what the database compares."""
    if isinstance(value, bool):
        return literal(value, Boolean)
    if isinstance(column.type, Instant) and isinstance(value, int):
        return literal(instant(value), Instant)
    return literal(value, Key if isinstance(column.type, Key) else Text)
