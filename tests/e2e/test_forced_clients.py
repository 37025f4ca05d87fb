"""Over HTTP, forced: the later one of two gets the answer of the table of errors, and nothing is lost.

The later request is held before its transaction, when all that comes before is done: it is let in
and understood, and what it is about was read. Then the other one happens whole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine
    from tests.conftest import Turns
    from tests.e2e.conftest import Person, World
    from werkzeug.test import TestResponse

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
MOBILE_ID: Final = "urn:mobid:scim:schemas:core:2.0:MobileID"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
WRITES, ACTS = 1, 2
"""A SCIM client writes in its first transaction; a front end's assertion is used up in one before."""


@dataclass(frozen=True, slots=True)
class Rivals:
    """Two requests at once."""

    world: World
    turns: Turns

    def overtake(
        self,
        late: Callable[[], TestResponse],
        first: Callable[[], TestResponse],
        *,
        turn: int = WRITES,
    ) -> tuple[TestResponse, TestResponse]:
        """Hold the later one until the first one is through; return the answers of first and late."""
        with self.turns.held(late, turn=turn) as held:
            assert held.came, f"It has ended before its turn {turn}: {held.outcome!r}"
            answer = first()
        return answer, cast("TestResponse", held.outcome)

    def patch(
        self, path: str, *operations: dict[str, object], if_match: str | None = None
    ) -> TestResponse:
        """Change a resource."""
        body = {"schemas": [PATCH_OP], "Operations": list(operations)}
        return self.world.scim("PATCH", path, body, if_match=if_match)

    def read(self, path: str) -> dict[str, Any]:
        """Read a resource."""
        answer = self.world.scim("GET", path)
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json)

    def group(self, *members: str) -> str:
        """Make a group, and return its path."""
        body = {
            "schemas": [GROUP],
            "displayName": "Staff",
            "members": [{"value": one} for one in members],
        }
        answer = self.world.scim("POST", "/Groups", body)
        assert answer.status_code == 201, answer.text
        return f"/Groups/{cast('dict[str, Any]', answer.json)['id']}"

    def members(self, group: str) -> set[str]:
        """Return who is in a group."""
        return {one["value"] for one in self.read(group).get("members", [])}


@pytest.fixture
def rivals(world: World, turns_on: Callable[[Engine], Turns]) -> Rivals:
    """Two requests at once, on each database."""
    return Rivals(world, turns_on(world.product.engine))


def replaced(path: str, value: object) -> dict[str, object]:
    """Return an operation that replaces one attribute."""
    return {"op": "replace", "path": path, "value": value}


def added(user_id: str) -> dict[str, object]:
    """Return an operation that puts somebody into a group."""
    return {"op": "add", "path": "members", "value": [{"value": user_id}]}


def active(world: World) -> Person:
    """Return a person with an active mobile ID."""
    person = world.person()
    person.start(GET)
    person.act("next")
    person.take_phone()
    person.approve()
    world.until(lambda: person.look()["state"] == "waiting_device", "It is issued")
    person.fetch()
    assert person.handset.confirm(person.delivered).said == {"state": "active"}
    return person


