"""The registered front ends, and the public keys that their assertions are checked with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select, update

from mobid.processes.errors import NotFound
from mobid.storage.columns import is_storable
from mobid.storage.mapping import RowMap
from mobid.storage.tables import frontends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mobid.storage.engine import Transactions


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """A user interface of somebody else, known by its key."""

    name: str
    public_jwk: Mapping[str, str] = field(repr=False)
    created_at: datetime
    revoked_at: datetime | None = None


_MAP: Final = RowMap(FrontEnd)


class FrontEnds:
    """Reads and writes front ends, each call in a short transaction of its own."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions: Final = transactions

    def add(self, frontend: FrontEnd) -> None:
        """Store a new front end; raise `ConstraintBroken` for a name that is taken."""
        with self._transactions.writing() as connection:
            connection.execute(insert(frontends).values(_MAP.columns(frontend)))

    def find(self, name: str) -> FrontEnd | None:
        """Return a front end by its name, whatever became of it."""
        if not is_storable(name):
            return None
        with self._transactions.reading() as connection:
            row = connection.execute(select(frontends).where(frontends.c.name == name)).first()
        return None if row is None else _MAP.entity(row)

    def all(self) -> Sequence[FrontEnd]:
        """Return every front end, by name."""
        with self._transactions.reading() as connection:
            rows = connection.execute(select(frontends).order_by(frontends.c.name)).all()
        return [_MAP.entity(row) for row in rows]

    def revoke(self, name: str, *, at: datetime) -> None:
        """Believe a front end no more; the first time counts. Raise `NotFound`."""
        if self.find(name) is None:
            raise NotFound("front end", name)
        change = update(frontends).where(frontends.c.name == name, frontends.c.revoked_at.is_(None))
        with self._transactions.writing() as connection:
            connection.execute(change.values(revoked_at=at))
