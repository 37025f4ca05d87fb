"""The step of Get whose code goes by mail: two secrets on two ways, and nothing for one of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mobile_ids import ProfileState
from mobid.domain.users import UserState
from mobid.processes.errors import (
    BadCertificateRequest,
    BadMailCode,
    CodeNotUsable,
    InvalidInput,
    MailCodeRequired,
    NoEmail,
    ReauthenticationRequired,
    TooMany,
    TooManyCodes,
    UserNotActive,
)

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Place

    from mobid.processes.mailing import Letter
    from mobid.processes.views import InstanceView

BY_MAIL = 'options.qr_location = "email"'
NO_ADDRESS = r'^The user attribute "emails" is missing, and the code for your phone goes by mail\.'
NOT_USABLE = r"^This code cannot be used\."
REQUIRED = r"^This link came by mail\. Enter the code that the page shows, and send it, too\.$"
DEAD = r"^The code of the page is dead\. Get a new code there; the link in the mail stays good\.$"


def letter(place: Place) -> Letter:
    """Return the last letter with a code."""
    return place.post.last("qr_code")


def wrong(view: InstanceView) -> str:
    """Return a mail code that is not the one of the page."""
    shown = str(view.step.data["mail_code"])
    return ("1" if shown[0] == "0" else "0") + shown[1:]


def guesses(place: Place, anne: Person, view: InstanceView, times: int) -> list[int]:
    """Let somebody who has read the mail guess; return the tries left after each."""
    left = []
    for _ in range(times):
        with pytest.raises(BadMailCode) as refusal:
            anne.phone().opens(letter(place), wrong(view))
        left.append(refusal.value.tries_left)
    return left


def another_mail(place: Place, anne: Person, view: InstanceView) -> InstanceView:
    """Ask for a new mail, a minute after the last one."""
    place.clock.pass_by(timedelta(minutes=1))
    return anne.clicks("renew", view, what="mail")


class TestWhatIsShown:
    """The page has the mail code and nothing of the mail; the mail has no mail code."""

    def test_in_data(self, place: Place, anne: Person) -> None:
        """Where the mail went, the code, and how long both live."""
        view = anne.gets_to_mail()
        assert (view.state, view.step.actions) == ("waiting_device", ("next", "renew", "cancel"))
        mail_code = str(view.step.data["mail_code"])
        assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", mail_code)
        assert view.step.data == {
            "recipient": "a•••@example.org",
            "mail_state": "sent",
            "mail_code": mail_code,
            "mail_code_expires_at": place.clock() + timedelta(minutes=10),
            "tries_left": 5,
            "link_expires_at": place.clock() + timedelta(hours=24),
            "codes_left": 4,
            "device": None,
        }
        assert str(view.step.text).startswith("We sent a QR code to a•••@example.org. When the app")
        assert view.expires_at == place.clock() + timedelta(hours=24, minutes=30)

    def test_nothing_of_it_is_in_the_mail_or_of_the_mail_in_it(
        self, place: Place, anne: Person
    ) -> None:
        """Who has one of the two has one of the two."""
        view = anne.gets_to_mail()
        sent = letter(place)
        assert sent.enclosed is not None
        mailed = f"{sent.values} {sent.enclosed.link} {sent.enclosed.typed_code}"
        assert str(view.step.data["mail_code"]) not in mailed
        shown = f"{view.step.data} {view.step.text}"
        for secret in (sent.enclosed.link.partition("#")[2], sent.enclosed.typed_code):
            assert secret not in shown

    def test_while_the_mail_is_on_its_way(self, place: Place, anne: Person) -> None:
        """It says what is true, and looks again."""
        place.post.silent = True
        view = anne.gets_to_mail()
        assert view.step.data["mail_state"] == "sending"
        assert str(view.step.text) == "We are sending a QR code to a•••@example.org."
        place.clock.pass_by(timedelta(minutes=11))
        assert str(anne.sees(view).step.text).startswith(
            "The mail to a•••@example.org has not left yet. We go on trying:"
        )
        place.post.silent = False
        place.effects.later()
        assert anne.sees(view).step.data["mail_state"] == "sent"

    def test_a_phone_that_is_there(self, place: Place, anne: Person) -> None:
        """By its name."""
        view = anne.gets_to_mail()
        anne.phone().opens(letter(place), view.step.data["mail_code"])
        seen = anne.sees(view)
        assert seen.step.data["device"] == "Pixel of Änne"
        assert str(seen.step.text) == "Pixel of Änne is connected and makes its keys."
        assert (seen.step.data["mail_code"], seen.step.hint) == (None, None)
        assert [one.value for one in seen.step.inputs["renew"][0].choices] == ["mail"]

    @pytest.mark.parametrize(
        ("after", "hint"),
        [
            (timedelta(0), "Waiting for your phone. Open the link from your mail on it,"),
            (timedelta(minutes=10), "The code for the app has expired. Get a new code;"),
            (timedelta(hours=24), "The link in your mail has expired. Ask for a new mail."),
        ],
        ids=["waiting", "code lapsed", "link lapsed"],
    )
    def test_next_stays_and_says_what_is_waited_for(
        self, place: Place, anne: Person, after: timedelta, hint: str
    ) -> None:
        """It is no error, and nothing is written."""
        view = anne.gets_to_mail()
        place.clock.pass_by(after)
        anne.signs_in()
        stayed = anne.clicks("next", view)
        assert (stayed.step_name, stayed.step_seq) == (StepName.MAIL, view.step_seq)
        assert stayed.step.hint is not None
        assert str(stayed.step.hint).startswith(hint)


class TestWithoutAnAddress:
    """A code that goes by mail needs somewhere to go."""

    def test_nothing_starts(self, place: Place) -> None:
        """It is said before anything is stored, and on the dashboard."""
        nobody = place.person(email=None, principal_name="anne@corp.example.org")
        place.activate(BY_MAIL)
        with pytest.raises(NoEmail, match=NO_ADDRESS):
            nobody.starts_get()
        offer = place.runner.startable(nobody.caller)[0]
        assert offer.obstacle is not None
        assert offer.obstacle.code == "NO_EMAIL"
        assert place.runner.running(nobody.caller) == []

    def test_nothing_goes_on_at_confirm(self, place: Place, anne: Person) -> None:
        """The address may have gone since; then there is no profile and no code."""
        place.activate(BY_MAIL)
        view = anne.starts_get()
        place.change(anne, email=None)
        with pytest.raises(NoEmail, match=NO_ADDRESS):
            anne.clicks("next", view)
        assert anne.sees(view).mobile_id is None
        assert place.post.letters == []

    def test_the_run_fails_that_cannot_be_decided_anew(self, place: Place, anne: Person) -> None:
        """At approve the script runs again for a changed user."""
        view = anne.gets_to_mail(notify="none")
        phone = anne.phone()
        phone.opens(letter(place), view.step.data["mail_code"])
        phone.sends_keys()
        place.change(anne, email=None, principal_name="anne@corp.example.org")
        ended = anne.clicks("next", anne.sees(view))
        assert ended.error is not None
        assert ended.error.code == "NO_EMAIL"
        assert str(ended.error.text).startswith("Your account has no e-mail address")


class TestClaim:
    """Link and mail code bind together, or not at all."""

    def test_both_bind(self, place: Place, anne: Person) -> None:
        """The picture, and the mail code as people type it."""
        view = anne.gets_to_mail()
        shown = str(view.step.data["mail_code"])
        phone = anne.phone()
        claimed = phone.opens(letter(place), f" {shown.lower().replace('-', ' ')}")
        assert claimed.server_name == "Mobile ID"
        assert place.audited(view.id)[-2:] == ["get.mail_code_try", "get.claim"]
        assert phone.opens(letter(place)) == claimed

    def test_a_typed_code_needs_it_as_well(self, place: Place, anne: Person) -> None:
        """It is the same secret in another form."""
        view = anne.gets_to_mail()
        enclosed = letter(place).enclosed
        assert enclosed is not None
        with pytest.raises(MailCodeRequired, match=REQUIRED):
            anne.phone().claims(enclosed.typed_code)
        assert anne.phone().claims(enclosed.typed_code, view.step.data["mail_code"])

    def test_without_the_mail_code_nothing_is_bound_or_counted(
        self, place: Place, anne: Person
    ) -> None:
        """The app asks its owner for it first."""
        view = anne.gets_to_mail()
        for _ in range(6):
            with pytest.raises(MailCodeRequired, match=REQUIRED):
                anne.phone().opens(letter(place))
        assert place.enrolment(view.id).claim is None
        assert anne.sees(view).step.data["tries_left"] == 5

    def test_a_thief_of_the_mailbox_gets_nothing(self, place: Place, anne: Person) -> None:
        """Token, typed code and picture, five guesses, and more: the link is bound to nobody."""
        view = anne.gets_to_mail()
        assert guesses(place, anne, view, 7) == [4, 3, 2, 1, 0, 0, 0]
        with pytest.raises(BadMailCode, match=DEAD):
            anne.phone().opens(letter(place), view.step.data["mail_code"])
        assert place.enrolment(view.id).claim is None
        seen = anne.sees(view)
        assert (seen.step.data["mail_code"], seen.step.data["tries_left"]) == (None, 0)
        assert "If it was not you, somebody else has read your mail." in str(seen.step.text)
        assert place.audited(view.id).count("get.mail_code_try") == 5

    def test_its_owner_is_warned_of_the_first_guess(self, place: Place, anne: Person) -> None:
        """While the code lives, so that it is no surprise when it is dead."""
        view = anne.gets_to_mail()
        assert view.step.hint is None
        guesses(place, anne, view, 2)
        assert str(anne.sees(view).step.hint) == (
            "A wrong code was tried. Tries left: 3. If it was not you, somebody else has read your "
            "mail."
        )

    def test_its_owner_renews_the_mail_code_and_the_mail_stays_good(
        self, place: Place, anne: Person
    ) -> None:
        """A guesser is a nuisance for a moment, and costs no mail."""
        view = anne.gets_to_mail()
        guesses(place, anne, view, 5)
        assert anne.sees(view).step.actions == ("renew", "next", "cancel")
        renewed = anne.clicks("renew", view)
        assert (renewed.step.data["tries_left"], renewed.step_seq) == (5, view.step_seq + 1)
        assert place.post.told() == ["qr_code"]
        assert place.audited(view.id)[-1] == "get.mail_code"
        with pytest.raises(BadMailCode, match=r"^This is not the code of the page\. Tries left: 4"):
            anne.phone().opens(letter(place), view.step.data["mail_code"])
        anne.phone().opens(letter(place), renewed.step.data["mail_code"])
        assert anne.sees(view).step.data["device"] == "Pixel of Änne"

    def test_a_lapsed_mail_code_is_dead_and_the_link_is_not(
        self, place: Place, anne: Person
    ) -> None:
        """The mail is read hours later; then the page makes a code that lives."""
        view = anne.gets_to_mail()
        place.clock.pass_by(timedelta(hours=5))
        with pytest.raises(BadMailCode, match=DEAD):
            anne.phone().opens(letter(place), view.step.data["mail_code"])
        lapsed = anne.sees(view)
        assert (lapsed.step.data["mail_code"], lapsed.step.data["tries_left"]) == (None, 5)
        assert str(lapsed.step.text).startswith("The code for the app has expired.")
        renewed = anne.clicks("renew", lapsed, what="code")
        anne.phone().opens(letter(place), renewed.step.data["mail_code"])

    def test_foreign_unknown_lapsed_and_closed_codes_are_answered_alike(
        self, place: Place, anne: Person
    ) -> None:
        """Whether a mail code is there or not: none of them says that a link exists."""
        people = [anne, *(place.person() for _ in range(3))]
        views, letters = [], []
        for person in people:
            views.append(person.gets_to_mail())
            letters.append(letter(place))
        anne.phone().opens(letters[0], views[0].step.data["mail_code"])
        people[1].clicks("cancel", views[1])
        place.clock.pass_by(timedelta(hours=24))
        answers = set()
        for one in letters:
            for mail_code in (None, "0000-0000"):
                with pytest.raises(CodeNotUsable, match=NOT_USABLE) as refusal:
                    anne.phone().opens(one, mail_code)
                answers.add(str(refusal.value))
        with pytest.raises(CodeNotUsable, match=NOT_USABLE) as refusal:
            anne.phone().claims("A" * 43, "0000-0000")
        assert answers == {str(refusal.value)}

    def test_not_for_a_user_who_is_not_active(self, place: Place, anne: Person) -> None:
        """And no try is counted either."""
        view = anne.gets_to_mail()
        place.change(anne, state=UserState.INACTIVE)
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            anne.phone().opens(letter(place), view.step.data["mail_code"])
        assert place.enrolment(view.id).mail_code_tries == 0


class TestRenew:
    """A new mail code for the same mail, or a new mail."""

    def test_a_new_mail_code_lets_no_phone_go(self, place: Place, anne: Person) -> None:
        """What has claimed with both secrets stays, and its keys come as before."""
        view = anne.gets_to_mail()
        phone = anne.phone()
        phone.opens(letter(place), view.step.data["mail_code"])
        before = place.enrolment(view.id)
        renewed = anne.clicks("renew", view, what="code")
        after = place.enrolment(view.id)
        assert renewed.step.data["mail_code"] != view.step.data["mail_code"]
        assert (after.claim, after.token_hash) == (before.claim, before.token_hash)
        assert renewed.step.data["codes_left"] == 4
        phone.sends_keys()
        assert anne.sees(view).step_name is StepName.APPROVE

    def test_a_new_mail_burns_the_old_link(self, place: Place, anne: Person) -> None:
        """Another token, another typed code, another mail code; and the old ones open nothing."""
        view = anne.gets_to_mail()
        old = letter(place)
        place.clock.pass_by(timedelta(minutes=5))
        renewed = anne.clicks("renew", view, what="mail")
        new = letter(place)
        assert place.post.told() == ["qr_code", "qr_code"]
        assert old.id != new.id
        assert old.enclosed is not None
        assert new.enclosed is not None
        assert old.enclosed.link != new.enclosed.link
        assert old.enclosed.typed_code != new.enclosed.typed_code
        assert old.enclosed.picture != new.enclosed.picture
        assert renewed.step.data["mail_code"] != view.step.data["mail_code"]
        assert renewed.step.data["link_expires_at"] == place.clock() + timedelta(hours=24)
        assert renewed.step.data["codes_left"] == 3
        for mail_code in (view.step.data["mail_code"], renewed.step.data["mail_code"]):
            with pytest.raises(CodeNotUsable, match=NOT_USABLE):
                anne.phone().opens(old, mail_code)
        anne.phone().opens(new, renewed.step.data["mail_code"])

    def test_a_new_mail_lets_a_phone_go_that_had_claimed(self, place: Place, anne: Person) -> None:
        """Its keys are nobody's any more."""
        view = anne.gets_to_mail()
        phone = anne.phone()
        phone.opens(letter(place), view.step.data["mail_code"])
        another_mail(place, anne, view)
        assert place.enrolment(view.id).claim is None
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            phone.sends_keys()

    def test_five_mails_at_most(self, place: Place, anne: Person) -> None:
        """Mail codes are not among them: they cost nothing, and nobody else can ask for them."""
        view = anne.gets_to_mail()
        for left in (3, 2, 1, 0):
            view = another_mail(place, anne, view)
            assert view.step.data["codes_left"] == left
        with pytest.raises(TooManyCodes, match="has used its 5 codes"):
            anne.clicks("renew", view, what="mail")
        for _ in range(6):
            view = anne.clicks("renew", view)
        assert len(place.post.letters) == 5

    def test_a_mail_a_minute_is_enough(self, place: Place, anne: Person) -> None:
        """Neither another nor another Get brings a second one sooner; the page's code can be renewed."""
        view = anne.gets_to_mail()
        for _ in range(2):
            with pytest.raises(TooMany, match=r"^A mail with a code has just been sent to you\."):
                anne.clicks("renew", view, what="mail")
        view = anne.clicks("renew", view, what="code")
        anne.phone().opens(letter(place), view.step.data["mail_code"])
        anne.clicks("cancel", anne.sees(view))
        again = anne.starts_get()
        with pytest.raises(TooMany):
            anne.clicks("next", again)
        assert place.post.told() == ["qr_code"]
        place.clock.pass_by(timedelta(minutes=1))
        assert anne.clicks("next", again).step_name is StepName.MAIL

    def test_no_mail_code_comes_twice(self, place: Place, anne: Person) -> None:
        """A new mail goes on counting."""
        view = anne.gets_to_mail()
        seen = {view.step.data["mail_code"]}
        for what in ("code", "mail", "code", "mail"):
            place.clock.pass_by(timedelta(minutes=1))
            view = anne.clicks("renew", view, what=what)
            seen.add(view.step.data["mail_code"])
        assert len(seen) == 5

    def test_a_lapsed_link_can_be_renewed_by_a_new_mail(self, place: Place, anne: Person) -> None:
        """A mail code alone would be of no use, and says so."""
        view = anne.gets_to_mail()
        place.clock.pass_by(timedelta(hours=24))
        stayed = anne.clicks("renew", view, what="code")
        assert str(stayed.step.hint).startswith("The link in your mail has expired.")
        assert stayed.step_seq == view.step_seq
        assert stayed.step.data["mail_code"] is None
        renewed = anne.clicks("renew", view, what="mail")
        anne.phone().opens(letter(place), renewed.step.data["mail_code"])

    def test_for_half_an_hour(self, place: Place, anne: Person) -> None:
        """Then the run is over, and so is the profile."""
        view = anne.gets_to_mail()
        place.clock.pass_by(timedelta(hours=24, minutes=30))
        ended = anne.sees(view)
        assert ended.state is InstanceState.EXPIRED
        assert ended.error is not None
        assert ended.error.code == "ENROLMENT_EXPIRED"
        assert place.profile(view.mobile_id).state is ProfileState.FAILED

    @pytest.mark.parametrize("what", ["link", "", None, 1, ["mail"]])
    def test_of_something_else_is_refused(self, anne: Person, what: object) -> None:
        """It says what can be renewed."""
        with pytest.raises(InvalidInput, match=r'^Input "what" must be one of code, mail\.$'):
            anne.clicks("renew", anne.gets_to_mail(), what=what)

    @pytest.mark.parametrize("action", ["next", "cancel"])
    def test_is_the_only_action_that_takes_something(self, anne: Person, action: str) -> None:
        """Nothing that is sent is ignored."""
        with pytest.raises(InvalidInput, match=r'^Input "what" is not known here'):
            anne.clicks(action, anne.gets_to_mail(), what="mail")

    def test_not_for_a_user_who_is_not_active(self, place: Place, anne: Person) -> None:
        """No mail goes to somebody who may not have a mobile ID."""
        view = anne.gets_to_mail()
        place.change(anne, state=UserState.INACTIVE)
        with pytest.raises(UserNotActive, match="is inactive"):
            anne.clicks("renew", view, what="mail")
        assert place.post.told() == ["qr_code"]

    def test_after_five_bad_keys_only_a_new_mail_helps(self, place: Place, anne: Person) -> None:
        """The code is burnt with the phone that sent them."""
        view = anne.gets_to_mail()
        phone = anne.phone()
        phone.opens(letter(place), view.step.data["mail_code"])
        for _ in range(5):
            with pytest.raises(BadCertificateRequest, match="is missing"):
                phone.sends_keys({})
        seen = anne.sees(view)
        assert (seen.step.data["mail_code"], seen.step.data["device"]) == (None, None)
        assert anne.clicks("renew", seen).step.hint is not None
        renewed = another_mail(place, anne, seen)
        anne.phone().opens(letter(place), renewed.step.data["mail_code"])


