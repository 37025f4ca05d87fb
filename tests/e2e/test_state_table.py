"""The state table of a mobile ID and the steps of Get and Lock, row by row, over HTTP, on both databases."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from mobid.domain.actors import Actor, ActorKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from tests.e2e.conftest import Answer, Person, World
    from werkzeug.test import TestResponse

    Attempt: TypeAlias = Callable[[Person], Answer | TestResponse | None]

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
CONFIRM_TIME: Final = timedelta(minutes=61)
CA_TIME: Final = timedelta(minutes=16)
CALL_TIME: Final = timedelta(minutes=2)
FORM_TIME: Final = timedelta(minutes=41)
LIFE: Final = timedelta(days=1, minutes=1)
ORDER_TIME: Final = timedelta(days=14, minutes=1)
OPERATOR: Final = Actor(ActorKind.OPERATOR, "olga")

# --- how a mobile ID comes to a state ----------------------------------------------------------------


def confirm(world: World) -> Person:
    """A person at the start of a Get."""
    person = world.person()
    assert person.start(GET).status_code == 201
    assert person.step == "confirm"
    return person


def code_shown(world: World) -> Person:
    """A pending mobile ID, whose code is shown."""
    person = confirm(world)
    person.act("next")
    assert person.step == "qr"
    return person


def phone_there(world: World) -> Person:
    """A pending mobile ID, whose phone waits for the approval."""
    person = code_shown(world)
    person.take_phone()
    assert person.step == "approve"
    return person


def ca_at_work(world: World) -> Person:
    """A pending mobile ID, whose orders have not reached the CA."""
    person = phone_there(world)
    with world.line_is_cut():
        person.approve()
    assert (person.step, person.instance["state"]) == ("creating", "waiting_ca")
    return person


def issued(world: World) -> Person:
    """A pending mobile ID, whose certificates the phone has fetched, and not confirmed."""
    person = phone_there(world)
    person.approve()
    world.until(lambda: person.look()["state"] == "waiting_device", "Every certificate is issued")
    person.fetch()
    return person


def active(world: World) -> Person:
    """An active mobile ID."""
    person = issued(world)
    assert person.handset.confirm(person.delivered).said == {"state": "active"}
    person.look()
    return person


def inactive(world: World) -> Person:
    """A mobile ID that its user's state suspends; the CA has confirmed."""
    person = active(world)
    user_goes_inactive(person)
    comes_to(person, "inactive", "held/held")
    return person


def suspended(world: World) -> Person:
    """A mobile ID that an operator has suspended; the CA has confirmed."""
    person = active(world)
    operator_holds(person)
    comes_to(person, "inactive", "held/held")
    return person


def suspended_twice(world: World) -> Person:
    """A mobile ID that an operator and its user's state suspend."""
    person = suspended(world)
    user_goes_inactive(person)
    return person


def held_by_mass_change(world: World) -> Person:
    """A mobile ID whose user was deleted with too many others; the CA has confirmed."""
    person = active(world)
    user_is_deleted_with_too_many(person)
    comes_to(person, "inactive", "held/held")
    return person


def ordered(world: World) -> Person:
    """A mobile ID that an identity manager has ordered, and its owner has opened."""
    person = world.person()
    order = {
        "schemas": ["urn:mobid:scim:schemas:core:2.0:MobileID"],
        "user": {"value": person.user_id},
    }
    made = world.scim("POST", "/MobileIDs", order)
    assert made.status_code == 201, made.text
    assert person.start(GET).status_code == 200
    assert made.json is not None
    assert (person.step, person.mobile_id) == ("confirm", made.json["id"])
    return person


def locking(world: World) -> Person:
    """A mobile ID that is locked here, and not yet in the CA."""
    person = active(world)
    with world.line_is_cut():
        person_locks(person)
    return person


def locked(world: World) -> Person:
    """A mobile ID that is locked, and whose certificates the CA has revoked."""
    person = active(world)
    person_locks(person)
    comes_to(person, "locked", "revoked/revoked")
    return person


def expired(world: World) -> Person:
    """A mobile ID that has come to its end."""
    person = active(world)
    its_end_is_reached(person)
    comes_to(person, "expired", "revoked/expired")
    return person


