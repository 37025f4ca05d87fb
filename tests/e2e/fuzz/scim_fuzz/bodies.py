"""Bodies that are right: resources, PATCH, Bulk and searches, of what is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from .filters import CORE, ENTERPRISE, GROUP, MOBILE_ID, OURS, a_filter, a_path
from .values import odd_value
from .world import ENDPOINTS

if TYPE_CHECKING:
    from random import Random

    from .world import World

_API: Final = "urn:ietf:params:scim:api:messages:2.0"
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")


def resource(rng: Random, world: World, endpoint: str) -> dict[str, Any]:
    """Return a resource to create, or to replace another one."""
    match endpoint:
        case "/Users":
            return user(rng, world)
        case "/Groups":
            return group(rng, world)
    return {
        "schemas": [MOBILE_ID],
        "user": {"value": world.an_id(rng, "/Users")},
        "externalId": world.new_name(),
        **({"active": rng.random() < 0.5} if rng.random() < 0.3 else {}),
    }


def user(rng: Random, world: World) -> dict[str, Any]:
    """Return a user."""
    name = world.new_name() if rng.random() < 0.9 else rng.choice(world.names)
    whole: dict[str, Any] = {
        "schemas": [CORE, ENTERPRISE, OURS],
        "userName": name,
        "externalId": f"x-{name}",
        "displayName": f"Anna {world.number}",
        "active": rng.random() < 0.9,
        "name": {"familyName": "Müller", "givenName": "Anna", "formatted": "Anna Müller"},
        "emails": [
            {"value": name, "type": "work", "primary": True},
            {"value": f"home.{name}", "type": "home", "display": "Home"},
        ],
        "phoneNumbers": [{"value": "+41 44 000 00 00", "type": "mobile"}],
        "addresses": [{"country": "CH", "type": "work", "locality": "Zürich"}],
        "roles": [{"value": "admin", "primary": True}],
        "x509Certificates": [{"value": "MIIB"}],
        "locale": "de-CH",
        "timezone": "Europe/Zurich",
        ENTERPRISE: {"department": "Finance", "manager": {"value": world.an_id(rng, "/Users")}},
        OURS: {"principalName": name},
    }
    kept = {"schemas", "userName"}
    return {key: value for key, value in whole.items() if key in kept or rng.random() < 0.7}


def group(rng: Random, world: World) -> dict[str, Any]:
    """Return a group of users and groups."""
    return {
        "schemas": [GROUP],
        "displayName": rng.choice(("Staff", world.new_name())),
        "members": _members(rng, world),
    }


def _members(rng: Random, world: World) -> list[dict[str, Any]]:
    found = {world.an_id(rng, rng.choice(("/Users", "/Groups"))) for _ in range(rng.randrange(4))}
    return [{"value": one} for one in sorted(found)]


def patch(rng: Random, world: World, endpoint: str) -> dict[str, Any]:
    """Return a PATCH."""
    count = rng.choices((1, 2, 3, 101), (70, 20, 9, 1))[0]
    return {
        "schemas": [f"{_API}:PatchOp"],
        "Operations": [_operation(rng, world, endpoint) for _ in range(count)],
    }


def _operation(rng: Random, world: World, endpoint: str) -> dict[str, Any]:
    op = rng.choice(("add", "replace", "remove", "Add"))
    if endpoint == "/Groups" and rng.random() < 0.6:
        member = world.an_id(rng, "/Users")
        if op == "remove":
            return {"op": op, "path": f'members[value eq "{member}"]'}
        return {"op": op, "path": "members", "value": [{"value": member}]}
    match rng.randrange(5):
        case 0:
            return {"op": op, "value": resource(rng, world, endpoint)}
        case 1:
            return {"op": op, "path": "active", "value": rng.choice((True, False, "True"))}
        case 2:
            return {
                "op": op,
                "path": rng.choice(("displayName", "title", "userName")),
                "value": world.new_name(),
            }
    value = odd_value(rng) if rng.random() < 0.5 else _value(rng, world, endpoint)
    path = a_path(rng, world, endpoint)
    return {"op": op, "path": path} | ({} if op == "remove" else {"value": value})


def _value(rng: Random, world: World, endpoint: str) -> object:
    return rng.choice(list(resource(rng, world, endpoint).values()))


def bulk(rng: Random, world: World) -> dict[str, Any]:
    """Return a Bulk request, perhaps with references and circles."""
    count = rng.choices((1, 2, 3, 5, 8, 30), (20, 30, 25, 15, 8, 2))[0]
    body: dict[str, Any] = {
        "schemas": [f"{_API}:BulkRequest"],
        "Operations": [_bulk_operation(rng, world, number, count) for number in range(count)],
    }
    return body | ({"failOnErrors": rng.randrange(1, 4)} if rng.random() < 0.3 else {})


def _bulk_operation(rng: Random, world: World, number: int, count: int) -> dict[str, Any]:
    method = rng.choice(_METHODS[:3]) if rng.random() < 0.9 else "DELETE"
    endpoint = rng.choice(ENDPOINTS[:2]) if rng.random() < 0.9 else ENDPOINTS[2]
    other = f"bulkId:b{rng.randrange(count)}"
    path = endpoint if method == "POST" else f"{endpoint}/{world.an_id(rng, endpoint)}"
    if method != "POST" and rng.random() < 0.2:
        path = f"{endpoint}/{other}"
    operation: dict[str, Any] = {"method": method, "path": path, "bulkId": f"b{number}"}
    if method != "DELETE":
        data = patch(rng, world, endpoint) if method == "PATCH" else resource(rng, world, endpoint)
        operation["data"] = _referring(rng, data, other)
    if method != "POST" and rng.random() < 0.2:
        operation["version"] = world.tags.get(path, 'W/"1"')
    return operation


def _referring(rng: Random, data: dict[str, Any], other: str) -> dict[str, Any]:
    if "members" in data and rng.random() < 0.6:
        return data | {"members": [*data["members"], {"value": other}]}
    if ENTERPRISE in data and rng.random() < 0.5:
        return data | {ENTERPRISE: {"manager": {"value": other, "$ref": f"/Users/{other}"}}}
    return data


def search(rng: Random, world: World, endpoint: str) -> dict[str, Any]:
    """Return a SearchRequest."""
    found: dict[str, Any] = dict(parameters(rng, world, endpoint))
    for name in ("startIndex", "count"):
        if _INTEGER.fullmatch(found.get(name, "")):
            found[name] = int(found[name])
    for name in ("attributes", "excludedAttributes"):
        if name in found:
            found[name] = found[name].split(",")
    return {"schemas": [f"{_API}:SearchRequest"], **found}


def parameters(rng: Random, world: World, endpoint: str) -> tuple[tuple[str, str], ...]:
    """Return what a search asks for."""
    mine = [one for one in world.cursors if one.endpoint == endpoint]
    if mine and rng.random() < 0.25:
        cursor = rng.choice(mine)
        kept = (pair for pair in cursor.query if pair[0] != "cursor")
        return (*kept, ("cursor", cursor.text))
    found: dict[str, str] = {}
    if rng.random() < 0.75:
        found["filter"] = a_filter(rng, world, endpoint)
    if rng.random() < 0.3:
        found["sortBy"] = a_path(rng, world, endpoint)
        found["sortOrder"] = rng.choice(("ascending", "descending", "DESCENDING", "up"))
    if rng.random() < 0.3:
        found["count"] = rng.choice(("0", "1", "2", "-1", "1000", "99999999999999999999"))
    if rng.random() < 0.2:
        found["startIndex"] = rng.choice(("1", "0", "-5", "2", "9223372036854775807", "1" * 90))
    elif rng.random() < 0.3:
        found["cursor"] = ""
    if rng.random() < 0.3:
        names = ",".join(a_path(rng, world, endpoint) for _ in range(rng.randrange(1, 4)))
        found[rng.choice(("attributes", "excludedAttributes"))] = names
    return tuple(found.items())