class TestApprove:
    """In the mail channel the typed mail code was the proof: there is no number to pick."""

    def arrives(self, place: Place, anne: Person) -> InstanceView:
        """Come as far as the question whether this is their phone."""
        view = anne.gets_to_mail()
        phone = anne.phone()
        phone.opens(letter(place), view.step.data["mail_code"])
        phone.sends_keys()
        return anne.sees(view)

    def test_shows_the_phone_by_its_name(self, place: Place, anne: Person) -> None:
        """And asks nothing else."""
        view = self.arrives(place, anne)
        assert (view.step_name, view.state) == (StepName.APPROVE, InstanceState.WAITING_USER)
        assert view.step.actions == ("next", "not_mine", "cancel")
        assert view.step.form == ()
        assert view.step.data == {"device": "Pixel of Änne"}
        assert str(view.step.text).startswith("Pixel of Änne has the code from your mail and")

    def test_next_creates_the_mobile_id(self, place: Place, anne: Person) -> None:
        """With exactly this phone's keys, to the end."""
        view = anne.gets_to_mail()
        phone = anne.phone()
        phone.opens(letter(place), view.step.data["mail_code"])
        phone.sends_keys()
        anne.clicks("next", anne.sees(view))
        assert place.enrolment(view.id).approved == place.enrolment(view.id).fingerprint
        assert phone.confirms() is ProfileState.ACTIVE
        assert place.voices(view.mobile_id) == {("valid", "valid")}

    def test_a_number_is_refused_that_nobody_asked_for(self, place: Place, anne: Person) -> None:
        """Nothing that is sent is ignored."""
        with pytest.raises(InvalidInput, match=r'^Input "number" is not known here'):
            anne.clicks("next", self.arrives(place, anne), number="42")

    def test_needs_a_fresh_login(self, place: Place, anne: Person) -> None:
        """A page that was left open approves nothing."""
        view = self.arrives(place, anne)
        anne.signed_in_at -= timedelta(minutes=21)
        with pytest.raises(ReauthenticationRequired, match="a login of the last 20 minutes"):
            anne.clicks("next", view)

    def test_not_mine_burns_everything(self, place: Place, anne: Person) -> None:
        """The code, the run and the profile."""
        view = self.arrives(place, anne)
        ended = anne.clicks("not_mine", view)
        assert ended.state is InstanceState.CANCELLED
        assert ended.error is not None
        assert ended.error.code == "NOT_MINE"
        assert place.enrolment(view.id).closed
        assert place.profile(view.mobile_id).state is ProfileState.CANCELLED

    def test_a_changed_user_starts_anew_with_another_mail(self, place: Place, anne: Person) -> None:
        """The phone is let go, and the next mail goes to where the user is now."""
        view = self.arrives(place, anne)
        old = letter(place)
        place.change(anne, display_name="Änne Other", email="other@example.org")
        confirm = anne.clicks("next", view)
        assert confirm.step_name is StepName.CONFIRM
        place.clock.pass_by(timedelta(minutes=1))
        mailed = anne.sees(anne.clicks("next", confirm))
        assert mailed.step_name is StepName.MAIL
        assert mailed.step.data["recipient"] == "o•••@example.org"
        assert letter(place).to == "other@example.org"
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            anne.phone().opens(old, mailed.step.data["mail_code"])
        anne.phone().opens(letter(place), mailed.step.data["mail_code"])

    def test_a_script_may_move_the_code_to_the_page(self, place: Place, anne: Person) -> None:
        """The next code is one of the page, which needs no mail code."""
        view = self.arrives(place, anne)
        place.activate("")
        place.change(anne, display_name="Änne Other")
        shown = anne.clicks("next", anne.clicks("next", view))
        assert shown.step_name is StepName.QR
        assert not place.enrolment(view.id).by_mail
        anne.phone().scans(shown)
        assert place.post.told() == ["qr_code"]