def failed(world: World) -> Person:
    """A mobile ID that its phone did not confirm in time."""
    person = issued(world)
    the_phone_is_silent(person)
    comes_to(person, "failed", "revoked/revoked")
    return person


def cancelled(world: World) -> Person:
    """A mobile ID that its user did not want any more."""
    person = issued(world)
    person.act("cancel")
    comes_to(person, "cancelled", "revoked/revoked")
    return person


# --- what can happen to it ----------------------------------------------------------------------------


def the_phone_confirms(person: Person) -> None:
    """The phone has installed every certificate."""
    assert person.handset.confirm(person.delivered).status == 200


def the_phone_removes_it(person: Person) -> None:
    """Its user removes it in the app."""
    assert person.handset.remove().status == 200


def the_phone_is_silent(person: Person) -> None:
    """It does not confirm in time."""
    time_passes(person, CONFIRM_TIME)


def person_cancels(person: Person) -> None:
    """The user cancels the Get."""
    assert person.act("cancel").status_code == 200
    assert person.instance["state"] == "cancelled"


def person_says_not_mine(person: Person) -> None:
    """The user sees a phone that is not theirs."""
    assert person.act("not_mine").status_code == 200
    assert person.instance["error"]["code"] == "NOT_MINE"


def person_picks_another_number(person: Person) -> None:
    """The user picks a number that their phone does not show."""
    (field,) = person.instance["step"]["form"]
    other = next(one["value"] for one in field["choices"] if one["value"] != person.number)
    assert person.act("next", number=other).status_code == 200
    assert person.instance["error"]["code"] == "NOT_MINE"


def person_locks(person: Person) -> None:
    """The user locks their own."""
    assert person.start(LOCK, mobile_id=person.mobile_id).status_code == 201
    assert person.act("next", reason="lost_or_stolen").status_code == 200


def person_locks_on_the_way_to_another(person: Person) -> None:
    """The user starts another Get, and locks this one there."""
    mobile_id = person.mobile_id
    person.start(GET)
    assert person.step == "has_active"
    person.act("lock")
    assert person.step == "confirm"
    person.instance["mobile_id"] = mobile_id


def scim_patches_active_false(person: Person) -> None:
    """An identity manager writes `active` false."""
    answer = person.world.patch(f"/MobileIDs/{person.mobile_id}", "active", value=False)
    assert answer.status_code == 200, answer.text


def scim_deletes_it(person: Person) -> None:
    """An identity manager deletes the mobile ID, and does not see it any more."""
    path = f"/MobileIDs/{person.mobile_id}"
    assert person.world.scim("DELETE", path).status_code == 204
    assert person.world.scim("GET", path).status_code == 404


def user_goes_inactive(person: Person) -> None:
    """An identity manager deactivates the user."""
    answer = person.world.patch(f"/Users/{person.user_id}", "active", value=False)
    assert answer.status_code == 200, answer.text


def user_comes_back(person: Person) -> None:
    """An identity manager activates the user."""
    answer = person.world.patch(f"/Users/{person.user_id}", "active", value=True)
    assert answer.status_code == 200, answer.text


def user_is_deleted(person: Person) -> None:
    """An identity manager deletes the user."""
    assert person.world.scim("DELETE", f"/Users/{person.user_id}").status_code == 204


def user_is_deleted_with_too_many(person: Person) -> None:
    """An identity manager deletes the user, as one of too many."""
    for _ in range(20):
        path = f"/Users/{person.world.person().user_id}"
        assert person.world.scim("DELETE", path).status_code == 204
    user_is_deleted(person)
    # Whoever is deleted in the next test is the first of another hour.
    person.world.clock.pass_by(timedelta(hours=1))


def operator_holds(person: Person) -> None:
    """An operator suspends it."""
    person.world.product.care.hold(person.mobile_id, by=OPERATOR, why="Left in a taxi")


def operator_lifts(person: Person) -> None:
    """An operator takes that back."""
    person.world.product.care.lift(person.mobile_id, by=OPERATOR)


def operator_releases(person: Person) -> None:
    """An operator says that the deletion was meant."""
    person.world.product.care.release(person.mobile_id, by=OPERATOR)


