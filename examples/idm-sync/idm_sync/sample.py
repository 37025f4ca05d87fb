"""People who do not exist, the same ones every time, to try the program with."""

from __future__ import annotations

from typing import Final

from .people import Person

GIVEN: Final = (
    *("Anna", "Björn", "Chloé", "Dilan", "Émile", "Frida", "Gül", "Hồng", "Ivo", "Jana"),
    *("Kari", "Łukasz", "Mei", "Noor", "Óscar", "Petra", "Quim", "Rosa", "Søren", "Tove"),
)
FAMILY: Final = (
    *("Ågren", "Baker", "Çelik", "Dubois", "Eriksen", "Fischer", "García", "Hoang"),
    *("Ibsen", "Janssen", "Kowalski", "Lindqvist", "Müller", "Novák", "Okafor", "Öberg", "Peña"),
)
DEPARTMENTS: Final = (
    *("Engineering", "Finance", "Human Resources", "Legal", "Marketing", "Operations"),
    *("Research", "Sales", "Support", "IT"),
)
TITLES: Final = ("Engineer", "Analyst", "Manager", "Assistant", "Director", "Clerk", "")


def sample(size: int) -> list[Person]:
    """Return so many people."""
    return [_person(number) for number in range(1, size + 1)]


def _person(number: int) -> Person:
    # The lists are as long as primes to each other go, so that names spread over departments.
    name = f"p{number:06}"
    return Person(
        id=name,
        user_name=name,
        given_name=GIVEN[number % len(GIVEN)],
        family_name=FAMILY[number % len(FAMILY)],
        email=f"{name}@example.com",
        title=TITLES[number % len(TITLES)],
        department=DEPARTMENTS[number // 3 % len(DEPARTMENTS)],
        employee_number=str(100_000 + number),
    )
