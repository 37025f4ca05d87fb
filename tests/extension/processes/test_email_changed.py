"""Another e-mail address: the code that is out is burnt, and the old address hears of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mobile_ids import ProfileState
from mobid.processes.cascades import email_changed
from mobid.processes.errors import CodeNotUsable
from mobid.storage.tables import users

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Phone, Place

    from mobid.processes.views import InstanceView

HR = Actor(ActorKind.SCIM_CLIENT, "hr")
OLD, NEW = "anne@example.org", "anne.married@example.org"


def gets_address(person: Person, new: str | None, old: str | None = OLD) -> None:
    """SCIM writes another address, or none."""
    with person.place.units() as unit:
        unit.users.lock(person.id)
        change = sa.update(users).where(users.c.id == person.id)
        unit.connection.execute(change.values(email=new))
        email_changed(unit, unit.users.get(person.id), old, by=HR)
        unit.commit()


def with_code(person: Person, *, by_mail: bool, phone_is: str) -> tuple[InstanceView, Phone]:
    """Come to a code that is out: scanned by nobody, claimed by a phone, or with its keys."""
    view = person.gets_to_mail() if by_mail else person.gets_to_qr()
    phone = person.phone()
    if phone_is != "away":
        if by_mail:
            phone.opens(person.place.post.last("qr_code"), view.step.data["mail_code"])
        else:
            phone.scans(view)
    if phone_is == "at approve":
        phone.sends_keys()
    return person.sees(view), phone


class TestACodeThatIsOut:
    """In a mail, or on a page."""

    @pytest.mark.parametrize("by_mail", [False, True], ids=["page", "mail"])
    @pytest.mark.parametrize("phone_is", ["away", "there", "at approve"])
    def test_is_burnt_and_its_get_goes_back_to_confirm(
        self, place: Place, anne: Person, by_mail: bool, phone_is: str
    ) -> None:
        """The phone is let go, the pending mobile ID stays, and Next makes another code."""
        view, phone = with_code(anne, by_mail=by_mail, phone_is=phone_is)
        gets_address(anne, NEW)
        seen = anne.sees(view)
        assert (seen.step_name, seen.state) == (StepName.CONFIRM, InstanceState.WAITING_USER)
        assert (seen.expires_at, seen.step_seq) == (view.expires_at, view.step_seq + 1)
        assert str(seen.step.hint).startswith("Your account has changed since you got a code,")
        assert place.enrolment(view.id).closed
        assert place.profile(view.mobile_id).state is ProfileState.PENDING
        assert place.audited(view.id)[-1] == "get.code_burnt"
        if phone_is == "there":
            with pytest.raises(CodeNotUsable):
                phone.sends_keys()
        place.clock.pass_by(timedelta(minutes=1))
        again = anne.clicks("next", seen)
        assert again.step_name is (StepName.MAIL if by_mail else StepName.QR)
        assert place.enrolment(view.id).code_number == 2

    def test_in_a_mail_is_no_good_any_more(self, place: Place, anne: Person) -> None:
        """Not even with the mail code from the page; the next mail goes to the new address."""
        view, _ = with_code(anne, by_mail=True, phone_is="away")
        letter = place.post.last("qr_code")
        gets_address(anne, NEW)
        with pytest.raises(CodeNotUsable):
            anne.phone().opens(letter, view.step.data["mail_code"])
        place.clock.pass_by(timedelta(minutes=1))
        anne.clicks("next", anne.sees(view))
        assert place.post.last("qr_code").to == NEW

    def test_a_get_can_still_be_finished(self, place: Place, anne: Person) -> None:
        """With what is true now: at approve the script runs again, as the user has changed."""
        view, _ = with_code(anne, by_mail=False, phone_is="at approve")
        gets_address(anne, NEW)
        place.sandbox.meanwhile = lambda: None
        view = anne.clicks("next", anne.sees(view))
        phone = anne.phone()
        phone.scans(view)
        phone.sends_keys()
        number = str(phone.claimed.number)
        view = anne.clicks("next", anne.sees(view), number=number)
        assert view.step_name is StepName.CONFIRM
        assert view.step.data["user_id"] == NEW
        anne.finishes(view)


class TestAnythingElse:
    """Where no code is out."""

    def test_at_confirm_and_at_creating_the_get_goes_on(self, place: Place, anne: Person) -> None:
        """Before there is a code, and after the phone was approved."""
        view = anne.starts_get()
        gets_address(anne, NEW)
        assert anne.sees(view) == view
        bert = place.person()
        created, phone = bert.gets_to_creating()
        gets_address(bert, "bert@example.org")
        assert bert.sees(created).step_name is StepName.CREATING
        assert phone.confirms() is ProfileState.ACTIVE

    def test_without_any_get_only_the_mail_goes_out(self, place: Place, anne: Person) -> None:
        """An active mobile ID is left alone."""
        mobile_id, _ = anne.has_active()
        before = place.profile(mobile_id)
        gets_address(anne, NEW)
        assert place.profile(mobile_id) == before
        assert place.post.told() == ["address_changed"]


class TestTheOldAddress:
    """It hears where mails go from now on."""

    def test_is_told_of_every_change(self, place: Place, anne: Person) -> None:
        """Of each once, with the new address masked."""
        gets_address(anne, NEW)
        gets_address(anne, OLD, old=NEW)
        gets_address(anne, None)
        assert [(one.to, one.values["address"]) for one in place.post.letters] == [
            (OLD, "a•••@example.org"),
            (NEW, "a•••@example.org"),
            (OLD, ""),
        ]

    def test_nobody_is_told_where_there_was_none(self, place: Place, anne: Person) -> None:
        """The first address of a user takes nothing from anybody."""
        gets_address(anne, NEW, old=None)
        assert place.post.told() == []