def operator_restores(person: Person) -> None:
    """An operator says that the deletion was a mistake."""
    person.world.product.care.restore(person.mobile_id, by=OPERATOR)
    assert person.world.scim("GET", f"/Users/{person.user_id}").status_code == 200


def its_owner_goes_through(person: Person) -> None:
    """The owner of an ordered one gets it on the phone."""
    person.act("next")
    person.take_phone()
    person.approve()
    person.world.until(lambda: person.look()["state"] == "waiting_device", "It is issued")
    person.fetch()
    the_phone_confirms(person)


def nobody_comes(person: Person) -> None:
    """The owner of an ordered one does not go on with it."""
    time_passes(person, ORDER_TIME)


def address_changes(person: Person) -> None:
    """An identity manager writes another e-mail address."""
    answer = person.world.patch(
        f"/Users/{person.user_id}", "emails", value=[{"value": "new@example.org"}]
    )
    assert answer.status_code == 200, answer.text
    person.look()
    assert person.step == "confirm"


def the_ca_revokes(person: Person) -> None:
    """Somebody revokes a certificate in the CA, behind our back; we ask, as every day."""
    person.world.clock.pass_by(timedelta(seconds=1))
    person.world.revoke_behind_our_back(person.mobile_id)
    assert person.world.product.reconciliation.run() > 0


def the_ca_refuses(person: Person) -> None:
    """The CA rejects the orders."""
    with person.world.ca_refuses():
        person.approve()
        person.world.until(lambda: person.look()["state"] == "failed", "The run has failed")
    assert person.instance["error"]["code"] == "CA_REJECTED"


def the_ca_is_silent(person: Person) -> None:
    """The CA does not answer in time."""
    time_passes(person, CA_TIME)
    assert person.look()["error"]["code"] == "CA_UNAVAILABLE"


def nobody_goes_on(person: Person) -> None:
    """The time of the form or the code is over."""
    time_passes(person, FORM_TIME)
    assert person.look()["error"]["code"] == "ENROLMENT_EXPIRED"


def its_end_is_reached(person: Person) -> None:
    """The validity of the mobile ID is over."""
    time_passes(person, LIFE)


def time_passes(person: Person, time: timedelta) -> None:
    """Time goes by, and the tasks that come round look for what is over."""
    person.world.clock.pass_by(time)
    person.world.product.time_outs.end_instances()
    person.world.product.time_outs.expire_mobile_ids()


# --- the table -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `meanwhile` is what holds while the CA does not answer, the rest what it comes to.

    Certificates are told as SCIM tells them: our word / the CA's word; none: nothing was ordered.
    """

    before: Callable[[World], Person]
    event: Callable[[Person], None]
    state: str
    certificates: str = ""
    meanwhile: str | None = None
    """None: the event needs the CA."""

    def __str__(self) -> str:
        return f"{self.before.__name__}-{self.event.__name__}-{self.state}"


REVOKED: Final = "revoked/revoked"
ENDED: Final = "PROCESS_ENDED"
IN_VAIN: Final = "revoked/absent"
LISTED: Final = {"valid/valid": "nothing", "held/held": "certificateHold", REVOKED: "revoked"}
"""What the CA's revocation list says of each certificate."""

