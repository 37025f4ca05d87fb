"""What becomes of values that storage keeps row by row, such as the members of a group.

A group may have a hundred thousand members. So nobody loads them to change one: requests are
turned into what is added and removed, and storage does just that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mobid_scim.resource import Values

KEY: Final = "value"
"""The sub-attribute that tells rows apart: there is one row per value of it."""


@dataclass(frozen=True, slots=True)
class RowChanges:
    """What to do with the rows of one attribute: first clear, then remove, then add.

    `removed` and `added` name rows by their `value`. To remove what is not there, or to add what
    is there, changes nothing. After `cleared`, exactly the added rows are there; a repository may
    well keep those of them that were there before.
    """

    cleared: bool = False
    removed: frozenset[str] = frozenset()
    added: Mapping[str, Values] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Tell whether there is anything to do."""
        return self.cleared or bool(self.removed) or bool(self.added)

    def clear(self) -> RowChanges:
        """Return these changes, and then no rows at all."""
        return RowChanges(cleared=True)

    def remove(self, keys: Iterable[str]) -> RowChanges:
        """Return these changes, and then some rows less."""
        gone = frozenset(keys)
        kept = {key: row for key, row in self.added.items() if key not in gone}
        # What was cleared needs no further removal.
        removed = self.removed if self.cleared else self.removed | gone
        return RowChanges(self.cleared, removed, kept)

    def add(self, rows: Iterable[Values]) -> RowChanges:
        """Return these changes, and then some rows more; each has its key."""
        added = dict(self.added)
        for row in rows:
            added.setdefault(str(row[KEY]), row)
        return RowChanges(self.cleared, self.removed, added)
