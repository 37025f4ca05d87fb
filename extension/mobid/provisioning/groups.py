"""Groups over SCIM: a name and members, who are users and other groups."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override

from mobid.provisioning.keys import checked_external_id, checked_key, unique
from mobid.provisioning.members import first_members, planned
from mobid.provisioning.reading import Repository
from mobid.provisioning.types import GROUP_TYPE
from mobid.storage.groups import (
    GroupRow,
    delete_group,
    group_row,
    insert_group,
    leave_groups,
    update_group,
)
from mobid.storage.scim_groups import group_attributes, group_place, members_of
from mobid_scim.resource import StoredResource
from mobid_scim.rows import KEY, RowChanges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from mobid.storage.scim import Place
    from mobid.storage.scim_filter import Attributes
    from mobid.storage.unit_of_work import SQLUnit
    from mobid_scim.projection import Projection
    from mobid_scim.repository import Change
    from mobid_scim.resource import Resource, Values

_MEMBERS: Final = "members"
_ATTRIBUTES: Final = group_attributes(schema=GROUP_TYPE.schema.id)


@dataclass(frozen=True, slots=True)
class Groups(Repository):
    """Implements the engine's `Writes` and `Deletes`, too. Members are never loaded to change one."""

    @property
    @override
    def place(self) -> Place:
        return group_place(self.caller.client, self.parts.base_url)

    @override
    def attributes(self) -> Attributes:
        return _ATTRIBUTES

    @override
    def shown(
        self, connection: Connection, rows: Sequence[Row[Any]], projection: Projection
    ) -> list[StoredResource]:
        members = self._members(connection, [row.id for row in rows], projection)
        return [_shown(row, row.external_id, members.get(row.id)) for row in rows]

    def create(self, resource: Resource, *, projection: Projection) -> StoredResource:
        """Store a new group with its members, or raise InvalidValue for one that cannot be."""
        with unique(resource), self.writing() as unit:
            moves = first_members(unit.connection, _members_in(resource))
            row = GroupRow(
                id=str(uuid.uuid4()),
                client=self.caller.client,
                created_at=unit.now,
                changed_at=unit.now,
                **_names(resource),
            )
            insert_group(unit.connection, row)
            moves.carry_out(unit.connection, row.id)
            own = checked_external_id(resource)
            self.place.keep_external_id(unit.connection, row.id, None, own)
            actor = self.caller.actor
            unit.audit(actor, "group.create", "group", row.id, added=moves.added)
            return self._written(unit, row, own, projection)

    def replace(
        self, change: Change, *, expected_version: str | None, projection: Projection
    ) -> StoredResource:
        """Store a changed group; members that are as they are wanted change nothing."""
        rows = change.rows.get(_MEMBERS, RowChanges())
        with unique(change.after), self.writing() as unit:
            moves = planned(unit.connection, change.id, rows, expected_version=expected_version)
            if change.rows_only and not moves:
                return self.one(unit.connection, change.id, projection)
            found = self.row(unit.connection, change.id)
            before, own = group_row(found), found.external_id
            after = replace(before, version=before.version + 1, changed_at=unit.now)
            if not change.rows_only:
                after = replace(after, **_names(change.after))
                own = checked_external_id(change.after)
                self.place.keep_external_id(unit.connection, change.id, found.external_id, own)
            update_group(unit.connection, before, after)
            moves.carry_out(unit.connection, change.id)
            counts = {"added": moves.added, "removed": len(moves.gone)}
            unit.audit(self.caller.actor, "group.update", "group", change.id, **counts)
            return self._written(unit, after, own, projection)

    def delete(self, resource_id: str, *, expected_version: str | None) -> None:
        """Delete a group: nobody is in it any more, and it is in no other one."""
        with self.writing() as unit:
            planned(unit.connection, resource_id, RowChanges(), expected_version=expected_version)
            around = leave_groups(unit.connection, resource_id, at=unit.now)
            self.place.forget_external_ids(unit.connection, resource_id)
            removed = delete_group(unit.connection, resource_id)
            counts = {"removed": removed, "groups": around}
            unit.audit(self.caller.actor, "group.delete", "group", resource_id, **counts)

    def _written(
        self, unit: SQLUnit, row: GroupRow, external_id: str | None, projection: Projection
    ) -> StoredResource:
        """Return what was written, with the members that it has by now."""
        members = self._members(unit.connection, [row.id], projection)
        return _shown(row, external_id, members.get(row.id))

    def _members(
        self, connection: Connection, ids: Sequence[str], projection: Projection
    ) -> dict[str, list[object]]:
        """Return the members of groups that have some, as far as the answer needs them."""
        found: dict[str, list[object]] = {}
        if not projection.wants(_MEMBERS):
            return found
        names = projection.wants(f"{_MEMBERS}.display")
        for one in members_of(connection, ids, names=names):
            shown = {KEY: one.member_id}
            if one.kind is not None:
                shown["$ref"] = f"{self.parts.base_url}/{one.kind}s/{one.member_id}"
                shown["type"] = one.kind
                if names:
                    shown["display"] = one.display
            found.setdefault(one.group_id, []).append(shown)
        return found


def _shown(
    row: Row[Any] | GroupRow, external_id: str | None, members: list[object] | None
) -> StoredResource:
    return StoredResource(
        id=row.id,
        version=str(row.version),
        created=row.created_at,
        last_modified=row.changed_at,
        document=row.doc,
        external_id=external_id,
        computed={} if members is None else {_MEMBERS: members},
    )


def _names(resource: Resource) -> dict[str, Any]:
    """Return what the client decides."""
    name = str(resource.get("displayName"))
    key = checked_key("displayName", name.casefold())
    return {"display_name": name, "display_name_key": key, "doc": resource.document()}


def _members_in(resource: Resource) -> dict[str, Values]:
    members = resource.get(_MEMBERS)
    rows = members if isinstance(members, list) else []
    return {str(row[KEY]): row for row in rows}
