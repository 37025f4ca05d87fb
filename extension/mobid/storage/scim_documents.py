"""What is in documents, as rows beside them: every value that a client wrote can be found and sorted by.

The row of a value is told by the path of its attribute and by its position among several. The values of
one element, such as those of one e-mail address, share the position; the element has a row of its own
under the path without sub-attribute, so that brackets begin with it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, exists, insert, select, true, union_all
from typing_extensions import override

from mobid.storage.scim_filter import (
    Elements,
    Leaf,
    Searches,
    Sorts,
    comparison,
    folded,
    inside,
)
from mobid.storage.scim_values import KEY_LENGTH, Indexed, Words, compared, flag
from mobid.storage.tables import user_values, users
from mobid_scim.attributes import Type
from mobid_scim.errors import InvalidPath
from mobid_scim.filter import And, Comparison, Filter, Operator
from mobid_scim.path import Path, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause

    from mobid.storage.scim_filter import Condition, Meets
    from mobid_scim.attributes import Attribute
    from mobid_scim.filter import Literal
    from mobid_scim.resource import Resource

_EXTENSION: Final = ":extension:"
_NARROW_FIRST: Final = (Operator.EQ, Operator.SW, Operator.EW)


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One row of a document; the last four are null for the row of a complex value."""

    attr: str
    position: int
    leads: bool = False
    value_key: str | None = None
    value_key_reversed: str | None = None
    long_value: str | None = None

    @property
    def place(self) -> tuple[str, int]:
        """What tells the rows of a document apart."""
        return self.attr, self.position


def rows_of(resource: Resource) -> list[DocumentRow]:
    """Return the rows of what a client wrote."""
    own = _rows_of_all(resource.values, resource.type.schema.attributes, None)
    schemas = resolve("schemas", resource.type, error=InvalidPath)
    rows = [*_simple_rows(schemas, list(enumerate(resource.schemas()))), *own]
    for extension in resource.type.extensions:
        urn = extension.schema.id
        values = resource.values.get(urn)
        if isinstance(values, dict):
            rows.extend(_rows_of_all(values, extension.schema.attributes, urn))
    return rows


def write_rows(connection: Connection, user_id: str, rows: Iterable[DocumentRow]) -> None:
    """Write the rows of a new document."""
    new = [{"user_id": user_id, **asdict(row)} for row in rows]
    if new:
        connection.execute(insert(user_values), new)


def change_rows(
    connection: Connection,
    user_id: str,
    before: Iterable[DocumentRow],
    after: Iterable[DocumentRow],
) -> None:
    """Write only what is different; `before` is what is stored."""
    old, new = ({row.place: row for row in rows} for rows in (before, after))
    table = user_values.c
    for attr, position in [place for place, row in old.items() if new.get(place) != row]:
        here = and_(table.user_id == user_id, table.attr == attr, table.position == position)
        connection.execute(delete(user_values).where(here))
    write_rows(connection, user_id, [row for place, row in new.items() if old.get(place) != row])


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
        attr = _attr(self.path)
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
        mine = and_(row.c.user_id == users.c.id, row.c.attr == _attr(self.path), row.c.leads)
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
            row.c.attr == _attr(self.path),
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
    wanted = and_(row.c.attr == _attr(path), condition)
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


def _attr(path: Path) -> str:
    """Return the path with the short name of its extension: it is in every row, and in two indexes."""
    urn = path.extension
    if urn is None:
        return str(path)
    short = urn.partition(_EXTENSION)[2] or urn
    return f"{short}:{Path(path.attribute, path.sub)}"


def _rows_of_all(
    values: Mapping[str, Any], attributes: Sequence[Attribute], extension: str | None
) -> Iterator[DocumentRow]:
    for attribute in attributes:
        if attribute.name in values and not attribute.read_only:
            yield from _rows_of_one(values[attribute.name], Path(attribute, None, extension))


def _rows_of_one(value: object, path: Path) -> Iterator[DocumentRow]:
    items = value if isinstance(value, list) else [value]
    if path.attribute.type is not Type.COMPLEX:
        yield from _simple_rows(path, list(enumerate(items)))
        return
    elements = list(enumerate(items))
    # Where one is the primary value, it comes first when one stands for all.
    elements.sort(key=lambda element: element[1].get("primary") is not True)
    for place, _ in elements:
        yield DocumentRow(_attr(path), place)
    for sub in path.attribute.sub_attributes:
        if not sub.read_only:
            found = [(place, item[sub.name]) for place, item in elements if sub.name in item]
            yield from _simple_rows(Path(path.attribute, sub, path.extension), found)


def _simple_rows(path: Path, values: Sequence[tuple[int, Any]]) -> Iterator[DocumentRow]:
    """Return the rows of simple values with their positions; the first stands for all of them."""
    for number, (position, value) in enumerate(values):
        text = flag(value) if isinstance(value, bool) else str(folded(value, path.leaf))
        yield DocumentRow(
            attr=_attr(path),
            position=position,
            leads=number == 0,
            value_key=text[:KEY_LENGTH],
            value_key_reversed=text[::-1][:KEY_LENGTH],
            long_value=text if len(text) > KEY_LENGTH else None,
        )
