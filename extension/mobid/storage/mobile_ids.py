"""The mobile IDs: rows, with their holds beside them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, and_, delete, insert, or_, select, type_coerce, update

from mobid.domain.actors import Actor
from mobid.domain.mobile_ids import Device, Hold, MobileID, Placed, ProfileState
from mobid.processes.errors import NotFound, VersionConflict
from mobid.storage.columns import is_storable, microseconds
from mobid.storage.mapping import RowMap
from mobid.storage.tables import mobile_id_holds, mobile_ids
from mobid.storage.tables.profiles import CAN_END, IS_LIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select

    from mobid.storage.transaction import Transaction

_MAP: Final = RowMap(MobileID, parts={"device": Device, "locked_by": Actor}, apart={"holds"})
_HOLDS: Final = RowMap(Placed, parts={"placed_by": Actor})
_DAY: Final = timedelta(days=1) // timedelta(microseconds=1)
_NEWEST_FIRST = (mobile_ids.c.created_at.desc(), mobile_ids.c.id.desc())


class SQLMobileIDs:
    """Implements the port `MobileIDs`, and writes them."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._versions: dict[str, int] = {}

    def get(self, mobile_id: str) -> MobileID:
        """Return one; raise `NotFound`."""
        if is_storable(mobile_id):
            for found in self._read(select(mobile_ids).where(mobile_ids.c.id == mobile_id)):
                return found
        raise NotFound("mobile ID", mobile_id)

    def live_of(self, user_id: str) -> MobileID | None:
        """Return the one that holds the user's slot: pending, active or inactive."""
        query = select(mobile_ids).where(mobile_ids.c.user_id == user_id, IS_LIVE)
        return next(iter(self._read(query)), None)

    def of_user(self, user_id: str) -> Sequence[MobileID]:
        """Return all that a user ever had, the newest first."""
        query = select(mobile_ids).where(mobile_ids.c.user_id == user_id)
        return self._read(query.order_by(*_NEWEST_FIRST))

    def past_end(self, at: datetime, limit: int) -> Sequence[MobileID]:
        """Return active and inactive ones whose end is reached."""
        query = select(mobile_ids).where(CAN_END, mobile_ids.c.valid_to <= at)
        return self._read(query.order_by(mobile_ids.c.valid_to, mobile_ids.c.id).limit(limit))

    def ending(
        self,
        since: datetime,
        until: datetime,
        *,
        day_began_after: datetime | None,
        after: MobileID | None,
        limit: int,
    ) -> Sequence[MobileID]:
        """Return active ones that end between two moments, what ends first at the front.

        With `day_began_after`, only those for which a day began after that moment, and by `since`:
        24 hours, counted back from their end. With `after`, those that come after that one.
        """
        row = mobile_ids.c
        query = select(mobile_ids).where(
            CAN_END, row.state == ProfileState.ACTIVE, row.valid_to <= until
        )
        # The index is entered where the page before ended, and not at the first page again.
        begin = row.valid_to > since if after is None else row.valid_to >= after.valid_to
        query = query.where(begin)
        if day_began_after is not None:
            query = query.where(_day_began(day_began_after, since))
        if after is not None:
            same_end = and_(row.valid_to == after.valid_to, row.id > after.id)
            query = query.where(or_(row.valid_to > after.valid_to, same_end))
        return self._read(query.order_by(row.valid_to, row.id).limit(limit))

    def held(self, hold: Hold, *, by: str) -> Sequence[str]:
        """Return the ids of live ones with this hold that somebody of this name placed."""
        table = mobile_id_holds.c
        placed = select(table.mobile_id).where(table.hold == hold, table.placed_by_id == by)
        query = select(mobile_ids.c.id).where(IS_LIVE, mobile_ids.c.id.in_(placed))
        return [row.id for row in self._transaction.all(query.order_by(mobile_ids.c.id))]

    def latest(
        self, limit: int, *, state: ProfileState | None = None, hold: Hold | None = None
    ) -> Sequence[MobileID]:
        """Return those that changed last, in this state and with this hold if they are given."""
        query = select(mobile_ids)
        if state is not None:
            query = query.where(mobile_ids.c.state == state)
        if hold is not None:
            table = mobile_id_holds.c
            with_it = select(table.mobile_id).where(table.hold == hold)
            query = query.where(mobile_ids.c.id.in_(with_it))
        order = (mobile_ids.c.changed_at.desc(), mobile_ids.c.id)
        return self._read(query.order_by(*order).limit(limit))

    def add(self, mobile_id: MobileID) -> None:
        """Insert a new one."""
        self._transaction.write(insert(mobile_ids).values(_MAP.columns(mobile_id)))
        self._place_holds(mobile_id, mobile_id.holds)
        self._versions[mobile_id.id] = mobile_id.version

    def save(self, mobile_id: MobileID) -> None:
        """Update one, if its version is the one read here, or else the one before its own.

        Raise `VersionConflict`, or `NotFound`.
        """
        read = self._versions.get(mobile_id.id, mobile_id.version - 1)
        done = self._transaction.write(
            update(mobile_ids)
            .where(mobile_ids.c.id == mobile_id.id, mobile_ids.c.version == read)
            .values(_MAP.columns(mobile_id))
        )
        if done.rowcount == 0:
            raise _conflict(self.get(mobile_id.id), read)
        self._change_holds(mobile_id)
        self._versions[mobile_id.id] = mobile_id.version

    def _change_holds(self, mobile_id: MobileID) -> None:
        there = self._holds([mobile_id.id]).get(mobile_id.id, {})
        lifted = there.keys() - mobile_id.holds.keys()
        if lifted:
            self._transaction.write(
                delete(mobile_id_holds).where(
                    mobile_id_holds.c.mobile_id == mobile_id.id,
                    mobile_id_holds.c.hold.in_(sorted(lifted)),
                )
            )
        self._place_holds(mobile_id, mobile_id.holds.keys() - there.keys())

    def _place_holds(self, mobile_id: MobileID, holds: Iterable[Hold]) -> None:
        rows = [
            {"mobile_id": mobile_id.id, "hold": hold, **_HOLDS.columns(mobile_id.holds[hold])}
            for hold in sorted(holds)
        ]
        if rows:
            self._transaction.write(insert(mobile_id_holds), rows)

    def _read(self, query: Select[Any]) -> Sequence[MobileID]:
        rows = self._transaction.all(query)
        holds = self._holds([row.id for row in rows])
        found = [_MAP.entity(row, holds=holds.get(row.id, {})) for row in rows]
        self._versions.update((one.id, one.version) for one in found)
        return found

    def _holds(self, ids: Sequence[str]) -> Mapping[str, Mapping[Hold, Placed]]:
        if not ids:
            return {}
        found: dict[str, dict[Hold, Placed]] = {}
        query = select(mobile_id_holds).where(mobile_id_holds.c.mobile_id.in_(ids))
        for row in self._transaction.all(query):
            found.setdefault(row.mobile_id, {})[Hold(row.hold)] = _HOLDS.entity(row)
        return found


def _day_began(after: datetime, by: datetime) -> ColumnElement[bool]:
    """Return the condition that a day, counted back from the end, began between two moments.

    It is asked of the index: that is one look at each end instead of one query for each day.
    """
    end = type_coerce(mobile_ids.c.valid_to, BigInteger)
    into = (end - microseconds(after)) % _DAY
    return and_(into > 0, into <= microseconds(by) - microseconds(after))


def _conflict(stored: MobileID, read: int) -> VersionConflict:
    return VersionConflict(
        f"Mobile ID {stored.id} is at version {stored.version}, not {read} any more; "
        "look at it again before you change it."
    )
