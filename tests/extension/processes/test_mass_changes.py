"""The guard of mass changes: how many deletions are one too many, and how an operator decides."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mobid.config import Guard
from mobid.domain.actors import Actor, ActorKind
from mobid.domain.mobile_ids import Hold, LockReason, ProfileState
from mobid.domain.users import UserState
from mobid.processes.care import Care
from mobid.processes.cascades import user_deactivated, user_deleted
from mobid.processes.errors import NotHeld, UserNotRestorable
from mobid.processes.mass_changes import MassChangeGuard
from mobid.storage.tables import audit_events, external_ids, users

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Place

HR = Actor(ActorKind.SCIM_CLIENT, "hr")
OLGA = Actor(ActorKind.OPERATOR, "olga")


class Client:
    """A SCIM client that changes users, and the guard that counts it."""

    def __init__(self, place: Place, name: str = "hr", **limits: Any) -> None:
        self.place = place
        self.actor = Actor(ActorKind.SCIM_CLIENT, name)
        self.guard = MassChangeGuard(Guard(**limits))

    def deletes(self, user_id: str) -> None:
        """Delete a user, as the surface does it: the tombstone, then what follows."""
        with self.place.units() as unit:
            unit.users.lock(user_id)
            self._put(unit, user_id, state=UserState.DELETED, deleted_at=unit.now)
            user_deleted(unit, user_id, by=self.actor, guard=self.guard)
            here = external_ids.c.resource_id == user_id
            unit.connection.execute(sa.delete(external_ids).where(here))
            unit.commit()

    def deactivates(self, user_id: str) -> None:
        """Deactivate a user."""
        with self.place.units() as unit:
            unit.users.lock(user_id)
            self._put(unit, user_id, state=UserState.INACTIVE)
            user_deactivated(unit, user_id, by=self.actor, guard=self.guard)
            unit.commit()

    def names(self, user_id: str, external_id: str) -> None:
        """Give a user an identifier of its own."""
        row = {
            "resource_type": "User",
            "client": self.actor.id,
            "external_id": external_id,
            "resource_id": user_id,
        }
        with self.place.transactions.writing() as connection:
            connection.execute(sa.insert(external_ids).values(row))

    def known_as(self, user_id: str) -> str | None:
        """Return what it calls a user."""
        table = external_ids.c
        mine = (table.client == self.actor.id, table.resource_id == user_id)
        with self.place.transactions.reading() as connection:
            return connection.scalar(sa.select(table.external_id).where(*mine))

    @staticmethod
    def _put(unit: Any, user_id: str, **columns: Any) -> None:
        unit.connection.execute(sa.update(users).where(users.c.id == user_id).values(columns))


@pytest.fixture
def hr(place: Place) -> Client:
    """A client with the shipped limits."""
    return Client(place)


@pytest.fixture
def care(place: Place) -> Care:
    """What operators can do."""
    return Care(place.units, place.settlement)


def user_of(place: Place, user_id: str) -> Any:
    """Return the row of a user."""
    with place.transactions.reading() as connection:
        return connection.execute(sa.select(users).where(users.c.id == user_id)).one()


def many(place: Place, count: int) -> list[str]:
    """Let so many people join the company, without a mobile ID."""
    row = user_of(place, place.person().id)
    given = {column.name: getattr(row, column.name) for column in users.columns}
    ids = [f"extra-{number:04}" for number in range(count - 1)]
    rows = [given | {"id": one, "user_name": one, "user_name_key": one} for one in ids]
    with place.transactions.writing() as connection:
        connection.execute(sa.insert(users), rows)
    return ids


def alarms(place: Place) -> list[dict[str, Any]]:
    """Return what the audit log says of alarms."""
    query = sa.select(audit_events.c.record).where(audit_events.c.action == "mass_change.alarm")
    with place.transactions.reading() as connection:
        return [json.loads(record)["details"] for record in connection.scalars(query)]


class TestTheLimit:
    """Twenty, or five percent of all users: whichever is more."""

    def test_the_twenty_first_deletion_of_an_hour_suspends(self, place: Place, hr: Client) -> None:
        """The nineteenth and the twentieth still lock."""
        extras = many(place, 30)
        for one in extras[:18]:
            hr.deletes(one)
        with capture_logs() as logs:
            people = [place.person() for _ in range(3)]
            states = [self.state_after_deletion(place, hr, person) for person in people]
            person = place.person()
            mobile_id, _ = person.has_active()
            hr.deletes(person.id)
        assert states == [ProfileState.LOCKED] * 2 + [ProfileState.INACTIVE]
        assert place.profile(mobile_id).holds.keys() == {Hold.MASS_CHANGE}
        assert user_of(place, person.id).state is UserState.DELETED
        assert place.voices(mobile_id) == {("held", "held")}
        assert place.in_ca(mobile_id) == {"held"}
        alarm = {"client": "hr", "change": "deletion", "number": 21, "log_level": "error"}
        assert logs == [{"event": "mass_change_alarm", **alarm}]
        assert alarms(place) == [{"change": "deletion", "number": 21}]

    @staticmethod
    def state_after_deletion(place: Place, client: Client, person: Person) -> ProfileState:
        """Return what becomes of the active mobile ID of somebody who is deleted."""
        mobile_id, _ = person.has_active()
        client.deletes(person.id)
        return place.profile(mobile_id).state

    def test_of_a_thousand_users_fifty_may_go(self, place: Place, hr: Client) -> None:
        """Those who went in the same hour still count among the thousand."""
        extras = many(place, 997)
        last = [place.person() for _ in range(3)]
        mobile_ids = [person.has_active()[0] for person in last]
        for one in extras[:49]:
            hr.deletes(one)
        for person in last:
            hr.deletes(person.id)
        assert [place.profile(one).state for one in mobile_ids] == [
            ProfileState.LOCKED,
            ProfileState.INACTIVE,
            ProfileState.INACTIVE,
        ]

    def test_an_hour_later_it_begins_anew(self, place: Place) -> None:
        """The window is an hour from its first deletion."""
        client = Client(place, deletions=1)
        first, second, third = [place.person() for _ in range(3)]
        mobile_ids = [person.has_active()[0] for person in (first, second, third)]
        client.deletes(first.id)
        client.deletes(second.id)
        place.clock.pass_by(timedelta(hours=1))
        client.deletes(third.id)
        assert [place.profile(one).state for one in mobile_ids] == [
            ProfileState.LOCKED,
            ProfileState.INACTIVE,
            ProfileState.LOCKED,
        ]

    def test_every_client_has_its_own(self, place: Place) -> None:
        """One that runs wild does not stand in the way of another."""
        wild, calm = Client(place, "wild", deletions=1), Client(place, "calm", deletions=1)
        people = [place.person() for _ in range(3)]
        mobile_ids = [person.has_active()[0] for person in people]
        wild.deletes(people[0].id)
        wild.deletes(people[1].id)
        calm.deletes(people[2].id)
        assert place.profile(mobile_ids[1]).state is ProfileState.INACTIVE
        assert place.profile(mobile_ids[2]).state is ProfileState.LOCKED

    @pytest.mark.parametrize(("percent", "held"), [(0, True), (50, False), (100, False)])
    def test_the_share_is_a_setting(self, place: Place, percent: int, held: bool) -> None:
        """0: the number alone counts. 100: nothing is ever too much."""
        client = Client(place, deletions=1, percent=percent)
        first, *_ = many(place, 8)
        client.deletes(first)
        person = place.person()
        mobile_id, _ = person.has_active()
        client.deletes(person.id)
        expected = ProfileState.INACTIVE if held else ProfileState.LOCKED
        assert place.profile(mobile_id).state is expected

    def test_only_clients_are_counted(self, place: Place) -> None:
        """An operator decides one by one."""
        operator = Client(place, deletions=0)
        operator.actor = OLGA
        person = place.person()
        mobile_id, _ = person.has_active()
        operator.deletes(person.id)
        assert place.profile(mobile_id).state is ProfileState.LOCKED

    def test_a_pending_one_fails_as_always(self, place: Place) -> None:
        """There is nothing to suspend yet."""
        person = place.person()
        view = person.gets_to_qr()
        Client(place, deletions=0).deletes(person.id)
        assert place.profile(view.mobile_id).state is ProfileState.FAILED

    def test_deactivations_suspend_as_always_and_alarm_once(self, place: Place) -> None:
        """They can be taken back, so nothing else is done."""
        client = Client(place, deletions=1)
        people = [place.person() for _ in range(4)]
        mobile_ids = [person.has_active()[0] for person in people]
        with capture_logs() as logs:
            for person in people:
                client.deactivates(person.id)
        for mobile_id in mobile_ids:
            assert place.profile(mobile_id).holds.keys() == {Hold.USER_STATE}
        assert [one["event"] for one in logs] == ["mass_change_alarm"]
        assert alarms(place) == [{"change": "deactivation", "number": 2}]


@pytest.fixture
def held(place: Place, anne: Person, hr: Client) -> str:
    """The mobile ID of Anne, whose deletion was one too many."""
    mobile_id, _ = anne.has_active()
    hr.names(anne.id, "7")
    hr.guard = MassChangeGuard(Guard(deletions=0))
    hr.deletes(anne.id)
    assert place.profile(mobile_id).state is ProfileState.INACTIVE
    return mobile_id


class TestReleased:
    """The deletions were meant."""

    def test_it_is_locked(self, place: Place, care: Care, held: str) -> None:
        """By the operator, because its user was deleted."""
        assert care.held_by_mass_change_of("hr") == [held]
        care.release(held, by=OLGA)
        profile = place.profile(held)
        assert (profile.state, profile.locked_for) == (ProfileState.LOCKED, LockReason.USER_DELETED)
        assert profile.locked_by == OLGA
        assert place.in_ca(held) == {"revoked"}
        assert care.held_by_mass_change_of("hr") == []

    def test_nothing_else_is(self, place: Place, anne: Person, care: Care) -> None:
        """A mobile ID that no mass change has suspended, or that was decided about before."""
        mobile_id, _ = anne.has_active()
        for decide in (care.release, care.restore):
            with pytest.raises(NotHeld, match="is active and has no hold mass_change to lift"):
                decide(mobile_id, by=OLGA)
        assert place.profile(mobile_id).state is ProfileState.ACTIVE

    def test_it_is_decided_once(self, care: Care, held: str) -> None:
        """Whoever comes second learns what became of it."""
        care.release(held, by=OLGA)
        with pytest.raises(NotHeld, match="is locked and has no hold mass_change"):
            care.restore(held, by=OLGA)


class TestRestored:
    """The deletions were a mistake."""

    def test_user_and_mobile_id_are_as_before(
        self, place: Place, anne: Person, hr: Client, care: Care, held: str
    ) -> None:
        """With the names that they were known by, here and by the client; nobody needs a new phone."""
        before = user_of(place, anne.id)
        assert hr.known_as(anne.id) is None
        care.restore(held, by=OLGA)
        after = user_of(place, anne.id)
        assert (after.state, after.deleted_at) == (UserState.ACTIVE, None)
        assert after.version == before.version + 1
        assert after.user_name == before.user_name
        assert hr.known_as(anne.id) == "7"
        assert place.profile(held).state is ProfileState.ACTIVE
        assert place.in_ca(held) == {"valid"}
        assert place.audited(anne.id) == ["user.restore"]

    def test_one_who_was_inactive_still_is(
        self, place: Place, anne: Person, hr: Client, care: Care
    ) -> None:
        """Only the hold of the mass change is lifted."""
        mobile_id, _ = anne.has_active()
        hr.deactivates(anne.id)
        hr.guard = MassChangeGuard(Guard(deletions=0))
        hr.deletes(anne.id)
        assert place.profile(mobile_id).holds.keys() == {Hold.USER_STATE, Hold.MASS_CHANGE}
        care.restore(mobile_id, by=OLGA)
        assert user_of(place, anne.id).state is UserState.INACTIVE
        profile = place.profile(mobile_id)
        assert profile.state is ProfileState.INACTIVE
        assert profile.holds.keys() == {Hold.USER_STATE}

    def test_not_while_somebody_else_has_the_name(
        self, place: Place, anne: Person, hr: Client, care: Care, held: str
    ) -> None:
        """The error names them, and nothing is changed."""
        name = user_of(place, anne.id).user_name
        other = place.person(user_name=name, user_name_key=name.casefold())
        with pytest.raises(
            UserNotRestorable,
            match=f'User {anne.id} cannot be restored: user {other.id} has the userName "{name}" now; '
            r"rename or delete that one first\. Nothing was changed\.",
        ):
            care.restore(held, by=OLGA)
        self.nothing_is_changed(place, anne, hr, held)

    def test_not_while_somebody_else_has_the_identifier(
        self, place: Place, anne: Person, hr: Client, care: Care, held: str
    ) -> None:
        """The error names client and user, and nothing is changed."""
        other = place.person()
        hr.names(other.id, "7")
        with pytest.raises(
            UserNotRestorable,
            match=f'hr knows user {other.id} by the externalId "7" now; take it off that one first',
        ):
            care.restore(held, by=OLGA)
        self.nothing_is_changed(place, anne, hr, held)

    @staticmethod
    def nothing_is_changed(place: Place, anne: Person, hr: Client, held: str) -> None:
        """The user is a tombstone, and the mobile ID is on hold."""
        assert user_of(place, anne.id).state is UserState.DELETED
        assert hr.known_as(anne.id) is None
        assert place.profile(held).holds.keys() == {Hold.MASS_CHANGE}
        assert place.in_ca(held) == {"held"}

    def test_and_deleted_again(
        self, place: Place, anne: Person, hr: Client, care: Care, held: str
    ) -> None:
        """The whole can happen twice."""
        care.restore(held, by=OLGA)
        hr.deletes(anne.id)
        assert place.profile(held).holds.keys() == {Hold.MASS_CHANGE}
        care.restore(held, by=OLGA)
        assert hr.known_as(anne.id) == "7"
