"""Users as the processes see them, read from what SCIM wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, insert, literal_column, select, update

from mobid.domain.users import User, UserState
from mobid.processes.errors import NotFound
from mobid.storage.columns import is_storable
from mobid.storage.mapping import RowMap
from mobid.storage.memberships import GROUPS_IN
from mobid.storage.tables import users
from mobid.storage.tombstones import keep_names, restore

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from mobid.storage.transaction import Transaction

_SCHEMA: Final = "urn:"
_NAME: Final = "name"
_SEEN: Final = (
    users.c.id,
    users.c.state,
    users.c.user_name,
    users.c.display_name,
    users.c.email,
    users.c.principal_name,
    users.c.doc,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """One row of `users`: whoever writes it has decided every column."""

    id: str
    state: UserState
    user_name: str
    user_name_key: str
    display_name: str
    display_name_key: str | None = None
    family_name_key: str | None = None
    given_name_key: str | None = None
    email: str | None = None
    principal_name: str | None = None
    scim_active: bool | None = None
    version: int = 1
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None = None
    client: str
    doc: str


_USERS: Final = RowMap(User, apart={"attributes"})
USER_ROWS: Final = RowMap(UserRow)


_INSERT: Final = insert(users)
_UPDATE: Final = update(users).where(
    users.c.id == bindparam("its_id"), users.c.version == bindparam("its_version")
)


class SQLUsers:
    """Implements the port `Users`."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def get(self, user_id: str) -> User:
        """Return a user, a deleted one included; raise `NotFound`."""
        if is_storable(user_id):
            row = self._transaction.first(_query(user_id))
            if row is not None:
                return self._users([row])[0]
        raise NotFound("user", user_id)

    def lock(self, user_id: str) -> User:
        """Return a user whom nobody else writes about until this unit of work ends.

        On SQLite the unit has the only write lock already.
        """
        if is_storable(user_id):
            row = self._transaction.write(_query(user_id).with_for_update()).first()
            if row is not None:
                return self._users([row])[0]
        raise NotFound("user", user_id)

    def several(self, user_ids: Sequence[str]) -> Sequence[User]:
        """Return those of these users who are there, in any order."""
        return self._users(
            self._transaction.all(select(*_SEEN).where(users.c.id.in_(sorted(set(user_ids)))))
        )

    def count(self) -> int:
        """Return how many users there are who are not deleted; it reads every one."""
        there = users.c.state != literal_column("'deleted'")
        row = self._transaction.first(select(func.count().label("number")).where(there))
        return row.number if row else 0

    def keep_names(self, user_id: str) -> None:
        """Note what a user is known by, so that `restore` can bring it back."""
        keep_names(self._transaction, user_id)

    def restore(self, user_id: str, state: UserState) -> None:
        """Bring a deleted user back in this state, with their names; raise `UserNotRestorable`."""
        restore(self._transaction, user_id, state)

    def there(self, limit: int) -> Sequence[User]:
        """Return users who are not deleted, by name."""
        query = select(*_SEEN).where(users.c.state != UserState.DELETED)
        rows = self._transaction.all(query.order_by(users.c.user_name_key).limit(limit))
        return self._users(rows)

    def meeting(
        self, condition: ColumnElement[bool], values: Mapping[str, Any], *, after: str, limit: int
    ) -> Sequence[User]:
        """Return users who are not deleted and meet a condition, by id, from the one after an id.

        `values` are those that the condition leaves open.
        """
        query = select(*_SEEN).where(users.c.state != UserState.DELETED, users.c.id > after)
        page = query.where(condition).order_by(users.c.id).limit(limit)
        return self._users(self._transaction.all(page.params(values)))

    def count_meeting(self, condition: ColumnElement[bool], values: Mapping[str, Any]) -> int:
        """Return how many users are not deleted and meet a condition, with its values."""
        there = users.c.state != UserState.DELETED
        query = select(func.count().label("number")).select_from(users).where(there, condition)
        row = self._transaction.first(query.params(values))
        return row.number if row else 0

    def _users(self, rows: Sequence[Row[Any]]) -> list[User]:
        """Return the users in rows, with the names of the groups that each is in, at any depth."""
        names: dict[str, dict[str, None]] = {row.id: {} for row in rows}
        for one in self._transaction.all(GROUPS_IN, {"users": list(names)}):
            names[one.user_id][one.display_name] = None
        return [
            _USERS.entity(
                row, attributes=script_attributes(json.loads(row.doc), groups=list(names[row.id]))
            )
            for row in rows
        ]


def insert_user(connection: Connection, row: UserRow) -> None:
    """Write a new user, and nothing beside; a taken user name is an IntegrityError."""
    connection.execute(_INSERT, _columns(row))


def update_user(connection: Connection, before: UserRow, after: UserRow) -> bool:
    """Write what is different if the user is still at the version before, and say whether it was.

    Most changes concern few columns, and SQLite writes every index of a column that it is given.
    """
    old, new = _columns(before), _columns(after)
    changed = {name: value for name, value in new.items() if value != old[name]}
    here = {"its_id": before.id, "its_version": before.version}
    return connection.execute(_UPDATE, {**changed, **here}).rowcount == 1


def _columns(row: UserRow) -> dict[str, Any]:
    return {**USER_ROWS.columns(row), "display_name_folded": row.display_name.casefold()}


def _query(user_id: str) -> Select[Any]:
    return select(*_SEEN).where(users.c.id == user_id)


def script_attributes(document: Mapping[str, Any], *, groups: Sequence[str]) -> dict[str, Any]:
    """Return the attributes of a SCIM document on one level, with the names of the user's groups.

    Scripts read `user.department` and `user.givenName`, wherever the schemas have them. A core
    attribute hides one of an extension that has its name.
    """
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if name.startswith(_SCHEMA) and isinstance(value, dict):
            flat = value | flat
        elif name == _NAME and isinstance(value, dict):
            flat |= value
        elif name != "schemas":
            flat[name] = value
    return flat | {"groups": list(groups)}