class TestTwoTabs:
    """One user, two windows, the same step."""

    @pytest.mark.parametrize("late", ["next", "cancel"])
    @pytest.mark.parametrize("first", ["next", "cancel"])
    def test_the_later_click_gets_the_step_of_now(
        self, rivals: Rivals, first: str, late: str
    ) -> None:
        """409, with the run as it is: the page can go on from there, and nothing is done twice."""
        one = rivals.world.person()
        one.start(GET)
        other = replace(one)
        won, lost = rivals.overtake(partial(other.act, late), partial(one.act, first), turn=ACTS)
        assert (won.status_code, lost.status_code) == (200, 409)
        said = cast("dict[str, Any]", lost.json)
        assert said["code"] == "STALE_STEP"
        assert said["current"] == one.look()
        assert one.step == ("qr" if first == "next" else "failed")

    def test_a_lock_in_both_is_one(self, rivals: Rivals) -> None:
        """The later one learns that it is locking or locked already."""
        one = active(rivals.world)
        one.start(LOCK, mobile_id=one.mobile_id)
        other = replace(one)
        won, lost = rivals.overtake(partial(other.act, "next"), partial(one.act, "next"), turn=ACTS)
        assert (won.status_code, lost.status_code) == (200, 409)
        rivals.world.until(lambda: one.look()["state"] == "completed", "It is locked")

    @pytest.mark.parametrize("first", ["phone", "person"])
    def test_cancel_against_the_phone(self, rivals: Rivals, first: str) -> None:
        """One UPDATE decides: 409 for a click that came too late, 410 for a phone."""
        person = rivals.world.person()
        person.start(GET)
        person.act("next")
        person.take_phone()
        person.approve()
        rivals.world.until(lambda: person.look()["state"] == "waiting_device", "It is issued")
        person.fetch()
        path = f"/MobileIDs/{person.mobile_id}?attributes=state,certificates"
        with_phone = partial(person.handset.confirm, person.delivered)
        click = partial(replace(person).act, "cancel")
        late, winner = (click, with_phone) if first == "phone" else (with_phone, click)
        answers = rivals.overtake(cast("Any", late), cast("Any", winner), turn=ACTS)
        got = [getattr(one, "status_code", 0) or getattr(one, "status", 0) for one in answers]
        state, word = ("active", "valid") if first == "phone" else ("cancelled", "revoked")
        assert got == [200, 409 if first == "phone" else 410]
        rivals.world.until(
            lambda: {one["caStatus"] for one in rivals.read(path)["certificates"]} == {word},
            f"The CA says {word}",
        )
        assert rivals.read(path)["state"] == state


class TestTwoClientsAndAUser:
    """Two SCIM clients change one user."""

    def test_keep_each_others_changes(self, rivals: Rivals) -> None:
        """Without a condition the later change is computed again, from what the first has left."""
        path = f"/Users/{rivals.world.person().user_id}"
        answers = rivals.overtake(
            lambda: rivals.patch(path, replaced("title", "Lead")),
            lambda: rivals.patch(path, replaced("nickName", "Annie")),
        )
        assert [one.status_code for one in answers] == [200, 200]
        shown = rivals.read(path)
        assert (shown["title"], shown["nickName"]) == ("Lead", "Annie")

    def test_are_told_when_they_asked_for_it(self, rivals: Rivals) -> None:
        """With If-Match the later one gets 412, and changes nothing."""
        path = f"/Users/{rivals.world.person().user_id}"
        version = rivals.read(path)["meta"]["version"]
        answers = rivals.overtake(
            lambda: rivals.patch(path, replaced("title", "Lead"), if_match=version),
            lambda: rivals.patch(path, replaced("nickName", "Annie"), if_match=version),
        )
        assert [one.status_code for one in answers] == [200, 412]
        assert "title" not in rivals.read(path)

    @pytest.mark.parametrize("first", ["rename", "deactivate"])
    def test_do_not_undo_a_deactivation(self, rivals: Rivals, first: str) -> None:
        """Whoever is first: the user is inactive, and so is the mobile ID, here and in the CA."""
        person = active(rivals.world)
        path = f"/Users/{person.user_id}"
        acts = [
            lambda: rivals.patch(path, replaced("nickName", "Annie")),
            lambda: rivals.patch(path, replaced("active", value=False)),
        ]
        winner, late = acts if first == "rename" else acts[::-1]
        assert [one.status_code for one in rivals.overtake(late, winner)] == [200, 200]
        shown = rivals.read(path)
        assert (shown["active"], shown["nickName"]) == (False, "Annie")
        mobile_id = f"/MobileIDs/{person.mobile_id}?attributes=state,active,certificates"
        rivals.world.until(
            lambda: {one["caStatus"] for one in rivals.read(mobile_id)["certificates"]} == {"held"},
            "The CA holds them",
        )
        assert (rivals.read(mobile_id)["state"], rivals.read(mobile_id)["active"]) == (
            "inactive",
            False,
        )

    def test_find_nobody_who_was_deleted_meanwhile(self, rivals: Rivals) -> None:
        """A change and a second deletion are both 404."""
        for late in ("PATCH", "DELETE"):
            path = f"/Users/{rivals.world.person().user_id}"
            act = {
                "PATCH": partial(rivals.patch, path, replaced("title", "Lead")),
                "DELETE": partial(rivals.world.scim, "DELETE", path),
            }[late]
            answers = rivals.overtake(act, partial(rivals.world.scim, "DELETE", path))
            assert [one.status_code for one in answers] == [204, 404]

    def test_make_one_of_a_name(self, rivals: Rivals) -> None:
        """The later one is told which attribute is taken."""
        name = f"anna-{rivals.world.person().user_id}"
        make = partial(rivals.world.scim, "POST", "/Users", {"schemas": [USER], "userName": name})
        won, lost = rivals.overtake(make, make)
        assert (won.status_code, lost.status_code) == (201, 409)
        assert cast("dict[str, Any]", lost.json)["scimType"] == "uniqueness"

    def test_order_one_mobile_id(self, rivals: Rivals) -> None:
        """The later order is 409, and leaves nothing behind."""
        user_id = rivals.world.person().user_id
        owner = {"$ref": f"{rivals.world.url}/scim/v2/Users/{user_id}"}
        body = {"schemas": [MOBILE_ID], "user": owner}
        make = partial(rivals.world.scim, "POST", "/MobileIDs", body)
        answers = rivals.overtake(make, make)
        assert [one.status_code for one in answers] == [201, 409]
        found = rivals.read(f'/MobileIDs?filter=user.value eq "{user_id}"')
        assert found["totalResults"] == 1


