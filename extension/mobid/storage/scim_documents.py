"""What users are searched by that is in their documents: the rows that `document_rows` writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, exists, select, true, union_all
from typing_extensions import override

from mobid.storage.document_rows import attr_of
from mobid.storage.scim_filter import (
    Elements,
    Leaf,
    Searches,
    Sorts,
    comparison,
    inside,
)
from mobid.storage.scim_values import Indexed, Words, compared
from mobid.storage.tables import user_values, users
from mobid_scim.filter import And, Comparison, Filter, Operator
from mobid_scim.path import Path

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause

    from mobid.storage.scim_filter import Condition, Meets
    from mobid_scim.filter import Literal

_NARROW_FIRST: Final = (Operator.EQ, Operator.SW, Operator.EW)


def in_documents(path: Path) -> Elements:
    """Return the values of an attribute that clients write."""
    return _Documents(Path(path.attribute, None, path.extension))


@dataclass(frozen=True, slots=True)
class _Documents(Elements):
    attribute: Path

    @override
    def some(self, tree: Filter, *, begin: bool) -> Condition:
        """Begin with the term that promises the fewest rows, and look at the others for each of those."""
        first, rest = _split(tree)
        path = self.attribute if first is None else first.path
        row = _aliased()
        terms = [] if rest is None else [inside(rest, lambda sub: _SameElement(row, sub))]
        if first is not None:
            terms.append(comparison(_ThisRow(row), first, begin=False))
        return _some_row(row, path, and_(true(), *terms), begin=begin)

    @override
    def leaf(self, path: Path) -> Leaf:
        return _InDocument(path)


@dataclass(frozen=True, slots=True)
class _InDocument(Leaf, Searches, Sorts):
    """The values of one user at a path."""

    path: Path

    @override
    def some(self, meets: Meets, *, begin: bool) -> Condition:
        row = _aliased()
        return _some_row(row, self.path, meets(_value(row)), begin=begin)

    @override
    def containing(self, part: str) -> Condition:
        """Ask two indexes instead of every row: what a key has, its text has; few texts are longer."""
        short, long = _aliased(), _aliased()
        attr = attr_of(self.path)
        keys = select(short.c.user_id).where(
            short.c.attr == attr, compared(short.c.value_key, Operator.CO, part)
        )
        texts = select(long.c.user_id).where(
            long.c.attr == attr,
            long.c.long_value.is_not(None),
            compared(long.c.long_value, Operator.CO, part),
        )
        return users.c.id.in_(union_all(keys, texts))

    @override
    def order(self) -> ColumnElement[Any]:
        row = _aliased()
        mine = and_(row.c.user_id == users.c.id, row.c.attr == attr_of(self.path), row.c.leads)
        return select(_value(row).order).where(mine).correlate(users).scalar_subquery()


@dataclass(frozen=True, slots=True)
class _SameElement(Leaf):
    """The values at a sub-attribute of the element that another row belongs to."""

    other: FromClause
    path: Path

    @override
    def some(self, meets: Meets, *, begin: bool) -> Condition:
        del begin
        row = _aliased()
        shared = and_(
            row.c.user_id == self.other.c.user_id,
            row.c.attr == attr_of(self.path),
            row.c.position == self.other.c.position,
        )
        mine = select(1).select_from(row).where(shared, meets(_value(row)))
        return exists(mine.correlate(self.other))


@dataclass(frozen=True, slots=True)
class InColumn(Words):
    """A text of a user that has a column to sort by, too; only its rows know it backwards."""

    attr: str = ""

    @override
    def compares(self, operator: Operator, wanted: Literal) -> Condition:
        if operator is not Operator.EW:
            return super(InColumn, self).compares(operator, wanted)
        row = _aliased()
        ends = and_(row.c.attr == self.attr, _value(row).compares(operator, wanted))
        return users.c.id.in_(select(row.c.user_id).where(ends))


def _some_row(row: FromClause, path: Path, condition: Condition, *, begin: bool) -> Condition:
    wanted = and_(row.c.attr == attr_of(path), condition)
    if begin:
        return users.c.id.in_(select(row.c.user_id).where(wanted))
    mine = select(1).select_from(row).where(row.c.user_id == users.c.id, wanted)
    return exists(mine.correlate(users))


@dataclass(frozen=True, slots=True)
class _ThisRow(Leaf):
    row: FromClause

    @override
    def some(self, meets: Meets, *, begin: bool) -> Condition:
        del begin
        return meets(_value(self.row))


def _split(tree: Filter) -> tuple[Comparison | None, Filter | None]:
    """Return the comparison to begin with, if one must hold for a row, and what is left then."""
    terms = list(tree.operands) if isinstance(tree, And) else [tree]
    narrow = [term for term in terms if isinstance(term, Comparison) and _needs_a_row(term)]
    if not narrow:
        return None, tree
    first = min(narrow, key=_width)
    terms.remove(first)
    return first, And(tuple(terms)) if terms else None


def _needs_a_row(term: Comparison) -> bool:
    """Tell whether it holds only where there is a value."""
    return term.value is not None and term.operator is not Operator.NE


def _width(term: Comparison) -> tuple[bool, int]:
    """Return how many rows a comparison may leave: types and flags are the same for everybody."""
    order = _NARROW_FIRST.index(term.operator) if term.operator in _NARROW_FIRST else 3
    return term.path.leaf.name != "value", order


def _aliased() -> FromClause:
    return user_values.alias()


def _value(row: FromClause) -> Indexed:
    return Indexed(row.c.value_key, row.c.value_key_reversed, row.c.long_value)
