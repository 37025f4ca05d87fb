"""Whose a mobile ID is to be, as clients write it: by the id of a User, or by its address."""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin

from mobid_scim.errors import InvalidValue
from mobid_scim.wording import quoted

_USERS: Final = "/Users/"
_HOW: Final = 'send {"value": "…"} with its id, or {"$ref": "…"} with its URL'


def owner_in(user: object, base_url: str) -> str:
    """Return the id of the User that `user` names by `value`, `$ref` or both; raise InvalidValue.

    `$ref` is absolute, below our own base URL, or relative to it or to the endpoint of mobile IDs
    (RFC 7643, 2.3.7).
    """
    given = user if isinstance(user, dict) else {}
    value, reference = given.get("value"), given.get("$ref")
    named = None if reference is None else _id_in(str(reference), base_url)
    if value is None and named is None:
        raise InvalidValue(f"user names no User; {_HOW}.")
    if value is not None and named not in {None, value}:
        raise InvalidValue(
            f"user.value {quoted(str(value))} and user.$ref {quoted(str(reference))} are two Users."
        )
    return str(named if value is None else value)


def _id_in(reference: str, base_url: str) -> str:
    for base in (f"{base_url}/", f"{base_url}/MobileIDs/"):
        head, _, user_id = urljoin(base, reference).rpartition(_USERS)
        if head == base_url and user_id and not set(user_id) & set("/?#"):
            return user_id
    raise InvalidValue(
        f"user.$ref {quoted(reference)} is not the URL of a User here, {base_url}{_USERS}…; {_HOW}."
    )
