"""Users for SCIM: what can be found by, their values beside the row, and their mobile IDs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, insert, literal_column, select

from mobid.storage.scim import Place, among_rows, exact, folded
from mobid.storage.tables import mobile_ids, user_values, users
from mobid.storage.users import USER_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from mobid.storage.scim import Term, Terms
    from mobid.storage.users import UserRow

# Word for word the condition of the partial index, which serves no other.
_THERE: Final = users.c.state != literal_column("'deleted'")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserValue:
    """One value that is kept beside its user's row, to be found by; the key is case-folded."""

    attr: str
    value: str
    value_key: str
    position: int = 0
    type: str | None = None
    is_primary: bool = False


def user_place(client: str) -> Place:
    """Return where users are, as a client sees them."""
    return Place(users, "User", client, _THERE)


def user_terms(client: str, values: Mapping[str, str]) -> Terms:
    """Return what users can be filtered by; `values` maps more paths to `UserValue.attr`."""
    columns: dict[str, Term] = {
        "id": exact(users.c.id),
        "externalId": user_place(client).external_id(),
        "userName": folded(users.c.user_name_key),
        "displayName": folded(users.c.display_name_key),
        "name.familyName": folded(users.c.family_name_key),
        "name.givenName": folded(users.c.given_name_key),
        # Where the attribute is assigned, it says what the state is.
        "active": exact(users.c.scim_active),
        "meta.created": exact(users.c.created_at),
        "meta.lastModified": exact(users.c.changed_at),
    }
    return columns | {path: _value_term(attr) for path, attr in values.items()}


def user_row(row: Row[Any]) -> UserRow:
    """Return a found row as what can be changed and written back."""
    return USER_ROWS.entity(row)


def keep_values(connection: Connection, user_id: str, values: Sequence[UserValue]) -> None:
    """Write the values of a user in the place of earlier ones."""
    connection.execute(delete(user_values).where(user_values.c.user_id == user_id))
    rows = [
        {
            "user_id": user_id,
            "value_key_reversed": one.value_key[::-1],
            **asdict(one),
        }
        for one in values
    ]
    if rows:
        connection.execute(insert(user_values), rows)


def mobile_ids_of(connection: Connection, user_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Return the rows of the mobile IDs of some users, the newest first."""
    table = mobile_ids.c
    query = select(mobile_ids).where(table.user_id.in_(user_ids), table.deleted_at.is_(None))
    return connection.execute(query.order_by(table.created_at.desc(), table.id)).all()


def _value_term(attr: str) -> Term:
    owners = select(user_values.c.user_id).where(user_values.c.attr == attr)
    return among_rows(users.c.id, owners, folded(user_values.c.value_key))
