"""What we want and what the CA has said are two truths: both are told, until they are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.e2e.conftest import Person, Site, World

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
OURS: Final = "urn:mobid:scim:schemas:extension:mobileid:2.0:User"


def activate(world: World) -> Person:
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


def lock(person: Person) -> None:
    """Lock it."""
    person.start(LOCK, mobile_id=person.mobile_id)
    assert person.act("next").status_code == 200


def state_at_user(person: Person) -> str:
    """Return what SCIM says of the mobile ID where it shows the user."""
    path = f"/Users/{person.user_id}?attributes={OURS}:mobileIds"
    shown = person.world.scim("GET", path).json
    assert shown is not None
    (only,) = shown[OURS]["mobileIds"]
    return str(only["state"])


def words(person: Person) -> set[tuple[str, str]]:
    """Return our word and the CA's of each certificate."""
    shown = person.world.mobile_id(person.mobile_id)
    return {(one["status"], one["caStatus"]) for one in shown["certificates"]}


def test_a_lock_tells_both_truths_until_the_ca_has_confirmed(world: World) -> None:
    """Unusable at once, `locking` and not `locked` as long as the CA is silent, on every surface."""
    person = activate(world)
    with world.line_is_cut():
        lock(person)
        world.work()
        shown = world.mobile_id(person.mobile_id)
        assert (shown["state"], shown["active"]) == ("locking", False)
        assert words(person) == {("revoked", "valid")}
        assert state_at_user(person) == person.handset.status() == "locking"
        assert (person.look()["state"], person.step) == ("waiting_ca", "locking")
        for text in (person.instance["step"]["text"], world.page_of(person)):
            assert "The CA has confirmed 0 of 2 revocations" in text
        assert not world.revoked().keys() & {one["serial"] for one in person.delivered}
    world.until(lambda: person.look()["step"]["name"] == "done", "The CA has confirmed")
    assert state_at_user(person) == person.handset.status() == "locked"
    assert words(person) == {("revoked", "revoked")}
    assert "is locked, and its certificates are revoked in the CA" in world.page_of(person)
    assert {one["serial"] for one in person.delivered} <= world.revoked().keys()


def test_a_get_waits_for_the_ca_and_goes_on_by_itself(world: World) -> None:
    """Nothing is issued, nothing is active; when the CA answers, the phone gets its certificates."""
    person = world.person()
    person.start(GET)
    person.act("next")
    person.take_phone()
    with world.line_is_cut():
        person.approve()
        world.work()
        assert (person.look()["state"], person.step) == ("waiting_ca", "creating")
        assert words(person) == {("valid", "requested")}
        assert person.handset.result().status == 202
        for text in (person.instance["step"]["text"], world.page_of(person)):
            assert "The CA has made 0 of 2 certificates" in text
    world.until(lambda: person.handset.result().status == 200, "The phone gets them")
    assert words(person) == {("valid", "valid")}


def test_a_revocation_behind_our_back_is_found_by_the_command(site: Site) -> None:
    """Nobody told us, so we say `valid`; `mobid ca reconcile` asks, and all of the mobile ID ends."""
    person, mobile_id = site.activate()
    site.revoke_behind_our_back(mobile_id)
    before = site.mobile_id(mobile_id)
    assert before["state"] == "active"
    assert {one["caStatus"] for one in before["certificates"]} == {"valid"}
    assert "certificates were asked for." in site.command("ca", "reconcile")
    person.wait_for(person.start(GET), step="confirm")
    site.until_locked(mobile_id)
    standings = {
        one["serial"]: site.ca_record()[one["serial"]][0] for one in before["certificates"]
    }
    assert set(standings.values()) == {"revoked"}
