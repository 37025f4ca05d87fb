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
# One row stands for a value that is searched for, and another one for what belongs to the same element.
# Each subquery has its own, so nothing is made for a search.
_ROW: Final = user_values.alias("value")
_SAME: Final = user_values.alias("same")


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
        terms = [] if rest is None else [inside(rest, _SameElement)]
        if first is not None:
            terms.append(comparison(_ThisRow(), first, begin=False))
        return _some_row(path, and_(true(), *terms), begin=begin)

    @override
    def leaf(self, path: Path) -> Leaf:
        return _InDocument(path)


@dataclass(frozen=True, slots=True)
class _InDocument(Leaf, Searches, Sorts):
    """The values of one user at a path."""

    path: Path

    @override
    def some(self, meets: Meets, *, begin: bool) -> Condition:
        return _some_row(self.path, meets(_value(_ROW)), begin=begin)

    @override
    def containing(self, part: str) -> Condition:
        """Ask two indexes instead of every row: what a key has, its text has; few texts are longer."""
        row, here = _ROW.c, _ROW.c.attr == attr_of(self.path)
        keys = select(row.user_id).where(here, compared(row.value_key, Operator.CO, part))
        texts = select(row.user_id).where(
            here, row.long_value.is_not(None), compared(row.long_value, Operator.CO, part)
        )
        return users.c.id.in_(union_all(keys, texts))

    @override
    def order(self) -> ColumnElement[Any]:
        row = _ROW.c
        mine = and_(row.user_id == users.c.id, row.attr == attr_of(self.path), row.leads)
        return select(_value(_ROW).order).where(mine).correlate(users).scalar_subquery()


@dataclass(frozen=True, slots=True)
class _SameElement(Leaf):
    """The values at a sub-attribute of the element that a row belongs to."""

    path: Path

    @override
    def some(self, meets: Meets, *, begin: bool) -> Condition:
        del begin
        row = _SAME.c
        shared = and_(
            row.user_id == _ROW.c.user_id,
            row.attr == attr_of(self.path),
            row.position == _ROW.c.position,
        )
        mine = select(1).select_from(_SAME).where(shared, meets(_value(_SAME)))
        return exists(mine.correlate(_ROW))


@dataclass(frozen=True, slots=True)
class InColumn(Words):
    """A text of a user that has a column to sort by, too; only its rows know it backwards."""

    attr: str = ""

    @override
    def compares(self, operator: Operator, wanted: Literal) -> Condition:
        if operator is not Operator.EW:
            return super(InColumn, self).compares(operator, wanted)
        ends = and_(_ROW.c.attr == self.attr, _value(_ROW).compares(operator, wanted))
        return users.c.id.in_(select(_ROW.c.user_id).where(ends))


def _some_row(path: Path, condition: Condition, *, begin: bool) -> Condition:
    wanted = and_(_ROW.c.attr == attr_of(path), condition)
    if begin:
        return users.c.id.in_(select(_ROW.c.user_id).where(wanted))
    mine = select(1).select_from(_ROW).where(_ROW.c.user_id == users.c.id, wanted)
    return exists(mine.correlate(users))


@dataclass(frozen=True, slots=True)
class _ThisRow(Leaf):
    @override
    def some(self, meets: Meets, *, begin: bool) -> Condition:
        del begin
        return meets(_value(_ROW))


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


def _value(row: FromClause) -> Indexed:
    return Indexed(row.c.value_key, row.c.value_key_reversed, row.c.long_value)