class TestTwoClientsAndAMobileID:
    """Two SCIM clients end one mobile ID."""

    @pytest.mark.parametrize("first", ["PATCH", "DELETE"])
    def test_lock_it_once(self, rivals: Rivals, first: str) -> None:
        """The later PATCH changes nothing any more, or finds nothing; the phone is told that it is locked."""
        person = active(rivals.world)
        path = f"/MobileIDs/{person.mobile_id}"
        lock = partial(rivals.patch, path, replaced("active", value=False))
        remove = partial(rivals.world.scim, "DELETE", path)
        winner, late = (lock, remove) if first == "PATCH" else (remove, lock)
        answers = [one.status_code for one in rivals.overtake(late, winner)]
        assert answers == ([200, 204] if first == "PATCH" else [204, 404])
        rivals.world.until(lambda: person.handset.status() == "locked", "It is locked")
        listed = rivals.world.revoked()
        assert {one["serial"] for one in person.delivered} <= listed.keys()

    def test_on_a_condition_that_holds_no_more(self, rivals: Rivals) -> None:
        """The later DELETE gets 412: what it was about is not what is there."""
        person = active(rivals.world)
        path = f"/MobileIDs/{person.mobile_id}"
        version = rivals.read(path)["meta"]["version"]
        answers = rivals.overtake(
            lambda: rivals.world.scim("DELETE", path, if_match=version),
            lambda: rivals.patch(path, replaced("externalId", person.user_id)),
        )
        assert [one.status_code for one in answers] == [200, 412]
        assert rivals.read(path)["state"] == "active"


