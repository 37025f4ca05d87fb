"""What has to be said over SCIM so that a user is what the file says, and not a word more.

The file owns some attributes, and of the e-mail addresses the one for work. Whatever else is there was
written by somebody else, and stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .people import Person

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
WORK: Final = "work"
SHOWN: Final = (
    *("externalId", "userName", "name.givenName", "name.familyName", "displayName", "title"),
    *("active", "emails", f"{ENTERPRISE}:department", f"{ENTERPRISE}:employeeNumber"),
)
"""What of a user has to be read for a comparison."""

Document = "Mapping[str, Any]"
Operation = dict[str, Any]


def new_user(person: Person) -> dict[str, Any]:
    """Return the body that creates a user."""
    body: dict[str, Any] = {"schemas": [USER], "externalId": person.id}
    for path, value in _wanted(person).items():
        _put(body, path, value)
    if person.email:
        body["emails"] = [_work_address(person.email)]
    if ENTERPRISE in body:
        body["schemas"].append(ENTERPRISE)
    return body


def operations(person: Person, there: Mapping[str, Any]) -> list[Operation]:
    """Return the PATCH operations (RFC 7644, 3.5.2) that a user needs; none, if it is as it should be."""
    wanted = _wanted(person)
    found: list[Operation] = []
    for path in _OWNED:
        value, now = wanted.get(path), _get(there, path)
        if value is None and now not in (None, ""):
            found.append({"op": "remove", "path": path})
        elif value is not None and value != now:
            found.append({"op": "replace", "path": path, "value": value})
    return [*found, *_mail_operations(person.email, there)]


def leaving(there: Mapping[str, Any]) -> list[Operation]:
    """Return the operations for somebody who is not in the file any more."""
    if there.get("active") is False:
        return []
    return [{"op": "replace", "path": "active", "value": False}]


_OWNED: Final = (
    *("userName", "name.givenName", "name.familyName", "displayName", "title", "active"),
    *(f"{ENTERPRISE}:department", f"{ENTERPRISE}:employeeNumber"),
)


def _wanted(person: Person) -> dict[str, Any]:
    """Return what the file says, by path; what is empty in the file is not there."""
    values = {
        "userName": person.user_name,
        "name.givenName": person.given_name,
        "name.familyName": person.family_name,
        "displayName": f"{person.given_name} {person.family_name}",
        "title": person.title,
        "active": True,
        f"{ENTERPRISE}:department": person.department,
        f"{ENTERPRISE}:employeeNumber": person.employee_number,
    }
    return {path: value for path, value in values.items() if value != ""}


def _mail_operations(wanted: str, there: Mapping[str, Any]) -> Iterator[Operation]:
    found = [one.get("value") for one in there.get("emails") or () if one.get("type") == WORK]
    path = f'emails[type eq "{WORK}"]'
    if not wanted:
        if found:
            yield {"op": "remove", "path": path}
    elif not found:
        yield {"op": "add", "path": "emails", "value": [_work_address(wanted)]}
    elif found != [wanted]:
        yield {"op": "replace", "path": f"{path}.value", "value": wanted}


def _work_address(address: str) -> dict[str, Any]:
    return {"value": address, "type": WORK, "primary": True}


def _steps(path: str) -> tuple[str, ...]:
    """Return the names to go by; the URN of an extension has dots of its own."""
    if path.startswith(ENTERPRISE):
        return ENTERPRISE, path.removeprefix(f"{ENTERPRISE}:")
    return tuple(path.split("."))


def _get(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in _steps(path):
        value = (value or {}).get(name)
    return value


def _put(body: dict[str, Any], path: str, value: object) -> None:
    *above, last = _steps(path)
    for name in above:
        body = body.setdefault(name, {})
    body[last] = value
