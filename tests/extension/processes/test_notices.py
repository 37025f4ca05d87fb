"""What people are told by mail: of each event once, as far as they want, and always of what others did."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.instances import StepName
from mobid.domain.mails import MailEvent, masked
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.processes.locking import lock_profile
from mobid.processes.notices import notify

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.extension.processes.conftest import Person, Place

    from mobid.processes.views import InstanceView

HERE = "https://id.example.org"
OPERATOR = Actor(ActorKind.OPERATOR, "olga-4711")
CLIENT = Actor(ActorKind.SCIM_CLIENT, "hr-4711")
CA = Actor(ActorKind.CA, "builtin")


def locks(place: Place, mobile_id: str | None, by: Actor) -> None:
    """Lock a mobile ID as whoever may."""
    profile = place.profile(mobile_id)
    with place.units() as unit:
        unit.users.lock(profile.user_id)
        lock_profile(unit, profile, by=by, reason=LockReason.OTHER)
        unit.commit()


def at_confirm(place: Place, anne: Person, notify: str) -> InstanceView:
    """Start a Get whose script says whom to notify of what."""
    place.activate(f'options.notify = "{notify}"\noptions.server_name = "ACME ID"')
    return anne.starts_get()


class TestSuccess:
    """A mobile ID has become active."""

    @pytest.mark.parametrize(
        ("wish", "told"),
        [("both", 1), ("success", 1), ("failure", 0), ("none", 0)],
    )
    def test_is_told_as_the_options_say(
        self, place: Place, anne: Person, wish: str, told: int
    ) -> None:
        """Once, and only if it is wanted."""
        anne.finishes(at_confirm(place, anne, wish))
        assert place.post.told() == ["get_succeeded"] * told

    def test_says_what_there_is_now_and_where_to_lock_it(self, place: Place, anne: Person) -> None:
        """So that somebody who did not do this can end it."""
        mobile_id, _ = anne.finishes(at_confirm(place, anne, "both"))
        letter = place.post.last("get_succeeded")
        assert letter.to == "anne@example.org"
        assert letter.values == {
            "name": "Änne Example",
            "server_name": "ACME ID",
            "url": f"{HERE}/mobile-ids/{mobile_id}#lock",
            "at": place.clock(),
            "profile_name": "MobileID Änne Example",
            "user_id": "anne@example.org",
            "device": "Pixel of Änne",
            "valid_to": place.end_of(mobile_id),
            "certificates": ["Authentication", "Signature"],
        }
        assert letter.enclosed is None


class TestFailure:
    """A Get has ended without its result, and not because its user wished so."""

    @pytest.mark.parametrize(
        ("wish", "told"),
        [("both", 1), ("failure", 1), ("success", 0), ("none", 0)],
    )
    def test_is_told_as_the_options_say(
        self, place: Place, anne: Person, wish: str, told: int
    ) -> None:
        """Whoever notices that its time is over: the page or the sweep."""
        at_confirm(place, anne, wish)
        place.clock.pass_by(timedelta(minutes=30))
        place.time_outs.end_instances()
        place.time_outs.end_instances()
        assert place.post.told() == ["get_failed"] * told

    def test_says_why_and_what_to_do(self, place: Place, anne: Person) -> None:
        """In the words of the page, with the reference for the service desk."""
        view = anne.clicks("next", at_confirm(place, anne, "both"))
        with capture_logs() as logs:
            anne.deactivated()
        letter = place.post.last("get_failed")
        (found,) = (one for one in logs if one["event"] == "get_ended")
        assert (found["instance"], found["why"]) == (view.id, "USER_NOT_ACTIVE")
        assert found["reference"] == letter.values["reference"]
        assert letter.values == {
            "name": "Änne Example",
            "server_name": "ACME ID",
            "url": f"{HERE}/",
            "at": place.clock(),
            "profile_name": "MobileID Änne Example",
            "reason": "Your account is not active, so nothing was created. Contact your service desk.",
            "reference": place.instance(view.id).reference,
        }

    def test_a_cancel_of_its_user_is_none(self, place: Place, anne: Person) -> None:
        """They know."""
        anne.clicks("cancel", at_confirm(place, anne, "both"))
        anne.clicks("cancel", anne.gets_to_qr())
        assert place.post.letters == []

    def test_a_cancel_of_somebody_else_is_one(self, place: Place, anne: Person) -> None:
        """Whoever may lock a pending mobile ID cancels it."""
        view = anne.clicks("next", at_confirm(place, anne, "failure"))
        locks(place, view.mobile_id, CLIENT)
        assert place.profile(view.mobile_id).state is ProfileState.CANCELLED
        assert place.post.told() == ["get_failed"]
        said = str(place.post.last("get_failed").values["reason"])
        assert said.startswith("It was cancelled for you")

    def test_a_phone_that_gives_up_is_its_user(self, place: Place, anne: Person) -> None:
        """They pressed the button on it."""
        _, phone = anne.gets_to_creating()
        place.phones.remove(phone.caller)
        assert place.post.letters == []


class TestNotMine:
    """A phone that is not the user's had the code."""

    @pytest.mark.parametrize("wish", ["both", "none"])
    def test_is_always_told(self, place: Place, anne: Person, wish: str) -> None:
        """A script must not keep it from them."""
        place.activate(f'options.notify = "{wish}"')
        view, _ = anne.gets_to_approve()
        anne.clicks("not_mine", view)
        assert place.post.told() == ["not_mine"]
        letter = place.post.last("not_mine")
        assert letter.values["device"] == "Pixel of Änne"
        assert letter.values["reference"] == place.instance(view.id).reference
        assert letter.values["url"] == f"{HERE}/"

    def test_is_told_after_a_wrong_number_as_well(self, place: Place, anne: Person) -> None:
        """Somebody has approved a phone that they did not see."""
        view, phone = anne.gets_to_approve()
        numbers = [choice.value for choice in view.step.form[0].choices]
        wrong = next(one for one in numbers if one != str(phone.claimed.number))
        anne.clicks("next", view, number=wrong)
        assert place.post.told() == ["not_mine"]

    def test_is_told_in_the_mail_channel_as_well(self, place: Place, anne: Person) -> None:
        """Then the mailbox and the page have both been read by somebody."""
        view = anne.gets_to_mail(notify="none")
        phone = anne.phone()
        phone.opens(place.post.last("qr_code"), view.step.data["mail_code"])
        phone.sends_keys()
        ended = anne.clicks("not_mine", anne.sees(view))
        assert ended.step_name is StepName.FAILED
        assert place.post.told() == ["qr_code", "not_mine"]


