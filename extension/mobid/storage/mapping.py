"""How frozen dataclasses lie in rows: a field has the name of its column, unless something else is said."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from _typeshed import DataclassInstance
    from sqlalchemy import Row

Entity = TypeVar("Entity", bound="DataclassInstance")


class RowMap(Generic[Entity]):
    """Turns entities of one kind into the columns of a row, and rows into entities.

    `parts` are fields that hold a dataclass, or None: it lies in columns that begin with the name of
    the field. `apart` are fields that the repository writes and reads in its own way.
    """

    def __init__(
        self,
        kind: type[Entity],
        *,
        parts: Mapping[str, type[DataclassInstance]] | None = None,
        apart: Collection[str] = (),
    ) -> None:
        self._kind: Final = kind
        self._parts: Final = parts or {}
        others = {*self._parts, *apart}
        self._plain: Final = tuple(field.name for field in fields(kind) if field.name not in others)

    def columns(self, entity: Entity) -> dict[str, Any]:
        """Return the columns of an entity, without those of what is apart."""
        found = {name: getattr(entity, name) for name in self._plain}
        for name, kind in self._parts.items():
            found |= part_columns(name, kind, getattr(entity, name))
        return found

    def entity(self, row: Row[Any], **apart: object) -> Entity:
        """Return the entity in a row; what is apart is given by the repository."""
        values = {name: getattr(row, name) for name in self._plain}
        values |= {name: part_of(name, kind, row) for name, kind in self._parts.items()}
        return self._kind(**values, **apart)


def part_columns(
    prefix: str, kind: type[DataclassInstance], part: DataclassInstance | None
) -> dict[str, Any]:
    """Return the columns of a part; all of them are null if there is none."""
    names = [field.name for field in fields(kind)]
    return {f"{prefix}_{name}": None if part is None else getattr(part, name) for name in names}


def part_of(prefix: str, kind: type[Entity], row: Row[Any]) -> Entity | None:
    """Return the part in a row; there is none where its first column is null."""
    values = {field.name: getattr(row, f"{prefix}_{field.name}") for field in fields(kind)}
    return None if next(iter(values.values())) is None else kind(**values)
