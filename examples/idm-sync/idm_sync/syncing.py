"""Bringing the service provider in step: compare everything, then write what differs, one by one.

There is no journal of what was done. What is there is read at the beginning of every run, and that is
the truth after a crash, a restored backup or somebody's hand, too: a run that was killed is resumed by
running again, and two runs in a row change nothing.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from .differences import leaving, new_user, operations
from .errors import TooManyLeave
from .provider import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .people import Person
    from .provider import Provider, There

AT_ONCE: Final = 100
"""Members in one PATCH: some service providers take no more."""
LEAST_LEAVERS: Final = 20
LIKELY_LEAVERS: Final = 0.05
_DEPARTMENT: Final = "department:"

Item = TypeVar("Item")
Change = tuple[str, str, list[dict[str, Any]]]
"""What we call a user, its id, and the operations."""


class Telling(Protocol):
    """Whoever is told how far it has come."""

    def steps(self, title: str, items: Sequence[Item]) -> Iterable[Item]:
        """Give the items, and show how many are done."""

    def refused(self, what: str, words: str) -> None:
        """Tell of one thing that was refused."""


@dataclass(slots=True)
class Tally:
    """What was done, or would be done in a dry run."""

    people: int = 0
    created: int = 0
    changed: int = 0
    deactivated: int = 0
    groups_created: int = 0
    groups_changed: int = 0
    refused: int = 0

    @property
    def writes(self) -> int:
        """How many things were not as they should be."""
        users = self.created + self.changed + self.deactivated
        return users + self.groups_created + self.groups_changed


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs of the users: who is new, who is to be changed and how, and who has left."""

    new: Sequence[Person]
    changes: Sequence[Change]
    leavers: Sequence[Change]
    ids: dict[str, str]
    """The ids of those who are there, by what we call them."""


@dataclass(slots=True)
class Syncing:
    """One run."""

    provider: Provider
    telling: Telling
    dry: bool = False
    tally: Tally = field(default_factory=Tally)

    def run(self, people: Sequence[Person], *, most_leavers: int | None) -> Tally:
        """Bring everything in step; raise TooManyLeave before anything is written, or Failed."""
        self.tally.people = len(people)
        plan = planned(people, self.provider.users())
        check_leavers(plan, most_leavers)
        self._users(plan)
        self._groups(people, plan.ids)
        return self.tally

    def _users(self, plan: Plan) -> None:
        for person in self.telling.steps("creating people", plan.new):
            with self._one(person.id):
                plan.ids[person.id] = self._create(person)
                self.tally.created += 1
        for name, user_id, wanted in self.telling.steps("changing people", plan.changes):
            with self._one(name):
                self._change("User", user_id, wanted)
                self.tally.changed += 1
        for name, user_id, wanted in self.telling.steps("deactivating people", plan.leavers):
            with self._one(name):
                self._change("User", user_id, wanted)
                self.tally.deactivated += 1

    def _groups(self, people: Sequence[Person], ids: Mapping[str, str]) -> None:
        """Have one group per department; one that nobody is in any more stays, empty."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for person in people:
            if person.department and person.id in ids:
                wanted[person.department].add(ids[person.id])
        there = {one.external_id: one.id for one in self.provider.groups() if _is_ours(one)}
        names = {*wanted, *(each.removeprefix(_DEPARTMENT) for each in there)}
        for name in self.telling.steps("groups", sorted(names)):
            with self._one(f"{_DEPARTMENT}{name}"):
                self._group(name, there.get(f"{_DEPARTMENT}{name}"), wanted[name])

    def _group(self, name: str, group_id: str | None, wanted: set[str]) -> None:
        members: set[str] = set()
        if group_id is None:
            group_id = self._create_group(name)
            self.tally.groups_created += 1
        else:
            members = self.provider.members(group_id)
            self.tally.groups_changed += members != wanted
        for some in _portions(wanted - members):
            value = [{"value": one} for one in some]
            self._change("Group", group_id, [{"op": "add", "path": "members", "value": value}])
        for some in _portions(members - wanted):
            gone = [{"op": "remove", "path": f'members[value eq "{one}"]'} for one in some]
            self._change("Group", group_id, gone)

    def _create(self, person: Person) -> str:
        return f"new {person.id}" if self.dry else self.provider.create_user(new_user(person))

    def _create_group(self, name: str) -> str:
        return "" if self.dry else self.provider.create_group(name, f"{_DEPARTMENT}{name}")

    def _change(self, kind: str, resource_id: str, wanted: Sequence[dict[str, Any]]) -> None:
        if not self.dry:
            self.provider.change(kind, resource_id, wanted)

    @contextmanager
    def _one(self, what: str) -> Iterator[None]:
        """Tell of one thing that is refused, and go on with the others."""
        try:
            yield
        except Refused as refused:
            self.tally.refused += 1
            self.telling.refused(what, str(refused))


def planned(people: Iterable[Person], there: Iterable[There]) -> Plan:
    """Compare people with the users that we have brought there; others are none of our business."""
    ours = {one.external_id: one for one in there if one.external_id}
    new: list[Person] = []
    changes: list[Change] = []
    ids: dict[str, str] = {}
    for person in people:
        found = ours.pop(person.id, None)
        if found is None:
            new.append(person)
            continue
        ids[person.id] = found.id
        if wanted := operations(person, found.document):
            changes.append((person.id, found.id, wanted))
    left = ((one.external_id, one.id, leaving(one.document)) for one in ours.values())
    return Plan(new, changes, [one for one in left if one[2]], ids)


def check_leavers(plan: Plan, most: int | None) -> None:
    """Raise TooManyLeave if more people have left than is likely, or than was said."""
    there = len(plan.ids) + len(plan.leavers)
    limit = max(LEAST_LEAVERS, int(LIKELY_LEAVERS * there)) if most is None else most
    if len(plan.leavers) > limit:
        raise TooManyLeave(len(plan.leavers), there, limit)


def _is_ours(group: There) -> bool:
    return group.external_id.startswith(_DEPARTMENT)


def _portions(ids: set[str]) -> Iterator[list[str]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), AT_ONCE):
        yield ordered[start : start + AT_ONCE]