class TestLock:
    """A mobile ID was locked."""

    @pytest.mark.parametrize(
        ("by", "words"),
        [
            (OPERATOR, "an operator"),
            (CLIENT, "your organisation's identity management"),
            (CA, "the certificate authority"),
        ],
    )
    def test_by_somebody_else_is_told(
        self, place: Place, anne: Person, by: Actor, words: str
    ) -> None:
        """Who it was in words, never by an id."""
        mobile_id, _ = anne.has_active()
        locks(place, mobile_id, by)
        assert place.post.told() == ["locked_by_other"]
        letter = place.post.last("locked_by_other")
        assert letter.values == {
            "name": "Änne Example",
            "server_name": "Mobile ID",
            "url": f"{HERE}/mobile-ids/{mobile_id}",
            "at": place.clock(),
            "profile_name": "MobileID Änne Example",
            "device": "Pixel of Änne",
            "by": words,
            "reason": "No reason was given.",
        }
        assert by.id not in str(letter.values).replace(mobile_id, "")

    def test_of_a_deleted_user_is_told(self, place: Place, anne: Person) -> None:
        """The last that they hear."""
        anne.has_active()
        anne.deleted()
        assert place.post.last("locked_by_other").values["reason"] == "Your account was deleted."

    def test_behind_our_back_is_told(self, place: Place, anne: Person) -> None:
        """The CA revoked a certificate, and the rest follows."""
        mobile_id, _ = anne.has_active()
        first, _ = place.certificates(mobile_id)
        place.ca.revokes(first)
        place.work.ask(first.id)
        assert place.post.told() == ["locked_by_other"]
        assert place.post.last("locked_by_other").values["by"] == "the certificate authority"

    @pytest.mark.parametrize(
        "lock",
        [
            lambda _, anne, mobile_id, __: anne.clicks("next", anne.starts_lock(mobile_id)),
            lambda _, anne, __, ___: anne.clicks("lock", anne.starts_get()),
            lambda place, _, __, phone: place.phones.remove(phone.caller),
        ],
        ids=["owner", "owner on the way of a Get", "their phone"],
    )
    def test_by_their_own_hand_is_not(
        self, place: Place, anne: Person, lock: Callable[..., Any]
    ) -> None:
        """They know."""
        mobile_id, phone = anne.has_active()
        lock(place, anne, mobile_id, phone)
        assert place.profile(mobile_id).state is ProfileState.LOCKED
        assert place.post.letters == []


class TestNotify:
    """The one function by which everybody announces something."""

    def announce(self, place: Place, anne: Person, **changed: Any) -> None:
        """Tell of a changed address."""
        with place.units() as unit:
            user = unit.users.lock(anne.id)
            notify(unit, MailEvent.ADDRESS_CHANGED, user=user, subject_id=anne.id, **changed)
            unit.commit()

    def test_tells_an_event_once(self, place: Place, anne: Person) -> None:
        """The same again is nothing; the next number is another."""
        self.announce(place, anne)
        self.announce(place, anne)
        self.announce(place, anne, number=2)
        assert place.post.told() == ["address_changed"] * 2
        assert len({letter.id for letter in place.post.letters}) == 2

    def test_goes_to_an_address_that_is_given(self, place: Place, anne: Person) -> None:
        """The old one, which learns the new one only as far as its reader knows it."""
        self.announce(place, anne, to="old@example.org")
        letter = place.post.last("address_changed")
        assert letter.to == "old@example.org"
        assert letter.values["address"] == "a•••@example.org"

    def test_addresses_people_by_their_name(self, place: Place, anne: Person) -> None:
        """Or by what they sign in with, where the directory has no better one."""
        self.announce(place, anne)
        place.change(anne, display_name="", user_name="anne.e")
        self.announce(place, anne, number=2)
        assert [letter.values["name"] for letter in place.post.letters] == [
            "Änne Example",
            "anne.e",
        ]

    def test_tells_nobody_who_has_no_address(self, place: Place) -> None:
        """There is no row, and no work."""
        nobody = place.person(email=None)
        self.announce(place, nobody)
        assert place.post.letters == []
        assert place.effects.wanting() == []

    def test_is_forgotten_with_what_it_tells_of(self, place: Place, anne: Person) -> None:
        """A unit of work that does not commit has not happened."""
        with place.units() as unit:
            user = unit.users.lock(anne.id)
            notify(unit, MailEvent.ADDRESS_CHANGED, user=user, subject_id=anne.id)
        assert place.post.letters == []


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("anne@example.org", "a•••@example.org"),
        ("a@example.org", "a•••@example.org"),
        ('"a@b"@example.org', '"•••@example.org'),
        ("änne@example.org", "ä•••@example.org"),
    ],
)
def test_an_address_is_masked(address: str, shown: str) -> None:
    """Its owner recognises it, and nobody else can write to it."""
    assert masked(address) == shown
