"""Filters and paths by the grammar (RFC 7644, figures 1 and 7), with names that there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from .values import DATES, odd_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from .world import World

CORE: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OURS: Final = "urn:mobid:scim:schemas:extension:mobileid:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
MOBILE_ID: Final = "urn:mobid:scim:schemas:core:2.0:MobileID"
_COMMON: Final = (
    *("id", "externalId", "schemas", "meta", "meta.created", "meta.lastModified", "meta.location"),
    *("meta.version", "meta.resourceType"),
)
ATTRIBUTES: Final[Mapping[str, Sequence[str]]] = {
    "/Users": (
        *_COMMON,
        *("userName", "displayName", "name", "name.familyName", "name.givenName", "active", "title"),
        *("emails", "emails.value", "emails.type", "emails.primary", "phoneNumbers.value", "userType"),
        *("addresses.country", "roles", "groups", "groups.value", "groups.display", "nickName"),
        *("x509Certificates.value", "photos", "ims.value", "entitlements", "locale", "timezone"),
        *(f"{ENTERPRISE}:department", f"{ENTERPRISE}:manager", f"{ENTERPRISE}:manager.value"),
        *(f"{OURS}:principalName", f"{OURS}:mobileIds", f"{OURS}:mobileIds.state", ENTERPRISE),
        *(f"{CORE}:userName", "password", "USERNAME", "foo", "emails.foo", "principalName"),
    ),
    "/Groups": (
        *_COMMON,
        *("displayName", "members", "members.value", "members.type", "members.display", "members.$ref"),
        *(f"{GROUP}:displayName", "userName"),
    ),
    "/MobileIDs": (
        *_COMMON,
        *("user", "user.value", "user.$ref", "active", "state", "profileName", "serverName", "userId"),
        *("validFrom", "validTo", "device", "device.name", "certificates", "certificates.type"),
        *("certificates.serial", "certificates.notAfter", "certificates.value", "certificates.status"),
    ),
}  # fmt: skip
OPERATORS: Final = (
    "eq",
    "ne",
    "co",
    "sw",
    "ew",
    "gt",
    "ge",
    "lt",
    "le",
    "pr",
    "EQ",
    "Co",
    "has",
    "=",
)
_SEVERAL: Final = (
    *("emails", "phoneNumbers", "addresses", "roles", "groups", "members", "certificates", "name"),
    *(f"{OURS}:mobileIds", f"{ENTERPRISE}:manager", "photos", "meta", "userName"),
)
_WILD: Final = ("%", "_", "a%", "fuzz-_", "%z-1%", "\\\\", "zz", "uz", "@", "work", "%%%", "Anna_")
_WORDS: Final = (
    *("true", "false", "null", "True", "0", "-1", "42", "1.5e3", "1e999", "1e400", str(1.7e308)),
    *(str(one) for one in (2**63 - 1, 2**63, 10**30, -(10**30))),
)
_ESCAPED: Final = 0.5
_SELDOM: Final = 0.02
_SUBS: Final = ("value", "type", "primary", "display", "$ref", "state", "notAfter", "foo")


def a_filter(rng: Random, world: World, endpoint: str, depth: int = 0) -> str:
    """Return a filter, mostly one that is understood."""
    match rng.randrange(10 if depth < 3 else 6):
        case 6:
            word = rng.choice((" and ", " or "))
            many = depth == 0 and rng.random() < _SELDOM
            number = rng.choice((12, 100, 101)) if many else rng.choice((2, 2, 3))
            parts = (a_filter(rng, world, endpoint, depth + 1) for _ in range(number))
            return word.join(parts)
        case 7:
            return f"not ({a_filter(rng, world, endpoint, depth + 1)})"
        case 8:
            return f"({a_filter(rng, world, endpoint, depth + 1)})"
        case 9:
            inner = _term(rng, world, rng.choice(_SUBS))
            if rng.random() < 0.4:
                inner += rng.choice((" and ", " or ")) + _term(rng, world, rng.choice(_SUBS))
            sub = rng.choice(("", "", f".value eq {_literal(rng, world)}"))
            return f"{rng.choice(_SEVERAL)}[{inner}]{sub}"
    return _term(rng, world, rng.choice(ATTRIBUTES.get(endpoint, _COMMON)))


def a_path(rng: Random, world: World, endpoint: str) -> str:
    """Return a path of a PATCH operation."""
    match rng.randrange(4):
        case 0:
            return f"{rng.choice(_SEVERAL)}[{_term(rng, world, rng.choice(_SUBS))}]"
        case 1:
            sub = rng.choice(_SUBS)
            return f"{rng.choice(_SEVERAL)}[{_term(rng, world, rng.choice(_SUBS))}].{sub}"
    return rng.choice(ATTRIBUTES.get(endpoint, _COMMON))


def _term(rng: Random, world: World, name: str) -> str:
    operator = rng.choice(OPERATORS[:10]) if rng.random() < 0.9 else rng.choice(OPERATORS)
    return f"{name} pr" if operator == "pr" else f"{name} {operator} {_literal(rng, world)}"


def _literal(rng: Random, world: World) -> str:
    """Return a value: right ones, and texts that are wildcards elsewhere."""
    texts = (odd_text(rng), rng.choice(DATES), rng.choice(_WILD), world.any_id(rng))
    text = rng.choice((*texts, rng.choice(world.names), rng.choice(world.names)))
    found = (
        rng.choice(_WORDS),
        json.dumps(text, ensure_ascii=rng.random() < _ESCAPED),
        json.dumps(text),
        f'"{text}"',
    )
    return rng.choice(found)
