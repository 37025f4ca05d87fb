"""MobileIDs over SCIM: orders, what became of each, and Lock by a client, through `active` or DELETE."""

from __future__ import annotations

import base64
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from typing_extensions import override

from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.domain.users import UserState
from mobid.processes.errors import NotFound
from mobid.processes.expiry import expire_if_over
from mobid.processes.locking import lock_profile
from mobid.processes.ordering import order
from mobid.provisioning.keys import checked_external_id, unique
from mobid.provisioning.owners import owner_in
from mobid.provisioning.reading import Repository
from mobid.provisioning.types import MOBILE_ID
from mobid.storage.scim_mobile_ids import (
    QUARANTINED,
    bury,
    certificates_of,
    mobile_id_attributes,
    mobile_id_place,
)
from mobid_scim.errors import InvalidValue, Mutability, PreconditionFailed
from mobid_scim.resource import StoredResource, timestamp
from mobid_scim.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from mobid.domain.mobile_ids import MobileID
    from mobid.domain.users import User
    from mobid.storage.scim import Place
    from mobid.storage.scim_filter import Attributes
    from mobid.storage.unit_of_work import SQLUnit
    from mobid_scim.projection import Projection
    from mobid_scim.repository import Change
    from mobid_scim.resource import Resource

_ATTRIBUTES: Final = mobile_id_attributes(schema=MOBILE_ID.id)
# Clients write nothing of a mobile ID that is kept as they wrote it.
_DOCUMENT: Final = orjson.dumps({"schemas": [MOBILE_ID.id]}).decode()


@dataclass(frozen=True, slots=True)
class MobileIDs(Repository):
    """Implements the engine's `Writes` and `Deletes`, too. `active` is true for a usable one only."""

    @property
    @override
    def place(self) -> Place:
        return mobile_id_place(self.caller.client, self.parts.base_url)

    @override
    def attributes(self) -> Attributes:
        return _ATTRIBUTES

    @override
    def shown(
        self, connection: Connection, rows: Sequence[Row[Any]], projection: Projection
    ) -> list[StoredResource]:
        certificates: dict[str, list[object]] = defaultdict(list)
        if projection.wants("certificates"):
            ids, der = [row.id for row in rows], projection.wants("certificates.value")
            for one in certificates_of(connection, ids, der=der):
                certificates[one.mobile_id].append(_certificate(one))
        return [
            StoredResource(
                id=row.id,
                version=str(row.version),
                created=row.created_at,
                last_modified=row.changed_at,
                document=_DOCUMENT,
                external_id=row.external_id,
                computed=_assigned(
                    user={
                        "value": row.user_id,
                        "$ref": f"{self.parts.base_url}/Users/{row.user_id}",
                    },
                    active=row.state is ProfileState.ACTIVE,
                    state=row.state,
                    profileName=row.profile_name,
                    serverName=row.server_name,
                    userId=row.user_label,
                    validFrom=_moment(row.valid_from),
                    validTo=_moment(row.valid_to),
                    device=_assigned(
                        name=row.device_name, platform=row.device_platform, model=row.device_model
                    ),
                    certificates=certificates[row.id],
                ),
            )
            for row in rows
        ]

    def create(self, resource: Resource, *, projection: Projection) -> StoredResource:
        """Order one for a user, who is invited; what it will be is decided when they open it."""
        if resource.get("active") is True:
            raise Mutability(
                "A mobile ID that is ordered cannot be used before its user has activated it; "
                "leave active out."
            )
        user_id = owner_in(resource.get("user"), self.parts.base_url)
        with unique(resource), self.writing() as unit:
            user = self._user(unit, user_id)
            lapses_after = self.parts.order_lapses_after
            profile = order(unit, user, by=self.caller.actor, lapses_after=lapses_after)
            own = checked_external_id(resource)
            self.place.keep_external_id(unit.connection, profile.id, None, own)
            return self.one(unit.connection, profile.id, projection)

    @staticmethod
    def _user(unit: SQLUnit, user_id: str) -> User:
        """Return a user about whom nobody else writes until the end of the unit."""
        try:
            user = unit.users.lock(user_id)
        except NotFound:
            user = None
        if user is None or user.state is UserState.DELETED:
            raise InvalidValue(f"user: there is no User {quoted(user_id)}.")
        return user

    def replace(
        self, change: Change, *, expected_version: str | None, projection: Projection
    ) -> StoredResource:
        """Store the client's identifier; lock the mobile ID if `active` goes from true to false."""
        active = change.after.get("active")
        moves = active != change.before.get("active")
        if moves and active is not False:
            raise Mutability(
                f"active of MobileID {quoted(change.id)} tells whether it can be used; "
                "all that can be written is false, which locks it."
            )
        with unique(change.after), self.writing() as unit:
            profile = self._locked(unit, change.id, expected_version)
            if moves and profile.live:
                lock_profile(unit, profile, by=self.caller.actor, reason=LockReason.OTHER)
            else:
                unit.save(profile.touch(at=unit.now))
            own = checked_external_id(change.after)
            was = change.before.external_id
            self.place.keep_external_id(unit.connection, change.id, was, own)
            unit.audit(self.caller.actor, "mobile_id.update", "mobile_id", change.id)
            return self.one(unit.connection, change.id, projection)

    def delete(self, resource_id: str, *, expected_version: str | None) -> None:
        """Lock it if it is live, and show it no more."""
        with self.writing() as unit:
            profile = self._locked(unit, resource_id, expected_version)
            if profile.live:
                lock_profile(unit, profile, by=self.caller.actor, reason=LockReason.REMOVED)
            bury(unit.connection, resource_id, at=unit.now)
            self.place.forget_external_ids(unit.connection, resource_id)
            unit.audit(self.caller.actor, "mobile_id.delete", "mobile_id", resource_id)

    @override
    def keep(self, unit: SQLUnit, resource_id: str) -> None:
        unit.users.lock(self.row(unit.connection, resource_id).user_id)

    def _locked(self, unit: SQLUnit, mobile_id: str, expected_version: str | None) -> MobileID:
        """Return a mobile ID as the clock has it; nobody else writes about its user meanwhile."""
        self.keep(unit, mobile_id)
        # Read again: it may have changed, or gone, before the lock was ours.
        version = str(self.row(unit.connection, mobile_id).version)
        if expected_version not in {None, version}:
            raise PreconditionFailed(
                f"MobileID {quoted(mobile_id)} was changed by somebody else; read it again."
            )
        return expire_if_over(unit, unit.mobile_ids.get(mobile_id))


def _certificate(row: Row[Any]) -> dict[str, object]:
    handed_out = None if row.quarantined else getattr(row, "der", None)
    return _assigned(
        type=row.kind,
        serial=row.serial,
        status=QUARANTINED if row.quarantined else row.wanted,
        caStatus=row.ca_state,
        notAfter=_moment(row.not_after),
        value=base64.b64encode(handed_out).decode() if handed_out else None,
    )


def _moment(at: datetime | None) -> str | None:
    return timestamp(at) if at else None


def _assigned(**values: object) -> dict[str, object]:
    """Return what has a value: null, "" and [] are the same as absent (RFC 7643, 2.5)."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