TABLE: Final = (
    # from         event                               to           at last     meanwhile
    Row(issued, the_phone_confirms, "active", "valid/valid", "active valid/valid"),
    Row(code_shown, person_cancels, "cancelled", "", "cancelled"),
    Row(phone_there, person_cancels, "cancelled", "", "cancelled"),
    Row(phone_there, person_says_not_mine, "cancelled", "", "cancelled"),
    Row(phone_there, person_picks_another_number, "cancelled", "", "cancelled"),
    Row(ca_at_work, person_cancels, "cancelled", IN_VAIN, "cancelled revoked/requested"),
    Row(issued, person_cancels, "cancelled", REVOKED, "cancelled revoked/valid"),
    Row(issued, scim_deletes_it, "cancelled", REVOKED, "cancelled"),
    Row(issued, the_phone_removes_it, "cancelled", REVOKED, "cancelled revoked/valid"),
    Row(code_shown, nobody_goes_on, "failed", "", "failed"),
    Row(phone_there, nobody_goes_on, "failed", "", "failed"),
    Row(ca_at_work, the_ca_is_silent, "failed", IN_VAIN, "failed revoked/requested"),
    Row(issued, the_phone_is_silent, "failed", REVOKED, "failed revoked/valid"),
    Row(phone_there, the_ca_refuses, "failed", IN_VAIN),
    Row(issued, the_ca_revokes, "failed", REVOKED),
    Row(code_shown, user_goes_inactive, "failed", "", "failed"),
    Row(code_shown, user_is_deleted, "failed", "", "failed"),
    Row(ca_at_work, user_goes_inactive, "failed", IN_VAIN, "failed revoked/requested"),
    Row(issued, user_goes_inactive, "failed", REVOKED, "failed revoked/valid"),
    Row(issued, user_is_deleted, "failed", REVOKED, "failed revoked/valid"),
    Row(active, person_locks, "locked", REVOKED, "locking revoked/valid"),
    Row(active, person_locks_on_the_way_to_another, "locked", REVOKED, "locking revoked/valid"),
    Row(active, scim_patches_active_false, "locked", REVOKED, "locking revoked/valid"),
    Row(active, scim_deletes_it, "locked", REVOKED, "locking"),
    Row(active, the_phone_removes_it, "locked", REVOKED, "locking revoked/valid"),
    Row(active, the_ca_revokes, "locked", REVOKED),
    Row(active, user_is_deleted, "locked", REVOKED, "locking revoked/valid"),
    Row(active, user_goes_inactive, "inactive", "held/held", "inactive held/valid"),
    Row(active, its_end_is_reached, "expired", "revoked/expired", "expired revoked/expired"),
    Row(active, operator_holds, "inactive", "held/held", "inactive held/valid"),
    Row(active, user_is_deleted_with_too_many, "inactive", "held/held", "inactive held/valid"),
    Row(inactive, scim_deletes_it, "locked", REVOKED, "locking"),
    Row(inactive, the_phone_removes_it, "locked", REVOKED, "locking revoked/held"),
    Row(inactive, the_ca_revokes, "locked", REVOKED),
    Row(inactive, user_is_deleted, "locked", REVOKED, "locking revoked/held"),
    Row(inactive, user_comes_back, "active", "valid/valid", "inactive valid/held"),
    Row(inactive, its_end_is_reached, "expired", "revoked/expired", "expired revoked/expired"),
    Row(inactive, operator_holds, "inactive", "held/held", "inactive held/held"),
    Row(suspended, operator_lifts, "active", "valid/valid", "inactive valid/held"),
    Row(suspended, user_is_deleted, "locked", REVOKED, "locking revoked/held"),
    Row(suspended, its_end_is_reached, "expired", "revoked/expired", "expired revoked/expired"),
    Row(suspended_twice, operator_lifts, "inactive", "held/held", "inactive held/held"),
    Row(suspended_twice, user_comes_back, "inactive", "held/held", "inactive held/held"),
    Row(held_by_mass_change, operator_releases, "locked", REVOKED, "locking revoked/held"),
    Row(held_by_mass_change, operator_restores, "active", "valid/valid", "inactive valid/held"),
    Row(ordered, its_owner_goes_through, "active", "valid/valid"),
    Row(ordered, person_cancels, "cancelled", "", "cancelled"),
    Row(ordered, user_goes_inactive, "failed", "", "failed"),
    Row(ordered, nobody_comes, "failed", "", "failed"),
    Row(code_shown, address_changes, "pending", "", "pending"),
)


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_what_happens_to_a_mobile_id_and_its_certificates(world: World, row: Row) -> None:
    """Our word changes at once, the CA's word when it answers; the CA's own list says the same."""
    person = row.before(world)
    with nullcontext() if row.meanwhile is None else world.line_is_cut():
        row.event(person)
        if row.meanwhile is not None:
            assert told(person) == row.meanwhile
    if row.certificates == IN_VAIN:
        # Whoever sent the order may still be at it: only later is an empty answer the last word.
        world.clock.pass_by(CALL_TIME)
    comes_to(person, row.state, row.certificates)
    if row.certificates in LISTED:
        listed = LISTED[row.certificates]
        world.until(lambda: on_the_list(person) == {listed}, f"The CA's list says {listed}")


