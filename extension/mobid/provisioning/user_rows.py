"""A written User as a row: what certificates, mails and searches read of it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mobid.domain.users import UserState
from mobid.provisioning.keys import checked_key
from mobid.provisioning.types import USER_EXTENSION, USER_TYPE
from mobid.storage.document_rows import Documents
from mobid.storage.users import UserRow

if TYPE_CHECKING:
    from datetime import datetime

    from mobid_scim.resource import Resource

DOCUMENTS: Final = Documents(USER_TYPE)
"""Writes what users are found by, beside their rows."""

_EMAILS: Final = "emails"


def new_row(resource: Resource, client: str, at: datetime) -> UserRow:
    """Return the row of a new user, who is active unless the client says otherwise."""
    return UserRow(
        id=str(uuid.uuid4()),
        client=client,
        created_at=at,
        changed_at=at,
        **_columns(resource, UserState.ACTIVE),
    )


def changed_row(before: UserRow, resource: Resource, at: datetime) -> UserRow:
    """Return the next version of a row."""
    columns = _columns(resource, before.state)
    return replace(before, version=before.version + 1, changed_at=at, **columns)


def _columns(resource: Resource, state: UserState) -> dict[str, Any]:
    """Return what the client decides; the state holds unless it has written `active`."""
    active = resource.get("active")
    if active is not None:
        state = UserState.ACTIVE if active else UserState.INACTIVE
    return {
        "state": state,
        "user_name": resource.get("userName"),
        "user_name_key": _key("userName", resource.get("userName")),
        "display_name": _display_name(resource),
        "display_name_key": _key("displayName", resource.get("displayName")),
        "family_name_key": _key("name.familyName", resource.get("name", sub="familyName")),
        "given_name_key": _key("name.givenName", resource.get("name", sub="givenName")),
        "email": _email(resource),
        "principal_name": _text(resource.get("principalName", extension=USER_EXTENSION.id)),
        "scim_active": active,
        "doc": resource.document(),
    }


def _display_name(resource: Resource) -> str:
    """Return the name for certificates and greetings: the best that there is."""
    parts = (resource.get("name", sub="givenName"), resource.get("name", sub="familyName"))
    names = (
        resource.get("displayName"),
        resource.get("name", sub="formatted"),
        " ".join(part for part in map(_text, parts) if part),
        resource.get("userName"),
    )
    return next(name for name in map(_text, names) if name)


def _email(resource: Resource) -> str | None:
    """Return the primary address, or else the first."""
    emails = sorted(_emails(resource), key=lambda item: item.get("primary") is not True)
    return next((text for item in emails if (text := _text(item.get("value")))), None)


def _emails(resource: Resource) -> list[dict[str, object]]:
    items = resource.get(_EMAILS)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _text(value: object) -> str | None:
    """Return what is not blank, without the spaces around it."""
    return (value.strip() or None) if isinstance(value, str) else None


def _key(place: str, value: object) -> str | None:
    """Return the case-folded text, or raise InvalidValue."""
    return checked_key(place, value.casefold()) if isinstance(value, str) else None
