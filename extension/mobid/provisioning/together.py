"""Many operations of one client in one unit of work, as a Bulk request is (RFC 7644, 3.7)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mobid.provisioning.reading import Repository
    from mobid.storage.unit_of_work import SQLUnit


class Together:
    """Implements the engine's `Transaction`: its repositories work in one unit.

    `bind` makes the repository of the resource type of a name, in a unit. In a savepoint they work
    in a part of the unit, so that its audit, what it has read and what it has nudged are undone
    with it.
    """

    def __init__(self, unit: SQLUnit, bind: Callable[[str, SQLUnit], Repository]) -> None:
        self._whole: Final = unit
        self._unit = unit
        self._bind: Final = bind

    def repository(self, name: str) -> Repository:
        """Return the repository of a resource type, to be used now."""
        return self._bind(name, self._unit)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Begin what is undone alone."""
        with self._whole.part() as part:
            self._unit = part
            try:
                yield
            finally:
                self._unit = self._whole