def comes_to(person: Person, state: str, certificates: str) -> None:
    """Let the CA answer until the mobile ID is what it must become."""
    expected = f"{state} {certificates}".strip()
    if is_hidden(person):
        expected = state
    person.world.until(lambda: told(person) == expected, f"It is {expected}")


def told(person: Person) -> str:
    """Return the state and, for one that SCIM still shows, what is said of all its certificates."""
    if is_hidden(person):
        return person.handset.status()
    shown = person.world.mobile_id(person.mobile_id)
    assert shown["active"] == (shown["state"] == "active"), shown
    said = {f"{one['status']}/{one['caStatus']}" for one in shown.get("certificates", [])}
    return " ".join([shown["state"], *sorted(said)])


def is_hidden(person: Person) -> bool:
    """Tell whether a client has deleted the mobile ID."""
    return person.world.scim("GET", f"/MobileIDs/{person.mobile_id}").status_code == 404


def on_the_list(person: Person) -> set[str]:
    """Return what the CA's revocation list says of what the phone got."""
    listed = person.world.revoked()
    reasons = [listed.get(one["serial"], "nothing") for one in person.delivered]
    return {one if one in {"nothing", "certificateHold"} else "revoked" for one in reasons}


# --- what changes nothing -----------------------------------------------------------------------------


def own_lock(person: Person) -> TestResponse:
    """The user wants to lock it."""
    return person.start(LOCK, mobile_id=person.mobile_id)


def another_get(person: Person) -> TestResponse:
    """The user wants another one."""
    return person.start(GET)


def scim_writes_false(person: Person) -> TestResponse:
    """An identity manager writes back what it has read, or thinks that this locks it."""
    return person.world.patch(f"/MobileIDs/{person.mobile_id}", "active", value=False)


def scim_writes_true(person: Person) -> TestResponse:
    """An identity manager wants it to be usable."""
    return person.world.patch(f"/MobileIDs/{person.mobile_id}", "active", value=True)


def user_is_inactive(person: Person) -> TestResponse:
    """The user is deactivated, perhaps again."""
    return person.world.patch(f"/Users/{person.user_id}", "active", value=False)


def user_is_active(person: Person) -> TestResponse:
    """The user is activated, perhaps again."""
    return person.world.patch(f"/Users/{person.user_id}", "active", value=True)


def fetched_again(person: Person) -> Answer:
    """The phone asks for the certificates."""
    return person.handset.result()


def confirmed_again(person: Person) -> Answer:
    """The phone confirms."""
    return person.handset.confirm(person.delivered)


def removed_again(person: Person) -> Answer:
    """The phone removes it."""
    return person.handset.remove()


def a_day_later(person: Person) -> None:
    """Its end comes, or came long ago."""
    its_end_is_reached(person)


def we_ask_the_ca(person: Person) -> None:
    """Every live certificate is asked for."""
    person.world.clock.pass_by(timedelta(seconds=1))
    person.world.product.reconciliation.run()


def waits_for_release(world: World) -> Person:
    """A mobile ID whose user is back, and whose release the CA has not confirmed."""
    person = inactive(world)
    with world.line_is_cut():
        user_comes_back(person)
    return person


NOT_ACTIVE: Final = "409 MOBILE_ID_NOT_ACTIVE"
FINAL: Final[Mapping[Attempt, str]] = {
    own_lock: NOT_ACTIVE,
    scim_writes_false: "200",
    scim_writes_true: "400 mutability",
    fetched_again: "200",
    confirmed_again: "200",
    removed_again: "200",
    user_is_inactive: "200",
    user_is_active: "200",
    we_ask_the_ca: "",
    a_day_later: "",
}
GIVEN_UP: Final[Mapping[Attempt, str]] = {
    **FINAL,
    fetched_again: "410 CODE_NOT_USABLE",
    confirmed_again: "410 CODE_NOT_USABLE",
}

