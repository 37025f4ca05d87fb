"""A code that goes by mail, over HTTP, on both databases: two secrets, and what phones are told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.e2e.conftest import Answer, Person, World

GET: Final = "MobileIDSelfServiceProcGet"
USER_EXTENSION: Final = "urn:mobid:scim:schemas:extension:mobileid:2.0:User"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def at_mail(world: World) -> Person:
    """Come as far as the code that went by mail."""
    person = world.person("by mail")
    person.start(GET)
    person.act("next")
    assert person.step == "mail", person.instance
    person.look()
    return person


def token(world: World, person: Person) -> str:
    """Return the token in the newest mail."""
    enclosed = world.mailbox.last_to(person.email).enclosed
    assert enclosed is not None
    return enclosed.link.partition("#1.")[2]


def claim(world: World, person: Person, **more: str) -> Answer:
    """Claim the code of the mail with another phone."""
    return world.handset("A phone").claim(token(world, person), **more)


def shown(person: Person) -> dict[str, Any]:
    """Return what the step shows now."""
    data: dict[str, Any] = person.look()["step"]["data"]
    return data


def test_the_mail_alone_opens_nothing(world: World) -> None:
    """Its thief is asked for the mail code, may guess five times, and costs its owner no mail."""
    person = at_mail(world)
    missing = claim(world, person)
    assert (missing.status, missing.code) == (422, "BAD_CODE")
    assert missing.said["mail_code"] == "required"
    right = shown(person)["mail_code"]
    wrong = ("1" if right[0] == "0" else "0") + right[1:]
    left = [claim(world, person, mail_code=wrong).said["tries_left"] for _ in range(6)]
    assert left == [4, 3, 2, 1, 0, 0]
    assert claim(world, person, mail_code=right).said["tries_left"] == 0
    assert (shown(person)["mail_code"], shown(person)["tries_left"]) == (None, 0)
    mail = world.mailbox.last_to(person.email)
    assert person.act("renew", what="code").status_code == 200
    assert world.mailbox.last_to(person.email) is mail
    assert claim(world, person, mail_code=shown(person)["mail_code"]).status == 200
    assert shown(person)["device"] == "A phone"


def test_a_new_mail_burns_the_old_link(world: World) -> None:
    """One mail a minute; after it the old link is answered like every foreign code."""
    person = at_mail(world)
    old = token(world, person)
    soon = person.act("renew", what="mail")
    assert soon.json is not None
    assert (soon.status_code, soon.json["code"]) == (429, "TOO_MANY")
    world.clock.pass_by(timedelta(minutes=1))
    assert person.act("renew", what="mail").status_code == 200
    assert token(world, person) != old
    mail_code = shown(person)["mail_code"]
    burnt = world.handset("A phone").claim(old, mail_code=mail_code)
    assert (burnt.status, burnt.code) == (410, "CODE_NOT_USABLE")
    assert claim(world, person, mail_code=mail_code).status == 200


def test_what_can_be_renewed_is_said(world: World) -> None:
    """Anything else is a fault of the caller's, and named."""
    refused = at_mail(world).act("renew", what="everything")
    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (422, "INVALID_INPUT")
    assert refused.json["errors"] == {"what": ['Input "what" must be one of code, mail.']}


def test_without_an_address_nothing_starts(world: World) -> None:
    """The caller learns why, and the offer says so before."""
    person = world.person("by mail")
    world.patch(f"/Users/{person.user_id}", f"{USER_EXTENSION}:principalName", "anna@corp.example")
    operation = {"op": "remove", "path": "emails"}
    body = {"schemas": [PATCH_OP], "Operations": [operation]}
    assert world.scim("PATCH", f"/Users/{person.user_id}", body).status_code == 200
    refused = person.start(GET)
    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (422, "NO_EMAIL")
    offers = person.call("GET", "").json
    assert offers is not None
    assert offers[0]["reason"]["code"] == "NO_EMAIL"


def test_the_page_has_the_mail_code_and_nothing_of_the_mail(world: World) -> None:
    """Each way has its own secret."""
    person = at_mail(world)
    page = world.page_of(person)
    assert shown(person)["mail_code"] in page
    enclosed = world.mailbox.last_to(person.email).enclosed
    assert enclosed is not None
    assert token(world, person) not in page
    assert enclosed.typed_code not in page
    assert person.email not in page
