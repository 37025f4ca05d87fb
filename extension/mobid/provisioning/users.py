"""Users over SCIM: what a client writes, and what follows for the mobile ID, is one transaction."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from mobid.domain.users import UserState
from mobid.processes.cascades import (
    email_changed,
    user_deactivated,
    user_deleted,
    user_reactivated,
)
from mobid.provisioning.keys import checked_external_id, unique
from mobid.provisioning.reading import Repository
from mobid.provisioning.types import USER_EXTENSION
from mobid.provisioning.user_rows import DOCUMENTS, changed_row, new_row
from mobid.storage.groups import leave_groups
from mobid.storage.memberships import GROUPS_IN
from mobid.storage.scim_users import mobile_ids_of, user_attributes, user_place, user_row
from mobid.storage.users import insert_user, update_user
from mobid_scim.errors import PreconditionFailed
from mobid_scim.resource import StoredResource
from mobid_scim.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from mobid.storage.scim import Place
    from mobid.storage.scim_filter import Attributes
    from mobid.storage.unit_of_work import SQLUnit
    from mobid.storage.users import UserRow
    from mobid_scim.projection import Projection
    from mobid_scim.repository import Change
    from mobid_scim.resource import Resource

_GROUPS: Final = "groups"
_MOBILE_IDS: Final = f"{USER_EXTENSION.id}:mobileIds"
_ATTRIBUTES: Final = user_attributes(profiles=_MOBILE_IDS)


@dataclass(frozen=True, slots=True)
class Users(Repository):
    """Implements the engine's `Writes` and `Deletes`, too.

    Where a document has `active`, it says what the state is: the state moves only with it.
    """

    @property
    @override
    def place(self) -> Place:
        return user_place(self.caller.client, self.parts.base_url)

    @override
    def attributes(self) -> Attributes:
        return _ATTRIBUTES

    @override
    def shown(
        self, connection: Connection, rows: Sequence[Row[Any]], projection: Projection
    ) -> list[StoredResource]:
        computed = self._computed(connection, [row.id for row in rows], projection)
        return [_shown(row, row.external_id, computed.get(row.id, {})) for row in rows]

    def create(self, resource: Resource, *, projection: Projection) -> StoredResource:
        """Store a new user, who is active unless the client says otherwise."""
        del projection  # A new user is in no group and has no mobile ID, whoever asks.
        with unique(resource), self.writing() as unit:
            row = new_row(resource, self.caller.client, unit.now)
            insert_user(unit.connection, row)
            DOCUMENTS.write(unit.connection, row.id, resource)
            own = checked_external_id(resource)
            self.place.keep_external_id(unit.connection, row.id, None, own)
            unit.audit(self.caller.actor, "user.create", "user", row.id)
            return _shown(row, own, {})

    def replace(
        self, change: Change, *, expected_version: str | None, projection: Projection
    ) -> StoredResource:
        """Store a changed user; suspend or release the mobile ID if `active` has moved."""
        with unique(change.after), self.writing() as unit:
            found = self.row(unit.connection, change.id, lock=True)
            before = user_row(found)
            row = changed_row(before, change.after, unit.now)
            _write(unit, before, row, expected_version)
            DOCUMENTS.change(unit.connection, row.id, change.before, change.after)
            own = checked_external_id(change.after)
            self.place.keep_external_id(unit.connection, row.id, found.external_id, own)
            if row.state is not before.state:
                self._follow(unit, row)
            if row.email != before.email:
                user = unit.users.get(row.id)
                email_changed(unit, user, before.email, by=self.caller.actor)
            unit.audit(self.caller.actor, "user.update", "user", row.id)
            computed = self._computed(unit.connection, [row.id], projection)
            return _shown(row, own, computed.get(row.id, {}))

    def delete(self, resource_id: str, *, expected_version: str | None) -> None:
        """Leave a tombstone, and lock the mobile ID; names and identifiers are free again."""
        with self.writing() as unit:
            before = user_row(self.row(unit.connection, resource_id, lock=True))
            gone = replace(
                before,
                state=UserState.DELETED,
                version=before.version + 1,
                changed_at=unit.now,
                deleted_at=unit.now,
            )
            _write(unit, before, gone, expected_version)
            # The guard may keep the identifiers for an operator who restores the user.
            user_deleted(unit, resource_id, by=self.caller.actor, guard=self.parts.guard)
            self.place.forget_external_ids(unit.connection, resource_id)
            left = leave_groups(unit.connection, resource_id, at=unit.now)
            unit.audit(self.caller.actor, "user.delete", "user", resource_id, groups=left)

    def _follow(self, unit: SQLUnit, row: UserRow) -> None:
        """Do to the mobile ID what the user's new state asks for."""
        actor = self.caller.actor
        if row.state is UserState.INACTIVE:
            user_deactivated(unit, row.id, by=actor, guard=self.parts.guard)
            unit.audit(actor, "user.deactivate", "user", row.id)
        else:
            user_reactivated(unit, row.id, self.parts.settlement, by=actor)
            unit.audit(actor, "user.activate", "user", row.id)

    def _computed(
        self, connection: Connection, user_ids: Sequence[str], projection: Projection
    ) -> dict[str, dict[str, object]]:
        """Return what users have besides their documents, as far as the answer needs it."""
        found: dict[str, dict[str, object]] = defaultdict(dict)
        if projection.wants(_GROUPS):
            for user_id, ones in self._groups(connection, user_ids).items():
                found[user_id][_GROUPS] = ones
        if projection.wants(_MOBILE_IDS):
            for user_id, ones in self._mobile_ids(connection, user_ids).items():
                found[user_id][USER_EXTENSION.id] = {"mobileIds": ones}
        return found

    def _groups(self, connection: Connection, user_ids: Sequence[str]) -> dict[str, list[object]]:
        """Return the groups of users who are in some."""
        found: dict[str, list[object]] = {}
        for one in connection.execute(GROUPS_IN, {"users": user_ids}):
            shown = {
                "value": one.id,
                "$ref": f"{self.parts.base_url}/Groups/{one.id}",
                "display": one.display_name,
                "type": "direct" if one.is_direct else "indirect",
            }
            found.setdefault(one.user_id, []).append(shown)
        return found

    def _mobile_ids(
        self, connection: Connection, user_ids: Sequence[str]
    ) -> dict[str, list[object]]:
        """Return the mobile IDs of users who have some."""
        found: dict[str, list[object]] = {}
        for one in mobile_ids_of(connection, user_ids):
            shown = {
                "value": one.id,
                "$ref": f"{self.parts.base_url}/MobileIDs/{one.id}",
                "display": one.profile_name,
                "state": one.state,
            }
            found.setdefault(one.user_id, []).append(shown)
        return found


def _shown(
    row: Row[Any] | UserRow, external_id: str | None, computed: Mapping[str, object]
) -> StoredResource:
    return StoredResource(
        id=row.id,
        version=str(row.version),
        created=row.created_at,
        last_modified=row.changed_at,
        document=row.doc,
        external_id=external_id,
        computed=computed,
    )


def _write(unit: SQLUnit, before: UserRow, after: UserRow, expected_version: str | None) -> None:
    expected = expected_version in {None, str(before.version)}
    if not (expected and update_user(unit.connection, before, after)):
        raise PreconditionFailed(
            f"User {quoted(after.id)} was changed by somebody else; read it again."
        )