UNMOVED: Final[Mapping[Callable[[World], Person], Mapping[Attempt, str]]] = {
    issued: {
        own_lock: NOT_ACTIVE,
        another_get: "200",
        scim_writes_false: "200",
        scim_writes_true: "400 mutability",
        fetched_again: "200",
        user_is_active: "200",
    },
    active: {
        scim_writes_true: "200",
        fetched_again: "200",
        confirmed_again: "200",
        user_is_active: "200",
        we_ask_the_ca: "",
    },
    inactive: {
        own_lock: NOT_ACTIVE,
        another_get: "409 USER_NOT_ACTIVE",
        scim_writes_false: "200",
        scim_writes_true: "400 mutability",
        confirmed_again: "200",
        user_is_inactive: "200",
        we_ask_the_ca: "",
    },
    waits_for_release: {
        own_lock: NOT_ACTIVE,
        another_get: "409 MOBILE_ID_SUSPENDED",
        scim_writes_true: "400 mutability",
        confirmed_again: "200",
    },
    locking: {
        own_lock: "200",
        scim_writes_false: "200",
        scim_writes_true: "400 mutability",
        confirmed_again: "200",
        removed_again: "200",
        user_is_inactive: "200",
        user_is_active: "200",
    },
    locked: FINAL,
    expired: FINAL,
    failed: GIVEN_UP,
    cancelled: GIVEN_UP,
}


@pytest.mark.parametrize("state", UNMOVED, ids=lambda state: state.__name__)
def test_what_is_not_in_the_table_changes_nothing(
    world: World, state: Callable[[World], Person]
) -> None:
    """What a state does not know is refused by name, or is no change; final states stay for good."""
    person = state(world)
    before, mobile_id = told(person), person.mobile_id
    answers: dict[str, str] = {}
    for attempt in UNMOVED[state]:
        answers[attempt.__name__] = answered(attempt(person))
        assert person.mobile_id == mobile_id, attempt.__name__
        assert told(person) == before, attempt.__name__
    expected = UNMOVED[state].items()
    assert answers == {attempt.__name__: answer for attempt, answer in expected}


@pytest.mark.parametrize(
    "state", [locked, expired, failed, cancelled], ids=lambda one: one.__name__
)
def test_a_final_state_outlives_its_user(world: World, state: Callable[[World], Person]) -> None:
    """Neither the end of the user nor that of the mobile ID over SCIM moves it any more."""
    person = state(world)
    before = told(person)
    user_is_deleted(person)
    assert told(person) == before
    scim_deletes_it(person)
    assert told(person) == before.partition(" ")[0]


@pytest.mark.parametrize(
    "state", [locking, locked, expired, failed, cancelled], ids=lambda one: one.__name__
)
def test_a_mobile_id_that_is_not_live_leaves_its_slot(
    world: World, state: Callable[[World], Person]
) -> None:
    """Another Get begins at once, even while the CA does not answer."""
    person = state(world)
    mobile_id = person.mobile_id
    with world.line_is_cut():
        assert person.start(GET).status_code == 201
        assert person.step == "confirm"
        person.act("next")
    assert person.step == "qr"
    assert told(person) == "pending"
    assert person.mobile_id != mobile_id


def answered(answer: Any) -> str:
    """Return status and code of an answer over whatever surface it came."""
    if answer is None:
        return ""
    said = answer.said if hasattr(answer, "said") else answer.json
    status = answer.status if hasattr(answer, "said") else answer.status_code
    return f"{status} {said.get('code') or said.get('scimType') or ''}".strip()


# --- steps and actions ---------------------------------------------------------------------------------


def code_mailed(world: World) -> Person:
    """A pending mobile ID, whose code went by mail."""
    person = world.person("by mail")
    person.start(GET)
    person.act("next")
    assert person.step == "mail"
    return person


def phone_there_by_mail(world: World) -> Person:
    """A pending mobile ID, whose phone has the code of the mail and that of the page."""
    person = code_mailed(world)
    person.take_phone()
    return person


def has_active(world: World) -> Person:
    """A Get of somebody who has an active mobile ID."""
    person = active(world)
    person.start(GET)
    return person


def confirm_lock(world: World) -> Person:
    """A Lock that asks once more."""
    person = active(world)
    person.start(LOCK, mobile_id=person.mobile_id)
    return person


