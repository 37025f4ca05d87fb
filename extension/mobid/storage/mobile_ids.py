"""The mobile IDs: rows, with their holds beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.mobile_ids import Device, Hold, LockReason, MobileID
from mobid.processes.errors import NotFound, VersionConflict
from mobid.storage.columns import is_storable
from mobid.storage.tables import mobile_id_holds, mobile_ids
from mobid.storage.tables.profiles import CAN_END, IS_LIVE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row, Select

    from mobid.storage.transaction import Transaction

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

    def add(self, mobile_id: MobileID) -> None:
        """Insert a new one."""
        self._transaction.write(insert(mobile_ids).values(_values(mobile_id)))
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
            .values(_values(mobile_id))
        )
        if done.rowcount == 0:
            raise _conflict(self.get(mobile_id.id), read)
        self._change_holds(mobile_id)
        self._versions[mobile_id.id] = mobile_id.version

    def _change_holds(self, mobile_id: MobileID) -> None:
        there = self._holds([mobile_id.id]).get(mobile_id.id, frozenset())
        lifted = there - mobile_id.holds
        if lifted:
            self._transaction.write(
                delete(mobile_id_holds).where(
                    mobile_id_holds.c.mobile_id == mobile_id.id,
                    mobile_id_holds.c.hold.in_(sorted(lifted)),
                )
            )
        self._place_holds(mobile_id, mobile_id.holds - there)

    def _place_holds(self, mobile_id: MobileID, holds: frozenset[Hold]) -> None:
        rows = [{"mobile_id": mobile_id.id, "hold": hold.value} for hold in sorted(holds)]
        if rows:
            self._transaction.write(insert(mobile_id_holds), rows)

    def _read(self, query: Select[Any]) -> Sequence[MobileID]:
        rows = self._transaction.all(query)
        holds = self._holds([row.id for row in rows])
        found = [_mobile_id(row, holds.get(row.id, frozenset())) for row in rows]
        self._versions.update((one.id, one.version) for one in found)
        return found

    def _holds(self, ids: Sequence[str]) -> dict[str, frozenset[Hold]]:
        if not ids:
            return {}
        found: dict[str, frozenset[Hold]] = {}
        query = select(mobile_id_holds).where(mobile_id_holds.c.mobile_id.in_(ids))
        for row in self._transaction.all(query):
            found[row.mobile_id] = found.get(row.mobile_id, frozenset()) | {Hold(row.hold)}
        return found


def _conflict(stored: MobileID, read: int) -> VersionConflict:
    return VersionConflict(
        f"Mobile ID {stored.id} is at version {stored.version}, not {read} any more; "
        "look at it again before you change it."
    )


def _mobile_id(row: Row[Any], holds: frozenset[Hold]) -> MobileID:
    return MobileID(
        id=row.id,
        user_id=row.user_id,
        state=row.state,
        profile_name=row.profile_name,
        server_name=row.server_name,
        user_label=row.user_label,
        created_at=row.created_at,
        changed_at=row.changed_at,
        version=row.version,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        device=_device(row),
        holds=holds,
        failure=row.failure,
        locked_at=row.locked_at,
        locked_by=_locked_by(row),
        locked_for=LockReason(row.locked_for) if row.locked_for else None,
    )


def _device(row: Row[Any]) -> Device | None:
    if row.device_name is None:
        return None
    return Device(name=row.device_name, platform=row.device_platform, model=row.device_model)


def _locked_by(row: Row[Any]) -> Actor | None:
    if row.locked_by_kind is None:
        return None
    return Actor(ActorKind(row.locked_by_kind), row.locked_by_id)


def _values(mobile_id: MobileID) -> dict[str, Any]:
    device, locked_by = mobile_id.device, mobile_id.locked_by
    return {
        "id": mobile_id.id,
        "user_id": mobile_id.user_id,
        "state": mobile_id.state,
        "profile_name": mobile_id.profile_name,
        "server_name": mobile_id.server_name,
        "user_label": mobile_id.user_label,
        "created_at": mobile_id.created_at,
        "changed_at": mobile_id.changed_at,
        "version": mobile_id.version,
        "valid_from": mobile_id.valid_from,
        "valid_to": mobile_id.valid_to,
        "device_name": device.name if device else None,
        "device_platform": device.platform if device else None,
        "device_model": device.model if device else None,
        "failure": mobile_id.failure,
        "locked_at": mobile_id.locked_at,
        "locked_by_kind": locked_by.kind if locked_by else None,
        "locked_by_id": locked_by.id if locked_by else None,
        "locked_for": mobile_id.locked_for,
    }
