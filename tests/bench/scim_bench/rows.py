"""The rows that are measured: what is asked, how much of it, and the goal against the peer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from .client import Ask, Line, WrongAnswer
from .people import Population, name_of, person

if TYPE_CHECKING:
    from collections.abc import Callable

    from .servers import Server

PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
PAGE: Final = 100
NOT_IMPLEMENTED: Final = 501


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of request."""

    name: str
    ask: Callable[[Population, Random], Ask]
    goal: float | None = None
    """The most that ours may take of the CPU that the peer takes."""
    weight: float = 1.0
    """How many are asked in a round, against the rows that cost little."""
    indexed: bool = True
    """Whether its cost is not to grow with the number of users."""
    by_cursor: bool = False

    def asks(self, population: Population, requests: int, *, seed: int) -> list[Ask]:
        """Return the requests of one round; the same seed chooses the same users."""
        random = Random(seed)  # noqa: S311  # it chooses what is asked, and guards nothing
        return [self.ask(population, random) for _ in range(max(1, round(requests * self.weight)))]


def _query(**parameters: Any) -> str:
    return f"/Users?{urlencode(parameters)}"


def _number(population: Population, random: Random) -> int:
    return random.randrange(population.size)


def _page(population: Population, start: int, **more: Any) -> Ask:
    least = min(PAGE, population.size)
    return Ask("GET", _query(startIndex=start, count=PAGE, **more), least=least)


def _found(text: str, **more: Any) -> Ask:
    return Ask("GET", _query(filter=text, **more), least=1)


def _first_page(population: Population, _random: Random) -> Ask:
    return _page(population, 1)


def _somewhere(population: Population, random: Random) -> int:
    return random.randrange(max(1, population.size - PAGE)) + 1


def _sorted_page(population: Population, random: Random) -> Ask:
    return _page(population, _somewhere(population, random), sortBy="userName")


def _first_sorted_page(population: Population, _random: Random) -> Ask:
    return _page(population, 1, sortBy="userName")


def _deep_page(population: Population, _random: Random) -> Ask:
    return _page(population, max(1, population.size - PAGE + 1))


def _cursor_page(population: Population, random: Random) -> Ask:
    path = _query(cursor=random.choice(population.cursors), count=PAGE)
    return Ask("GET", path, least=min(PAGE, population.size))


def _by_id(population: Population, random: Random) -> Ask:
    return Ask("GET", f"/Users/{random.choice(population.ids)}")


def _by_user_name(population: Population, random: Random) -> Ask:
    return _found(f'userName eq "{name_of(_number(population, random))}@example.com"')


def _by_external_id(population: Population, random: Random) -> Ask:
    return _found(f'externalId eq "ext-{_number(population, random)}"')


def _by_mail(population: Population, random: Random) -> Ask:
    return _found(f'emails.value eq "{name_of(_number(population, random))}@example.com"')


def _by_beginning(population: Population, random: Random) -> Ask:
    return _found(f'userName sw "{name_of(_number(population, random))}"')


def _by_part(population: Population, random: Random) -> Ask:
    return _found(f'emails.value co "{name_of(_number(population, random))}"', count=10)


def _by_value_path(population: Population, random: Random) -> Ask:
    part = name_of(_number(population, random))
    return _found(f'emails[type eq "work" and value co "{part}"]', count=10)


def _by_exact_value_path(population: Population, random: Random) -> Ask:
    mail = f"{name_of(_number(population, random))}@example.com"
    return _found(f'emails[type eq "work" and value eq "{mail}"]')


def _create(population: Population, _random: Random) -> Ask:
    return Ask("POST", "/Users", person(next(population.fresh)), statuses=(201,))


def _patch(population: Population, random: Random) -> Ask:
    value = f"New{uuid.UUID(int=random.getrandbits(128)).hex[:8]}"
    operation = {"op": "replace", "path": "name.familyName", "value": value}
    body = {"schemas": [PATCH_OP], "Operations": [operation]}
    path = f"/Users/{random.choice(population.ids)}"
    # The peer answers without the user, we answer with it: both are right (RFC 7644, 3.5.2).
    return Ask("PATCH", path, body, statuses=(200, 204))


COMPARED: Final = (
    Row("page of 100", _first_page, 0.1, weight=0.1),
    Row("page of 100, sorted", _sorted_page, 0.1, weight=0.1),
    Row("page of 100, deep", _deep_page, 0.1, weight=0.1),
    Row("page of 100, by cursor", _cursor_page, 0.1, weight=0.1, by_cursor=True),
    Row("GET by id", _by_id, 0.75),
    Row("userName eq", _by_user_name, 0.75),
    Row("emails.value co", _by_part, 0.2, weight=0.1),
    Row("value path", _by_value_path, 0.1, weight=0.1),
    Row("PATCH", _patch, 0.9),
    # Last in a round: it makes the others larger.
    Row("create", _create, 1.0),
)
"""What is measured beside the peer."""

SCALED: Final = (
    Row("GET by id", _by_id),
    Row("userName eq", _by_user_name),
    Row("externalId eq", _by_external_id),
    Row("emails.value eq", _by_mail),
    Row("value path, eq", _by_exact_value_path),
    Row("userName sw", _by_beginning),
    Row("page of 100", _first_page, weight=0.25),
    Row("page of 100, sorted", _first_sorted_page, weight=0.25),
    Row("page of 100, by cursor", _cursor_page, weight=0.25, by_cursor=True),
    Row("page of 100, deep", _deep_page, weight=0.05, indexed=False),
    Row("emails.value co", _by_part, weight=0.02, indexed=False),
)
"""What is measured by the number of users; those that are not indexed are told without a goal."""


def look_round(server: Server, size: int, *, pages: int = 20) -> Population:
    """Return what the rows need to know of a server: ids of users, and cursors if it has them."""
    ids: list[str] = []
    with Line(server) as line:
        step = max(PAGE, size // pages)
        for start in range(1, size + 1, step):
            found = line.read(_query(startIndex=start, count=PAGE, attributes="userName"))
            ids += [one["id"] for one in found["Resources"]]
        cursors = _cursors(line, pages)
    population = Population(size, tuple(ids), tuple(cursors))
    for _ in range(size):
        next(population.fresh)
    return population


def _cursors(line: Line, pages: int) -> list[str]:
    """Walk over some pages, and return the cursors of those that are full; none if there are none."""
    found: list[str] = []
    cursor = ""
    try:
        for _ in range(pages):
            # A cursor is good for the query that it came from, and no other one.
            page = line.read(_query(cursor=cursor, count=PAGE))
            if len(page.get("Resources", ())) < PAGE:
                return found[:-1]
            if "nextCursor" not in page:
                return found
            cursor = page["nextCursor"]
            found.append(cursor)
    except WrongAnswer as wrong:
        if wrong.status != NOT_IMPLEMENTED:
            raise
    return found[:-1]
