"""The beginning of every unit of work about a mobile ID: its owner is locked, so that all takes turns."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid.processes.ports import UnitOfWork, Units


@contextmanager
def owner_locked(units: Units, mobile_id: str) -> Iterator[UnitOfWork]:
    """Begin a unit of work in which the owner of a mobile ID is locked; raise `NotFound`."""
    with units.reading() as reading:
        user_id = reading.mobile_ids.get(mobile_id).user_id
    with units() as unit:
        unit.users.lock(user_id)
        yield unit