class TestTwoClientsAndAGroup:
    """Two SCIM clients change the members of one group."""

    def test_keep_each_others_members(self, rivals: Rivals) -> None:
        """Both newcomers are in; so are those who were."""
        there, one, other = (rivals.world.person().user_id for _ in range(3))
        group = rivals.group(there)
        answers = rivals.overtake(
            lambda: rivals.patch(group, added(one)), lambda: rivals.patch(group, added(other))
        )
        assert {answer.status_code for answer in answers} <= {200, 204}
        assert rivals.members(group) == {there, one, other}

    def test_are_told_when_they_asked_for_it(self, rivals: Rivals) -> None:
        """With If-Match the later one gets 412, and nobody is put in."""
        one, other = (rivals.world.person().user_id for _ in range(2))
        group = rivals.group()
        version = rivals.read(group)["meta"]["version"]
        _, lost = rivals.overtake(
            lambda: rivals.patch(group, added(one), if_match=version),
            lambda: rivals.patch(group, added(other), if_match=version),
        )
        assert lost.status_code == 412
        assert rivals.members(group) == {other}

    @pytest.mark.parametrize("first", ["add", "delete"])
    def test_and_a_member_who_is_deleted(self, rivals: Rivals, first: str) -> None:
        """Nobody who is deleted is in a group, whoever was faster; to put them in is refused by name."""
        user_id = rivals.world.person().user_id
        group = rivals.group()
        add = partial(rivals.patch, group, added(user_id))
        delete = partial(rivals.world.scim, "DELETE", f"/Users/{user_id}")
        winner, late = (add, delete) if first == "add" else (delete, add)
        _, lost = rivals.overtake(late, winner)
        assert lost.status_code == (204 if first == "add" else 400), lost.text
        assert rivals.members(group) == set()

    def test_and_a_group_that_is_deleted(self, rivals: Rivals) -> None:
        """The later change finds no group."""
        user_id = rivals.world.person().user_id
        group = rivals.group()
        _, lost = rivals.overtake(
            lambda: rivals.patch(group, added(user_id)), lambda: rivals.world.scim("DELETE", group)
        )
        assert lost.status_code == 404


class TestTwoAtOneAttempt:
    """The thread that committed tries at once; a job of the same attempt is faster, or comes meanwhile."""

    CLAIMS, SETTLES = ACTS + 1, ACTS + 2
    """After the commit: an attempt is claimed, then the work has transactions of its own."""

    @staticmethod
    def others_try(rivals: Rivals, kind: str, subjects: set[str]) -> None:
        """Let whoever hears of it try what these rows want, at the very same attempt."""
        wanted = [one for one in rivals.world.product.effects.overview() if one.kind == kind]
        ours = [(kind, one.id, one.attempt) for one in wanted if one.id in subjects]
        assert ours
        rivals.world.product.effects.committed(ours)

    def ids(self, rivals: Rivals, query: str, subject: str) -> set[str]:
        """Return the ids of rows."""
        with rivals.world.product.engine.connect() as connection:
            return set(connection.execute(sa.text(query), {"of": subject}).scalars())

    def happened(self, rivals: Rivals, action: str, ids: set[str]) -> Counter[str]:
        """Count what was audited of rows."""
        query = sa.text("SELECT object_id FROM audit_events WHERE action = :action")
        with rivals.world.product.engine.connect() as connection:
            found = connection.execute(query, {"action": action}).scalars()
            return Counter(one for one in found if one in ids)

    @pytest.mark.parametrize("turn", [CLAIMS, SETTLES])
    def test_send_one_letter(self, rivals: Rivals, turn: int) -> None:
        """Whoever has the claim sends it, and the other does nothing."""
        person = rivals.world.person("by mail")
        person.start(GET)
        query = "SELECT id FROM mails WHERE subject_id = :of"
        with rivals.turns.held(partial(person.act, "next"), turn=turn) as held:
            assert held.came
            ids = self.ids(rivals, query, person.instance["id"])
            self.others_try(rivals, "mail", ids)
        assert self.happened(rivals, "mail.sent", ids) == Counter(ids)
        assert rivals.world.mailbox.told(person.email) == ["qr_code"]

    @pytest.mark.parametrize("turn", [CLAIMS, SETTLES])
    def test_make_one_certificate_of_an_order(self, rivals: Rivals, turn: int) -> None:
        """The CA is asked by one of them; the run goes on to the phone once."""
        person = rivals.world.person()
        person.start(GET)
        person.act("next")
        person.take_phone()
        query = "SELECT id FROM certificates WHERE mobile_id = :of"
        with rivals.turns.held(person.approve, turn=turn) as held:
            assert held.came
            ids = self.ids(rivals, query, person.mobile_id)
            self.others_try(rivals, "certificate", ids)
        rivals.world.until(lambda: person.look()["state"] == "waiting_device", "It is issued")
        assert self.happened(rivals, "certificate.stored", ids) == Counter(ids)
        run = {person.instance["id"]}
        assert self.happened(rivals, "get.issued", run) == Counter(run)
