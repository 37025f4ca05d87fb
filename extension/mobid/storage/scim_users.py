"""Users for SCIM: what they are searched by, and what is shown of them beside their documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, literal_column, select, type_coerce

from mobid.storage.given import is_given
from mobid.storage.scim import Place, ResourceTable, address
from mobid.storage.scim_documents import InColumn, in_documents
from mobid.storage.scim_filter import Attributes, Relation, in_row
from mobid.storage.scim_groups import groups_of_users
from mobid.storage.scim_values import Plain, Words
from mobid.storage.tables import mobile_ids, users
from mobid.storage.users import USER_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from mobid.storage.users import UserRow

# Word for word the condition of the partial index, which serves no other.
_THERE: Final = users.c.state != literal_column("'deleted'")


_USERS: Final = ResourceTable(
    users,
    "User",
    _THERE,
    (users.c.id, users.c.version, users.c.created_at, users.c.changed_at, users.c.doc),
    gone=users.c.state == literal_column("'deleted'"),
)
_MOBILE_IDS_OF: Final = (
    select(mobile_ids)
    .where(
        is_given(mobile_ids.c.user_id, "users"),
        mobile_ids.c.deleted_at.is_(None),
    )
    .order_by(mobile_ids.c.created_at.desc(), mobile_ids.c.id)
)


def user_place(client: str, base_url: str) -> Place:
    """Return where users are, as a client sees them."""
    return Place(_USERS, client, base_url)


def user_attributes(*, profiles: str) -> Attributes:
    """Return what users are searched by; `profiles` is the attribute that tells of mobile IDs."""
    columns = {
        "userName": users.c.user_name_key,
        "displayName": users.c.display_name_key,
        "name.familyName": users.c.family_name_key,
        "name.givenName": users.c.given_name_key,
    }
    return Attributes(
        named={
            **_USERS.common(),
            **{path: in_row(InColumn(column, attr=path)) for path, column in columns.items()},
            # Where the attribute is assigned, it says what the state is.
            "active": in_row(Plain(users.c.scim_active)),
        },
        several={
            "groups": groups_of_users(),
            profiles: _mobile_ids(),
        },
        others=in_documents,
    )


def user_row(row: Row[Any]) -> UserRow:
    """Return a found row as what can be changed and written back."""
    return USER_ROWS.entity(row)


def mobile_ids_of(connection: Connection, user_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Return the rows of the mobile IDs of some users, the newest first."""
    return connection.execute(_MOBILE_IDS_OF, {"users": user_ids}).all()


def _mobile_ids() -> Relation:
    table = mobile_ids.c
    return Relation(
        resource=users.c.id,
        owner=table.user_id,
        rows=mobile_ids,
        where=table.deleted_at.is_(None),
        subs={
            "value": Words(table.id),
            "$ref": Words(address("MobileID", table.id)),
            "display": Words(table.profile_name),
            "state": Words(type_coerce(table.state, Text)),
        },
    )
