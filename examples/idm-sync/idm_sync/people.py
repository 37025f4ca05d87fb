"""The people of a CSV file, read strictly: one wrong line, and nothing of it is synced."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from .errors import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

TOLD_AT_ONCE: Final = 10
REQUIRED: Final = ("id", "user_name", "given_name", "family_name")


@dataclass(frozen=True, slots=True)
class Person:
    """One line. `id` is what the file knows a person by: it never changes, and is the `externalId`."""

    id: str
    user_name: str
    given_name: str
    family_name: str
    email: str = ""
    title: str = ""
    department: str = ""
    employee_number: str = ""


COLUMNS: Final = tuple(field.name for field in fields(Person))


def read_people(path: Path) -> list[Person]:
    """Return everybody; raise Usage with all that is wrong, by line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _checked(path, csv.DictReader(file, strict=True))
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Usage(f"{path} is no CSV file in UTF-8: {error}") from None


def write_people(path: Path, people: Sequence[Person]) -> None:
    """Write a new file; one that is there is left alone (Usage)."""
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows([getattr(person, name) for name in COLUMNS] for person in people)
    except FileExistsError:
        raise Usage(f"{path} is there; a sample is not written over it.") from None
    except OSError as error:
        raise Usage(f"{path} cannot be written: {error.strerror}.") from None


def _checked(path: Path, reader: csv.DictReader[str]) -> list[Person]:
    header = list(reader.fieldnames or ())
    if faults := list(_faults_of_header(header)):
        raise Usage(f"{path}: {' '.join(faults)}")
    people: list[Person] = []
    wrong: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for row in reader:
        found = list(_faults(row, seen, reader.line_num))
        wrong += [f"  line {reader.line_num}: {fault}" for fault in found]
        if not found:
            people.append(Person(**{name: value.strip() for name, value in row.items()}))
    if wrong:
        more = len(wrong) - TOLD_AT_ONCE
        told = [*wrong[:TOLD_AT_ONCE], *([f"  and {more} more"] if more > 0 else [])]
        raise Usage("\n".join([f"{path} has lines that cannot be used:", *told]))
    return people


def _faults_of_header(header: Sequence[str]) -> Iterator[str]:
    for name in REQUIRED:
        if name not in header:
            yield f'The column "{name}" is missing.'
    for name in sorted({*header} - {*COLUMNS}):
        yield f'The column "{name}" is unknown; there are {", ".join(COLUMNS)}.'
    if len(header) != len({*header}):
        yield "A column is there twice."


def _faults(
    row: Mapping[str | None, str | list[str] | None],
    seen: dict[tuple[str, str], int],
    line: int,
) -> Iterator[str]:
    if None in row or None in row.values():
        yield "it has not as many values as there are columns."
        return
    values = {str(name): str(value).strip() for name, value in row.items()}
    for name in REQUIRED:
        if not values[name]:
            yield f"{name} is empty."
    for name in ("id", "user_name"):
        # User names are compared in any case, by SCIM too; identifiers exactly.
        value = values[name].casefold() if name == "user_name" else values[name]
        first = seen.setdefault((name, value), line)
        if value and first != line:
            yield f'{name} "{values[name]}" is in line {first}, too.'
