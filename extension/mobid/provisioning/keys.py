"""The values that resources are known by: short enough for an index, and no two alike."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from mobid.storage import ConstraintBroken
from mobid.storage.columns import is_storable
from mobid_scim.errors import InvalidValue, Uniqueness
from mobid_scim.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid_scim.resource import Resource

_UNIQUE: Final = {"ux_users_user_name_key": "userName", "pk_external_ids": "externalId"}


def checked_key(place: str, text: str) -> str:
    """Return a text that an index can hold; raise InvalidValue for one that is too long."""
    if not is_storable(text):
        raise InvalidValue(f"{place} is searched by; at most 1,024 bytes of UTF-8 are kept.")
    return text


def checked_external_id(resource: Resource) -> str | None:
    """Return the client's own identifier, or raise InvalidValue."""
    own = resource.external_id
    return None if own is None else checked_key("externalId", own)


@contextmanager
def unique(resource: Resource) -> Iterator[None]:
    """Raise Uniqueness where the database has found a value of the resource taken."""
    try:
        yield
    except ConstraintBroken as broken:
        name = _UNIQUE.get(broken.constraint or "")
        if name is None:
            raise
        taken = f"{name} {quoted(str(resource.get(name)))}"
        raise Uniqueness(
            f"Another {resource.type.name} has the {taken}; send another one."
        ) from broken
