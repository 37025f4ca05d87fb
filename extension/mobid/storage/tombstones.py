"""Deleted users who may come back: what they were known by is kept, and given back if it is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, delete, insert, literal, select, update

from mobid.domain.users import UserState
from mobid.processes.errors import UserNotRestorable
from mobid.storage.groups import add_members, groups_around, lock_groups, members_among
from mobid.storage.tables import (
    external_ids,
    former_external_ids,
    former_memberships,
    groups,
    users,
)

if TYPE_CHECKING:
    from mobid.storage.transaction import Transaction

_USER: Final = "User"


def keep_names(transaction: Transaction, user_id: str) -> None:
    """Note the identifiers and the groups of a user, before they are gone."""
    table = external_ids.c
    mine = (table.resource_type == _USER, table.resource_id == user_id)
    given = select(literal(user_id), table.client, table.external_id).where(*mine)
    transaction.write(
        insert(former_external_ids).from_select(["user_id", "client", "external_id"], given)
    )
    around = groups_around(transaction.writable(), user_id)
    if around:
        rows = [{"user_id": user_id, "group_id": group_id} for group_id in around]
        transaction.write(insert(former_memberships), rows)


def restore(transaction: Transaction, user_id: str, state: UserState) -> None:
    """Make a tombstone a user again; raise `UserNotRestorable` where a name is taken by now."""
    user = transaction.first(select(users).where(users.c.id == user_id))
    if user is None or user.state is not UserState.DELETED:
        raise UserNotRestorable(user_id, "only a deleted user can be")
    _name_must_be_free(transaction, user_id, user.user_name, user.user_name_key)
    _identifiers_must_be_free(transaction, user_id)
    transaction.write(
        update(users)
        .where(users.c.id == user_id)
        .values(
            state=state,
            deleted_at=None,
            changed_at=transaction.now,
            version=users.c.version + 1,
        )
    )
    _give_back_identifiers(transaction, user_id)
    _give_back_memberships(transaction, user_id)


def _name_must_be_free(transaction: Transaction, user_id: str, name: str, key: str) -> None:
    there = users.c.state != UserState.DELETED
    other = transaction.first(select(users.c.id).where(users.c.user_name_key == key, there))
    if other is not None:
        raise UserNotRestorable(
            user_id,
            f'user {other.id} has the userName "{name}" now; rename or delete that one first',
        )


def _identifiers_must_be_free(transaction: Transaction, user_id: str) -> None:
    taken = select(external_ids).join(
        former_external_ids,
        and_(
            external_ids.c.resource_type == _USER,
            external_ids.c.client == former_external_ids.c.client,
            external_ids.c.external_id == former_external_ids.c.external_id,
        ),
    )
    found = transaction.first(taken.where(former_external_ids.c.user_id == user_id))
    if found is not None:
        raise UserNotRestorable(
            user_id,
            f'{found.client} knows user {found.resource_id} by the externalId "{found.external_id}" '
            "now; take it off that one first",
        )


def _give_back_identifiers(transaction: Transaction, user_id: str) -> None:
    table = former_external_ids.c
    kept = select(literal(_USER), table.client, table.external_id, literal(user_id)).where(
        table.user_id == user_id
    )
    columns = ["resource_type", "client", "external_id", "resource_id"]
    transaction.write(insert(external_ids).from_select(columns, kept))
    transaction.write(delete(former_external_ids).where(table.user_id == user_id))


def _give_back_memberships(transaction: Transaction, user_id: str) -> None:
    """Put a user back into those groups that there still are; each of them changes."""
    mine = former_memberships.c.user_id == user_id
    ids = [row.group_id for row in transaction.all(select(former_memberships).where(mine))]
    connection = transaction.writable()
    for group_id, version in sorted(lock_groups(connection, ids).items()):
        if not members_among(connection, group_id, [user_id]):
            add_members(connection, group_id, user_ids=[user_id])
            change = update(groups).where(groups.c.id == group_id)
            transaction.write(change.values(version=version + 1, changed_at=transaction.now))
    transaction.write(delete(former_memberships).where(mine))
