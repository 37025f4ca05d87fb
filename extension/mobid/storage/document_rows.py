"""What is in a document, as rows beside it: every value that a client wrote can be found and sorted by.

The row of a value is told by the path of its attribute and by its position among several. The values of
one element, such as those of one e-mail address, share the position; the element has a row of its own
under the path without sub-attribute, so that brackets begin with it. `scim_documents` asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, column, delete, insert, table, update

from mobid.storage.columns import checked
from mobid.storage.scim_filter import folded
from mobid.storage.scim_values import KEY_LENGTH, flag
from mobid.storage.tables import user_values
from mobid_scim.attributes import Type
from mobid_scim.errors import InvalidPath
from mobid_scim.path import Path, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from mobid_scim.attributes import Attribute
    from mobid_scim.resource import Resource, ResourceType

_EXTENSION: Final = ":extension:"
_PLACE: Final = ("attr", "position")

_HERE: Final = and_(
    user_values.c.user_id == bindparam("its_user"),
    user_values.c.attr == bindparam("its_attr"),
    user_values.c.position == bindparam("its_position"),
)
# Bound as they are, so that each text is checked once and not each time that it is cut.
_INSERT: Final = insert(table(user_values.name, *(column(each.name) for each in user_values.c)))
_UPDATE: Final = update(user_values).where(_HERE)
_DELETE: Final = delete(user_values).where(_HERE)


class DocumentRow(NamedTuple):
    """One row of a document; the last three are null for the row of a complex value.

    A boolean ends with nothing that could be asked for, and has no key backwards.
    """

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


def attr_of(path: Path) -> str:
    """Return the path with the short name of its extension: it is in every row, and in two indexes."""
    urn = path.extension
    if urn is None:
        return str(path)
    short = urn.partition(_EXTENSION)[2] or urn
    return f"{short}:{Path(path.attribute, path.sub)}"


class Documents:
    """Writes the rows of users' documents; `scope` is the type that the documents are of."""

    def __init__(self, scope: ResourceType) -> None:
        # What a path is called in a row is found out once, and not for every value.
        self._schemas: Final = _column(resolve("schemas", scope, error=InvalidPath))
        own = [(None, scope.schema.attributes)]
        below = [(each.schema.id, each.schema.attributes) for each in scope.extensions]
        self._parts: Final = tuple(
            (
                urn,
                tuple(_column(Path(each, None, urn)) for each in attributes if not each.read_only),
            )
            for urn, attributes in (*own, *below)
        )

    def rows(self, resource: Resource) -> list[DocumentRow]:
        """Return the rows of what a client wrote."""
        return self._rows(resource, besides=None)

    def write(self, connection: Connection, user_id: str, resource: Resource) -> None:
        """Write the rows of a new document."""
        _insert(connection, user_id, self.rows(resource))

    def change(
        self, connection: Connection, user_id: str, before: Resource, after: Resource
    ) -> None:
        """Write only what is different; `before` is what is stored."""
        old = {row.place: row for row in self._rows(before, besides=after)}
        new = {row.place: row for row in self._rows(after, besides=before)}
        gone = [{"its_attr": attr, "its_position": at} for attr, at in old.keys() - new.keys()]
        moved = [
            {"its_attr": row.attr, "its_position": row.position, **_said(row)}
            for place, row in new.items()
            if old.get(place, row) != row
        ]
        for statement, rows in ((_DELETE, gone), (_UPDATE, moved)):
            if rows:
                connection.execute(statement, [{"its_user": user_id, **row} for row in rows])
        _insert(connection, user_id, [row for place, row in new.items() if place not in old])

    def _rows(self, resource: Resource, *, besides: Resource | None) -> list[DocumentRow]:
        """Return rows of the attributes whose values another resource has not."""
        rows: list[DocumentRow] = []
        schemas = resource.schemas()
        if besides is None or schemas != besides.schemas():
            rows += self._schemas.rows(schemas)
        for urn, columns in self._parts:
            values = _part(resource, urn)
            others = {} if besides is None else _part(besides, urn)
            for each in columns:
                name = each.attribute.name
                if name in values and values[name] != others.get(name):
                    rows += each.rows(values[name])
        return rows


@dataclass(frozen=True, slots=True)
class _Column:
    """An attribute, and what it is called in rows; a complex one has `subs`."""

    attribute: Attribute
    attr: str
    subs: tuple[_Column, ...]

    def rows(self, value: object) -> Iterator[DocumentRow]:
        """Yield the rows of its values."""
        elements = list(enumerate(value if isinstance(value, list) else [value]))
        if self.attribute.type is not Type.COMPLEX:
            yield from _simple(self, elements)
            return
        # Where one is the primary value, it comes first when one stands for all.
        elements.sort(key=lambda element: element[1].get("primary") is not True)
        for place, _ in elements:
            yield DocumentRow(self.attr, place)
        for sub in self.subs:
            name = sub.attribute.name
            yield from _simple(sub, [(at, item[name]) for at, item in elements if name in item])


def _simple(of: _Column, values: Sequence[tuple[int, Any]]) -> Iterator[DocumentRow]:
    """Yield the rows of simple values with their positions; the first stands for all of them."""
    leads = True
    for position, value in values:
        said = flag(value) if isinstance(value, bool) else str(folded(value, of.attribute))
        text = checked(said)
        yield DocumentRow(
            attr=of.attr,
            position=position,
            leads=leads,
            value_key=text[:KEY_LENGTH],
            value_key_reversed=None if isinstance(value, bool) else text[::-1][:KEY_LENGTH],
            long_value=text if len(text) > KEY_LENGTH else None,
        )
        leads = False


def _column(path: Path) -> _Column:
    subs = [] if path.sub else [each for each in path.leaf.sub_attributes if not each.read_only]
    below = (_column(Path(path.attribute, each, path.extension)) for each in subs)
    return _Column(path.leaf, attr_of(path), tuple(below))


def _said(row: DocumentRow) -> dict[str, object]:
    """Return what a row says, without what tells it apart."""
    return {name: value for name, value in row._asdict().items() if name not in _PLACE}


def _part(resource: Resource, urn: str | None) -> Mapping[str, object]:
    """Return the core attributes, or those of an extension."""
    values = resource.values if urn is None else resource.values.get(urn)
    return values if isinstance(values, dict) else {}


def _insert(connection: Connection, user_id: str, rows: Iterable[DocumentRow]) -> None:
    new = [{"user_id": user_id, **row._asdict()} for row in rows]
    if new:
        connection.execute(_INSERT, new)