def cancelled_lock(world: World) -> Person:
    """A Lock that was left."""
    person = confirm_lock(world)
    person.act("cancel")
    return person


def finished_lock(world: World) -> Person:
    """A Lock that the CA has confirmed."""
    person = locked(world)
    person.look()
    return person


@dataclass(frozen=True, slots=True)
class Step:
    """A step: where it is found, and for each action that it knows to which step this leads."""

    process: str
    name: str
    reached: Callable[[World], Person]
    leads_to: Mapping[str, str]
    refuses: str = "ILLEGAL_TRANSITION"
    """The code of every other action."""

    def __str__(self) -> str:
        return f"{self.name}-{self.reached.__name__}"


ACTIONS: Final = ("next", "cancel", "lock", "renew", "not_mine")
OVER: Final = "failed cancelled"

STEPS: Final = (
    Step(GET, "has_active", has_active, {"lock": "confirm waiting_user", "cancel": OVER}),
    Step(GET, "confirm", confirm, {"next": "qr waiting_device", "cancel": OVER}),
    Step(
        GET,
        "qr",
        code_shown,
        {"next": "qr waiting_device", "renew": "qr waiting_device", "cancel": OVER},
    ),
    Step(
        GET,
        "mail",
        code_mailed,
        {"next": "mail waiting_device", "renew": "mail waiting_device", "cancel": OVER},
    ),
    Step(
        GET,
        "approve",
        phone_there_by_mail,
        {"next": "creating waiting_device", "not_mine": OVER, "cancel": OVER},
    ),
    Step(
        GET,
        "approve",
        phone_there,
        {"next": "creating waiting_device", "not_mine": OVER, "cancel": OVER},
    ),
    Step(GET, "creating", ca_at_work, {"cancel": OVER}),
    Step(GET, "creating", issued, {"cancel": OVER}),
    Step(GET, "done", active, {}, ENDED),
    Step(GET, "failed", failed, {}, ENDED),
    Step(GET, "failed", cancelled, {}, ENDED),
    Step(LOCK, "confirm_lock", confirm_lock, {"next": "done completed", "cancel": OVER}),
    Step(LOCK, "locking", locking, {}),
    Step(LOCK, "done", finished_lock, {}, ENDED),
    Step(LOCK, "failed", cancelled_lock, {}, ENDED),
)


def here(person: Person) -> str:
    """Return step and state of a run as they are now."""
    now = person.look()
    return f"{now['step']['name']} {now['state']}"


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_step_takes_its_own_actions_and_no_other(world: World, step: Step) -> None:
    """It says which; others, and all that were meant for an earlier step, are refused by name."""
    person = step.reached(world)
    shown = person.look()
    assert (shown["process"], shown["step"]["name"]) == (step.process, step.name)
    assert shown["step"]["actions"] == list(step.leads_to)
    seq = shown["step"]["seq"]
    for action in ACTIONS:
        for wrong in (seq - 1, seq + 1):
            stale = person.act(action, seq=wrong)
            assert answered(stale) == "409 STALE_STEP"
            assert stale.json is not None
            assert stale.json["current"]["step"]["seq"] == seq
        if action not in step.leads_to:
            assert answered(person.act(action)) == f"409 {step.refuses}"
    assert person.look() == shown


@pytest.mark.parametrize(
    ("step", "action"),
    [(step, action) for step in STEPS for action in step.leads_to],
    ids=str,
)
def test_an_action_leads_where_the_process_says(world: World, step: Step, action: str) -> None:
    """Each does what it says, once: the same click again is for an earlier step, and refused.

    *Next* at the code stays there: what moves that run on is the phone.
    """
    person = step.reached(world)
    seq = person.instance["step"]["seq"]
    if (step.name, action) == ("approve", "next"):
        person.approve()
    else:
        assert person.act(action).status_code == 200
    world.until(lambda: here(person) == step.leads_to[action], f"It is {step.leads_to[action]}")
    if step.name in {"qr", "mail"} and action == "next":
        assert person.instance["step"]["seq"] == seq
    else:
        assert answered(person.act(action, seq=seq)) == "409 STALE_STEP"
