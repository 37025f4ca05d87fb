"""The people that the servers hold, and what is sent to have one: alike for every server."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
FAMILIES: Final = 997
"""So many family names there are: sorting and searching meet equal ones."""


def name_of(number: int) -> str:
    """Return the user name, which is the beginning of the e-mail address, too."""
    return f"user{number}.bench"


def person(number: int) -> dict[str, Any]:
    """Return the body that creates a user."""
    given, family = f"Given{number}", f"Family{number % FAMILIES}"
    return {
        "schemas": [USER],
        "userName": f"{name_of(number)}@example.com",
        "externalId": f"ext-{number}",
        "name": {"givenName": given, "familyName": family},
        "displayName": f"{given} {family}",
        "active": True,
        "title": "Engineer",
        "emails": [
            {"value": f"{name_of(number)}@example.com", "type": "work", "primary": True},
            {"value": f"u{number}@home.example", "type": "home"},
        ],
    }


@dataclass(frozen=True, slots=True)
class Population:
    """The users that one server holds: numbers from 0 to `size` - 1, and some of their ids.

    Who is created while measuring has a number above; `cursors` are where pages begin.
    """

    size: int
    ids: tuple[str, ...] = ()
    cursors: tuple[str, ...] = ()
    fresh: Iterator[int] = field(default_factory=count)
