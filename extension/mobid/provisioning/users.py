"""Users over SCIM: what a client writes, and what follows for the mobile ID, is one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from mobid.domain.users import UserState
from mobid.processes.cascades import user_deactivated, user_deleted, user_reactivated
from mobid.provisioning.keys import checked_external_id, unique
from mobid.provisioning.reading import Repository
from mobid.provisioning.types import USER_EXTENSION
from mobid.provisioning.user_rows import SEARCHED, changed_row, new_row, values_of
from mobid.storage.scim_users import keep_values, mobile_ids_of, user_place, user_row, user_terms
from mobid.storage.users import insert_user, update_user
from mobid_scim.errors import PreconditionFailed
from mobid_scim.path import quoted
from mobid_scim.resource import StoredResource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from mobid.storage.scim import Place, Terms
    from mobid.storage.unit_of_work import SQLUnit
    from mobid.storage.users import UserRow
    from mobid_scim.projection import Projection
    from mobid_scim.repository import Change
    from mobid_scim.resource import Resource


@dataclass(frozen=True, slots=True)
class Users(Repository):
    """Implements the engine's `Writes` and `Deletes`, too.

    Where a document has `active`, it says what the state is: the state moves only with it.
    """

    @property
    @override
    def place(self) -> Place:
        return user_place(self.caller.client)

    @override
    def terms(self) -> Terms:
        return user_terms(self.caller.client, SEARCHED)

    @override
    def shown(
        self, connection: Connection, rows: Sequence[Row[Any]], projection: Projection
    ) -> list[StoredResource]:
        computed: dict[str, dict[str, object]] = {}
        if projection.wants(f"{USER_EXTENSION.id}:mobileIds"):
            computed = self._mobile_ids(connection, [row.id for row in rows])
        return [
            StoredResource(
                id=row.id,
                version=str(row.version),
                created=row.created_at,
                last_modified=row.changed_at,
                document=row.doc,
                external_id=row.external_id,
                computed=computed.get(row.id, {}),
            )
            for row in rows
        ]

    def create(self, resource: Resource, *, projection: Projection) -> StoredResource:
        """Store a new user, who is active unless the client says otherwise."""
        with unique(resource), self.parts.units() as unit:
            row = new_row(resource, self.caller.client, unit.now)
            insert_user(unit.connection, row)
            return self._finished(unit, "user.create", row, resource, projection)

    def replace(
        self, change: Change, *, expected_version: str, projection: Projection
    ) -> StoredResource:
        """Store a changed user; suspend or release the mobile ID if `active` has moved."""
        with unique(change.after), self.parts.units() as unit:
            before = self._locked(unit, change.id)
            row = changed_row(before, change.after, unit.now)
            _write(unit, row, expected_version)
            if row.state is not before.state:
                self._follow(unit, row)
            return self._finished(unit, "user.update", row, change.after, projection)

    def delete(self, resource_id: str, *, expected_version: str | None) -> None:
        """Leave a tombstone, and lock the mobile ID; names and identifiers are free again."""
        with self.parts.units() as unit:
            before = self._locked(unit, resource_id)
            gone = replace(
                before,
                state=UserState.DELETED,
                version=before.version + 1,
                changed_at=unit.now,
                deleted_at=unit.now,
            )
            _write(unit, gone, expected_version or str(before.version))
            # The guard may keep the identifiers for an operator who restores the user.
            user_deleted(unit, resource_id, by=self.caller.actor, guard=self.parts.guard)
            self.place.forget_external_ids(unit.connection, resource_id)
            unit.audit(self.caller.actor, "user.delete", "user", resource_id)
            unit.commit()

    def _locked(self, unit: SQLUnit, user_id: str) -> UserRow:
        """Return the row of a user about whom nobody else writes until the end of the unit."""
        unit.users.lock(user_id)
        return user_row(self.row(unit.connection, user_id))

    def _follow(self, unit: SQLUnit, row: UserRow) -> None:
        """Do to the mobile ID what the user's new state asks for."""
        actor = self.caller.actor
        if row.state is UserState.INACTIVE:
            user_deactivated(unit, row.id, by=actor, guard=self.parts.guard)
            unit.audit(actor, "user.deactivate", "user", row.id)
        else:
            user_reactivated(unit, row.id, self.parts.settlement, by=actor)
            unit.audit(actor, "user.activate", "user", row.id)

    def _finished(
        self,
        unit: SQLUnit,
        action: str,
        row: UserRow,
        resource: Resource,
        projection: Projection,
    ) -> StoredResource:
        """Write what stands beside the row, commit, and return what this has made."""
        keep_values(unit.connection, row.id, values_of(resource))
        self.place.keep_external_id(unit.connection, row.id, checked_external_id(resource))
        unit.audit(self.caller.actor, action, "user", row.id)
        made = self.one(unit.connection, row.id, projection)
        unit.commit()
        return made

    def _mobile_ids(
        self, connection: Connection, user_ids: Sequence[str]
    ) -> dict[str, dict[str, object]]:
        """Return the computed values of users who have mobile IDs."""
        found: dict[str, list[object]] = {}
        for one in mobile_ids_of(connection, user_ids):
            shown = {
                "value": one.id,
                "$ref": f"{self.parts.base_url}/MobileIDs/{one.id}",
                "display": one.profile_name,
                "state": one.state,
            }
            found.setdefault(one.user_id, []).append(shown)
        return {user: {USER_EXTENSION.id: {"mobileIds": ids}} for user, ids in found.items()}


def _write(unit: SQLUnit, row: UserRow, expected_version: str) -> None:
    if not update_user(unit.connection, row, version=int(expected_version)):
        raise PreconditionFailed(
            f"User {quoted(row.id)} was changed by somebody else; read it again."
        )
