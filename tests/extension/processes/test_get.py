"""Get mobile ID, as a user clicks through it: start, has_active, confirm, the code, approve, done."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.errors import ProcessEnded
from mobid.domain.instances import InstanceState, Process, StepName
from mobid.domain.mobile_ids import Hold, LockReason, ProfileState
from mobid.domain.options import Kind
from mobid.domain.users import UserState
from mobid.processes.cascades import user_deactivated, user_reactivated
from mobid.processes.errors import (
    CANotAvailable,
    CodeNotUsable,
    IllegalAction,
    InvalidInput,
    MissingUserAttribute,
    MobileIDSuspended,
    NotFound,
    OptionScriptFailed,
    ReauthenticationRequired,
    RefusedByScript,
    StaleStep,
    TooManyCodes,
    UserNotActive,
)
from mobid.processes.locking import lock_profile
from mobid.processes.steps import Act, Caller

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Place

    from mobid.processes.views import InstanceView

HR = Actor(ActorKind.SCIM_CLIENT, "hr")


class TestHappyPath:
    """Nothing goes wrong."""

    def test_from_the_first_click_to_an_active_mobile_id(self, place: Place, anne: Person) -> None:
        """Every step in its turn; at the end it is active here, and its certificates valid in both."""
        view = anne.starts_get()
        assert (view.step_name, view.state) == (StepName.CONFIRM, InstanceState.WAITING_USER)
        view = anne.clicks("next", view)
        assert (view.step_name, view.state) == (StepName.QR, InstanceState.WAITING_DEVICE)
        assert place.profile(view.mobile_id).state is ProfileState.PENDING
        phone = anne.phone()
        claimed = phone.scans(view)
        assert (claimed.user_id, claimed.profile_name) == (
            "anne@example.org",
            "MobileID Änne Example",
        )
        assert anne.sees(view).step.data["device"] == "Pixel of Änne"
        phone.sends_keys()
        view = anne.sees(view)
        assert (view.step_name, view.state) == (StepName.APPROVE, InstanceState.WAITING_USER)
        view = anne.clicks("next", view, number=str(claimed.number))
        assert (view.step_name, view.state) == (StepName.CREATING, InstanceState.WAITING_DEVICE)
        assert place.profile(view.mobile_id).state is ProfileState.PENDING
        assert phone.confirms() is ProfileState.ACTIVE
        view = anne.sees(view)
        assert (view.step_name, view.state) == (StepName.DONE, InstanceState.COMPLETED)
        assert place.profile(view.mobile_id).state is ProfileState.ACTIVE
        assert place.voices(view.mobile_id) == {("valid", "valid")}
        assert place.in_ca(view.mobile_id) == {"valid"}
        assert place.effects.wanting() == []

    def test_everything_that_happened_is_audited(self, place: Place, anne: Person) -> None:
        """Each transaction leaves its line, in their order."""
        view, phone = anne.gets_to_creating()
        phone.confirms()
        assert place.audited(view.id) == [
            "get.start",
            "get.code",
            "get.claim",
            "get.keys",
            "get.approve",
            "get.issued",
        ]
        assert place.audited(str(view.mobile_id)) == ["get.active"]

    def test_with_the_typed_code_in_the_place_of_the_picture(self, anne: Person) -> None:
        """Fingers are as good as a camera, in small letters and without hyphens, too."""
        view = anne.gets_to_qr()
        phone = anne.phone()
        first = phone.claims(typed_code_of(view).lower().replace("-", " "))
        assert phone.scans(view) == first

    def test_what_is_issued_is_what_was_said(self, place: Place, anne: Person) -> None:
        """The certificates end when the page of *confirm* said, and bear the user's names."""
        said = anne.starts_get().step.data["valid_to"]
        mobile_id, _ = anne.finishes(anne.starts_get())
        assert place.profile(mobile_id).valid_to == said
        assert {one.not_after for one in place.certificates(mobile_id)} == {said}
        assert all("Änne Example".encode() in der for der in place.ders(mobile_id))


class TestStart:
    """Who can start, and what is refused before anything is stored."""

    def test_a_running_get_is_returned(self, place: Place, anne: Person) -> None:
        """Two windows are one run."""
        first, is_new = place.runner.start_get(anne.caller)
        again, is_new_again = place.runner.start_get(anne.caller)
        assert (is_new, is_new_again) == (True, False)
        assert again.id == first.id

    @pytest.mark.parametrize("state", [UserState.INACTIVE, UserState.DELETED])
    def test_only_an_active_user(self, place: Place, state: UserState) -> None:
        """The message says the state, and who can."""
        with pytest.raises(UserNotActive, match=f"account is {state}; only an active one can"):
            place.person(state=state).starts_get()

    def test_only_after_a_fresh_login(self, place: Place, anne: Person) -> None:
        """Twenty minutes are fresh, a second more is not."""
        place.clock.pass_by(timedelta(minutes=20))
        anne.starts_get()
        other = place.person()
        place.clock.pass_by(timedelta(minutes=20, seconds=1))
        with pytest.raises(ReauthenticationRequired, match="a login of the last 20 minutes"):
            other.starts_get()

    def test_not_with_a_suspended_mobile_id(self, place: Place, anne: Person) -> None:
        """A hold is lifted by who placed it, not by a new mobile ID."""
        anne.has_active()
        with place.units() as unit:
            user_deactivated(unit, anne.id, by=HR)
            unit.commit()
        with pytest.raises(MobileIDSuspended, match="is suspended, so you cannot get another one"):
            anne.starts_get()

    def test_not_before_the_ca_has_ever_answered(self, place: Place, anne: Person) -> None:
        """What the CA can do is its last answer; without one nothing is promised."""
        place.forgets_ca()
        with pytest.raises(CANotAvailable, match='The CA "builtin" has not answered yet'):
            anne.starts_get()

    def test_with_a_ca_that_is_down_but_has_answered_before(
        self, place: Place, anne: Person
    ) -> None:
        """A CA that is down delays a Get at *creating* only."""
        place.ca.away.add("all")
        view, _ = anne.gets_to_creating()
        assert (view.step_name, view.state) == (StepName.CREATING, InstanceState.WAITING_CA)

    def test_a_user_who_changes_while_the_script_runs_is_judged_as_they_are(
        self, place: Place, anne: Person
    ) -> None:
        """What the script saw is no longer true, so it runs again."""
        place.sandbox.meanwhile = lambda: place.change(anne, email="anne.married@example.org")
        assert anne.starts_get().step.data["user_id"] == "anne.married@example.org"

    def test_a_user_who_is_deactivated_while_the_script_runs_gets_nothing(
        self, place: Place, anne: Person
    ) -> None:
        """The state is read again where it counts."""
        place.sandbox.meanwhile = anne.deactivated
        with pytest.raises(UserNotActive, match="account is inactive"):
            anne.starts_get()

    def test_a_refusal_comes_in_the_words_of_the_script(self, place: Place, anne: Person) -> None:
        """Nothing is stored."""
        place.activate('refuse("Ask Olga first.")')
        with pytest.raises(RefusedByScript, match=r"^Ask Olga first\.$"):
            anne.starts_get()
        assert place.runner.running(anne.caller) == []

    def test_a_broken_script_gives_the_user_a_reference(self, place: Place, anne: Person) -> None:
        """Never a silent default, and never the line of the script for the user."""
        place.activate("options.validity = days(1 / 0)")
        with pytest.raises(OptionScriptFailed, match=r"the reference \w{4}-\w{2}\.$") as failure:
            anne.starts_get()
        assert failure.value.reference in str(failure.value)

    def test_a_user_without_the_names_that_a_certificate_needs(self, place: Place) -> None:
        """The message names the attribute."""
        nameless = place.person(email=None, principal_name=None)
        with pytest.raises(MissingUserAttribute, match='"emails or principalName" is missing'):
            nameless.starts_get()

    def test_what_can_be_started_says_why_not(self, place: Place, anne: Person) -> None:
        """A dashboard offers only what would not be refused."""
        get, lock = place.runner.startable(anne.caller)
        assert get.obstacle is None
        assert lock.obstacle is not None
        assert lock.obstacle.code == "MOBILE_ID_NOT_ACTIVE"
        mobile_id, _ = anne.has_active()
        place.activate('refuse("Enough.")')
        get, lock = place.runner.startable(anne.caller)
        assert get.obstacle is not None
        assert (get.obstacle.code, str(get.obstacle.text)) == ("REFUSED", "Enough.")
        assert (lock.obstacle, lock.mobile_id) == (None, mobile_id)


class TestHasActive:
    """The user has an active mobile ID already."""

    def test_a_lock_on_the_way_is_a_run_of_its_own(self, place: Place, anne: Person) -> None:
        """It is a child of this Get, which goes straight on to *confirm*; then on to a new one."""
        old, _ = anne.has_active()
        view = anne.starts_get()
        assert view.step_name is StepName.HAS_ACTIVE
        assert view.step.actions == ("lock", "cancel")
        view = anne.clicks("lock", view)
        assert view.step_name is StepName.CONFIRM
        assert place.profile(old).state is ProfileState.LOCKED
        assert place.profile(old).locked_for is LockReason.REPLACED
        assert place.in_ca(old) == {"revoked"}
        new, _ = anne.finishes(view)
        assert place.profile(new).state is ProfileState.ACTIVE

    def test_the_child_waits_for_the_ca_on_its_own(self, place: Place, anne: Person) -> None:
        """With the CA down the Get goes on, and the Lock is a run in *locking* that names its parent."""
        old, _ = anne.has_active()
        view = anne.starts_get()
        place.ca.away.add("all")
        view = anne.clicks("lock", view)
        (child,) = [one for one in place.runner.running(anne.caller) if one.id != view.id]
        assert (child.process, child.step_name) == (Process.LOCK, StepName.LOCKING)
        assert place.instance(child.id).parent_id == view.id
        assert place.profile(old).state is ProfileState.LOCKING
        place.ca.away.clear()
        place.effects.later()
        assert anne.sees(child).state is InstanceState.COMPLETED

    def test_a_later_cancel_leaves_the_lock_standing(self, place: Place, anne: Person) -> None:
        """The page says so before, and says nothing else after."""
        old, _ = anne.has_active()
        view = anne.starts_get()
        assert "If you cancel after that, you will have no mobile ID." in str(view.step.text)
        view = anne.clicks("cancel", anne.clicks("lock", view))
        assert view.state is InstanceState.CANCELLED
        assert str(view.step.text) == "Nothing was created."
        assert place.profile(old).state is ProfileState.LOCKED

    def test_cancel_leaves_the_mobile_id_as_it_is(self, place: Place, anne: Person) -> None:
        """Nothing was locked, and nothing was created."""
        old, _ = anne.has_active()
        anne.clicks("cancel", anne.starts_get())
        assert place.profile(old).state is ProfileState.ACTIVE

    def test_locked_from_elsewhere_the_get_moves_on(self, place: Place, anne: Person) -> None:
        """An operator's Lock takes the Get to *confirm* in its own transaction."""
        old, _ = anne.has_active()
        view = anne.starts_get()
        operator = Actor(ActorKind.OPERATOR, "olga")
        with place.units() as unit:
            unit.users.lock(anne.id)
            profile = unit.mobile_ids.get(old)
            lock_profile(unit, profile, by=operator, reason=LockReason.OTHER)
            unit.commit()
        with pytest.raises(StaleStep, match="has moved on to step confirm"):
            anne.clicks("lock", view)
        assert anne.sees(view).step_name is StepName.CONFIRM

    def test_expired_meanwhile_it_is_out_of_the_way(self, place: Place, anne: Person) -> None:
        """There is nothing left to lock, so Lock goes straight on."""
        old, _ = anne.has_active()
        place.clock.now = place.end_of(old) - timedelta(minutes=1)
        anne.signs_in()
        view = anne.starts_get()
        place.clock.pass_by(timedelta(minutes=1))
        assert place.time_outs.expire_mobile_ids() == 1
        assert anne.clicks("lock", view).step_name is StepName.CONFIRM
        assert place.profile(old).state is ProfileState.EXPIRED

    def test_suspended_meanwhile_the_get_fails(self, place: Place, anne: Person) -> None:
        """A new mobile ID is no way out of a hold."""
        old, _ = anne.has_active()
        view = anne.starts_get()
        with place.units() as unit:
            unit.users.lock(anne.id)
            unit.save(unit.mobile_ids.get(old).hold(Hold.USER_STATE, by=HR, why="", at=unit.now))
            unit.commit()
        view = anne.clicks("lock", view)
        assert (view.state, why(view)) == (InstanceState.FAILED, "MOBILE_ID_SUSPENDED")
        assert place.profile(old).state is ProfileState.INACTIVE


SELECTABLE = """
options.certificates = [cert.AUTHENTICATION]
options.selectable_certificates = [cert.SIGNATURE]
"""


class TestConfirm:
    """What will be issued, for how long, as whom."""

    def test_shows_what_the_script_decided(self, place: Place, anne: Person) -> None:
        """Names, kinds and the end."""
        place.activate(
            "options.certificates = [cert.SIGNATURE]\n"
            "options.validity = days(90)\n"
            'options.profile_name = "Site " + user.department\n'
        )
        view = anne.starts_get()
        assert view.step.data["certificates"] == ["signature"]
        assert view.step.data["profile_name"] == "Site Finance"
        assert view.step.data["valid_to"] == place.clock() + timedelta(days=90)
        assert "Site Finance for anne@example.org" in str(view.step.text)
        assert view.step.form == ()

    def test_choices_only_where_the_script_allows_them(self, place: Place, anne: Person) -> None:
        """What the user ticks comes on top."""
        place.activate(SELECTABLE)
        view = anne.starts_get()
        (field,) = view.step.form
        assert [choice.value for choice in field.choices] == ["signature"]
        view = anne.clicks("next", view, certificates=["signature"])
        assert place.instance(view.id).selected == (Kind.AUTHENTICATION, Kind.SIGNATURE)

    def test_nothing_ticked_is_what_the_script_gives(self, place: Place, anne: Person) -> None:
        """A choice is no duty."""
        place.activate(SELECTABLE)
        view = anne.clicks("next", anne.starts_get())
        assert place.instance(view.id).selected == (Kind.AUTHENTICATION,)

    def test_anything_else_is_refused(self, place: Place, anne: Person) -> None:
        """The message names the field and what it takes; the step stays."""
        place.activate(SELECTABLE)
        view = anne.starts_get()
        words = r'^Input "certificates" must be a list of signature\.$'
        for choice in (["authentication"], ["encryption"], ["nonsense"], "signature", [1], [None]):
            with pytest.raises(InvalidInput, match=words):
                anne.clicks("next", view, certificates=choice)
        assert anne.sees(view).step_seq == view.step_seq

    def test_the_end_of_the_ca_clips_the_validity(self, place: Place, anne: Person) -> None:
        """It is said before and kept as a warning; nothing is valid longer than its CA."""
        place.activate("options.validity = years(10)")
        place.clock.pass_by(timedelta(days=365 * 5))
        anne.signs_in()
        ca_end = place.ca.capabilities().not_after
        view = anne.starts_get()
        assert view.step.data["valid_to"] == ca_end
        assert str(view.step.hint) == "The CA's own end clips the validity."
        view = anne.clicks("next", view)
        assert [str(warning) for warning in view.warnings] == ["VALIDITY_CLIPPED"]

    def test_frozen_are_the_options_and_the_version_that_made_them(
        self, place: Place, anne: Person
    ) -> None:
        """A script that is activated later changes nothing for a Get that runs."""
        place.activate("options.validity = days(90)")
        view = anne.starts_get()
        place.activate("options.validity = days(30)")
        script = place.instance(view.id).script
        assert script is not None
        assert (script.version, len(script.sha256)) == (1, 64)
        mobile_id, _ = anne.finishes(view)
        assert place.end_of(mobile_id) - place.clock() == timedelta(days=90)


class TestCode:
    """The QR code, until one phone has claimed it and sent all its keys."""

    def test_next_too_early_stays_with_a_hint(self, anne: Person) -> None:
        """Next is for impatient people: nothing is written, and nothing is an error."""
        view = anne.gets_to_qr()
        again = anne.clicks("next", view)
        assert (again.step_name, again.step_seq) == (StepName.QR, view.step_seq)
        assert str(again.step.hint) == "Waiting for your phone. Scan the code, then click Next."

    def test_the_link_has_the_token_in_its_fragment_only(self, anne: Person) -> None:
        """A fragment reaches no server, no log and no referrer."""
        address, _, fragment = str(anne.gets_to_qr().step.data["link"]).partition("#")
        assert address == "https://id.example.org/e"
        assert fragment.startswith("1.")
        assert len(fragment) == 45

    def test_a_new_code_burns_the_old_one(self, anne: Person) -> None:
        """In both of its forms."""
        view = anne.gets_to_qr()
        renewed = anne.clicks("renew", view)
        for code in (token_of(view), typed_code_of(view)):
            with pytest.raises(CodeNotUsable, match=r"^This code cannot be used\."):
                anne.phone().claims(code)
        assert anne.phone().scans(renewed)

    def test_a_new_code_lets_a_phone_go_that_had_claimed(self, anne: Person) -> None:
        """That phone is nobody any more, and another one may come."""
        view = anne.gets_to_qr()
        first = anne.phone()
        first.scans(view)
        renewed = anne.clicks("renew", view)
        second = anne.phone()
        second.scans(renewed)
        for attempt in (first.sends_keys, first.fetches, lambda: first.scans(view)):
            with pytest.raises(CodeNotUsable):
                attempt()
        second.sends_keys()
        assert anne.sees(view).step_name is StepName.APPROVE

    def test_at_most_five_codes(self, anne: Person) -> None:
        """The page counts them down; the sixth is refused."""
        view = anne.gets_to_qr()
        for left in (4, 3, 2, 1):
            assert view.step.data["codes_left"] == left
            view = anne.clicks("renew", view)
        assert view.step.data["codes_left"] == 0
        with pytest.raises(
            TooManyCodes, match=r"has used its 5 codes\. Cancel it and start again\."
        ):
            anne.clicks("renew", view)

    def test_a_lapsed_code_is_not_shown_and_not_usable_but_can_be_renewed(
        self, place: Place, anne: Person
    ) -> None:
        """Ten minutes on the page, then *New code*."""
        view = anne.gets_to_qr()
        place.clock.pass_by(timedelta(minutes=10))
        lapsed = anne.sees(view)
        assert (lapsed.step.data["link"], lapsed.step.data["typed_code"]) == (None, None)
        assert str(lapsed.step.text) == "The code has expired. Get a new code."
        hint = anne.clicks("next", lapsed).step.hint
        assert str(hint) == "The code has expired. Get a new code, then scan it."
        with pytest.raises(CodeNotUsable):
            anne.phone().scans(view)
        assert anne.phone().scans(anne.clicks("renew", lapsed))

    def test_closing_the_page_ends_nothing(self, place: Place, anne: Person) -> None:
        """The dashboard shows *Continue*, with the same code."""
        view = anne.gets_to_qr()
        (running,) = place.runner.running(anne.caller)
        assert running.step.data["link"] == view.step.data["link"]

    def test_cancel_burns_the_code(self, place: Place, anne: Person) -> None:
        """And cancels the pending mobile ID; the slot is free again."""
        view = anne.gets_to_qr()
        ended = anne.clicks("cancel", view)
        assert place.profile(view.mobile_id).state is ProfileState.CANCELLED
        assert str(ended.step.text) == "Nothing was created."
        with pytest.raises(CodeNotUsable):
            anne.phone().scans(view)
        assert anne.gets_to_qr().mobile_id != view.mobile_id


class TestApprove:
    """The question whether this is their phone."""

    def test_three_numbers_one_of_which_the_phone_shows(self, anne: Person) -> None:
        """They are different, and have two digits."""
        view, phone = anne.gets_to_approve()
        (field,) = view.step.form
        numbers = [choice.value for choice in field.choices]
        assert len(set(numbers)) == 3
        assert all(len(number) == 2 for number in numbers)
        assert str(phone.claimed.number) in numbers
        assert "Pixel of Änne asks for your mobile ID." in str(view.step.text)

    def test_next_approves_exactly_what_is_stored(self, place: Place, anne: Person) -> None:
        """The fingerprint of the phone and its keys is kept."""
        view, _ = anne.gets_to_creating()
        enrolment = place.enrolment(view.id)
        assert enrolment.approved == enrolment.fingerprint

    def test_a_wrong_number_is_not_mine(self, place: Place, anne: Person) -> None:
        """The code is burnt, nothing is created, and the log says so."""
        view, phone = anne.gets_to_approve()
        (field,) = view.step.form
        wrong = next(one.value for one in field.choices if one.value != str(phone.claimed.number))
        view = anne.clicks("next", view, number=wrong)
        assert (view.state, why(view)) == (InstanceState.CANCELLED, "NOT_MINE")
        assert place.profile(view.mobile_id).state is ProfileState.CANCELLED
        assert place.audited(view.id)[-1] == "get.not_mine"
        assert place.certificates(view.mobile_id) == []
        with pytest.raises(CodeNotUsable):
            phone.fetches()

    def test_not_mine_is_a_button_too(self, anne: Person) -> None:
        """With the same end."""
        view, _ = anne.gets_to_approve()
        view = anne.clicks("not_mine", view)
        assert (view.state, why(view)) == (InstanceState.CANCELLED, "NOT_MINE")
        assert "It is burnt, and nothing was created." in str(view.step.text)

    def test_a_number_that_was_not_offered_is_no_pick(self, anne: Person) -> None:
        """It is refused as input, and costs nothing."""
        view, _ = anne.gets_to_approve()
        words = r'^Input "number" must be one of \d\d, \d\d, \d\d\.$'
        for number in ("", "100", None, 7, ["42"], True):
            with pytest.raises(InvalidInput, match=words):
                anne.clicks("next", view, number=number)
        assert anne.sees(view).step_name is StepName.APPROVE

    def test_cancel_gives_the_mobile_id_up(self, place: Place, anne: Person) -> None:
        """Without blame."""
        view, _ = anne.gets_to_approve()
        view = anne.clicks("cancel", view)
        assert (view.state, view.error) == (InstanceState.CANCELLED, None)
        assert place.profile(view.mobile_id).state is ProfileState.CANCELLED

    def test_needs_a_fresh_login(self, place: Place, anne: Person) -> None:
        """Otherwise nothing happens, and after the login the same click goes on."""
        place.clock.pass_by(timedelta(minutes=15))
        view, phone = anne.gets_to_approve()
        place.clock.pass_by(timedelta(minutes=6))
        number = str(phone.claimed.number)
        with pytest.raises(ReauthenticationRequired, match="Sign in again: this step needs"):
            anne.clicks("next", view, number=number)
        anne.signs_in()
        assert anne.clicks("next", view, number=number).step_name is StepName.CREATING

    def test_a_stale_login_cannot_even_burn_the_code(self, place: Place, anne: Person) -> None:
        """A wrong number counts only from somebody who is known to be there."""
        place.clock.pass_by(timedelta(minutes=15))
        view, phone = anne.gets_to_approve()
        place.clock.pass_by(timedelta(minutes=6))
        wrong = next(
            one.value for one in view.step.form[0].choices if one.value != str(phone.claimed.number)
        )
        with pytest.raises(ReauthenticationRequired):
            anne.clicks("next", view, number=wrong)
        assert anne.sees(view).step_name is StepName.APPROVE


class TestUserChanged:
    """Approve reads the user again."""

    def test_what_decides_differently_goes_back_to_confirm_and_then_on_to_the_end(
        self, place: Place, anne: Person
    ) -> None:
        """The phone is let go, the options are frozen anew, and the pending mobile ID stays."""
        view, phone = anne.gets_to_approve()
        place.change(anne, display_name="Änne Married", email="anne.married@example.org")
        back = anne.clicks("next", view, number=str(phone.claimed.number))
        assert (back.step_name, back.mobile_id) == (StepName.CONFIRM, view.mobile_id)
        assert back.step.data["user_id"] == "anne.married@example.org"
        assert place.profile(view.mobile_id).state is ProfileState.PENDING
        for attempt in (phone.fetches, lambda: phone.claims(phone.code)):
            with pytest.raises(CodeNotUsable):
                attempt()
        mobile_id, _ = anne.finishes(back)
        assert mobile_id == view.mobile_id
        profile = place.profile(mobile_id)
        assert (profile.state, profile.user_label) == (
            ProfileState.ACTIVE,
            "anne.married@example.org",
        )
        assert all(b"Married" in der for der in place.ders(mobile_id))

    def test_the_phone_that_was_let_go_may_come_back(self, place: Place, anne: Person) -> None:
        """With the new code, and with new keys."""
        view, phone = anne.gets_to_approve()
        place.change(anne, email="anne.married@example.org")
        back = anne.clicks("next", view, number=str(phone.claimed.number))
        qr = anne.clicks("next", back)
        phone.scans(qr)
        phone.sends_keys()
        assert anne.sees(qr).step_name is StepName.APPROVE

    def test_who_changes_again_meanwhile_is_judged_again(self, place: Place, anne: Person) -> None:
        """Frozen is what was decided on the user as they are now."""
        view, phone = anne.gets_to_approve()
        place.change(anne, email="first@example.org")
        place.sandbox.meanwhile = lambda: place.change(anne, email="second@example.org")
        back = anne.clicks("next", view, number=str(phone.claimed.number))
        assert back.step.data["user_id"] == "second@example.org"

    def test_what_decides_nothing_is_no_reason_to_start_over(
        self, place: Place, anne: Person
    ) -> None:
        """The script runs again with the same outcome, so the user goes on."""
        view, phone = anne.gets_to_approve()
        place.change(anne, doc='{"department": "Sales", "title": "Head of Sales"}')
        view = anne.clicks("next", view, number=str(phone.claimed.number))
        assert view.step_name is StepName.CREATING
        assert phone.confirms() is ProfileState.ACTIVE

    def test_what_the_script_reads_decides(self, place: Place, anne: Person) -> None:
        """The same change of department, with a script that looks at it."""
        place.activate('options.validity = days(90) if user.department == "Sales" else years(1)')
        view, phone = anne.gets_to_approve()
        place.change(anne, doc='{"department": "Sales"}')
        back = anne.clicks("next", view, number=str(phone.claimed.number))
        assert back.step_name is StepName.CONFIRM
        assert back.step.data["valid_to"] == place.clock() + timedelta(days=90)

    @pytest.mark.parametrize(
        ("script", "code"),
        [
            ('refuse("Not in Sales.")', "REFUSED"),
            ("options.validity = days(1 / 0)", "OPTION_SCRIPT_ERROR"),
        ],
    )
    def test_a_script_that_then_refuses_or_breaks_fails_the_get(
        self, place: Place, anne: Person, script: str, code: str
    ) -> None:
        """The answer is an instance that has failed, and a mobile ID that has, too."""
        place.activate(f'if user.department == "Sales":\n    {script}\n')
        view, phone = anne.gets_to_approve()
        place.change(anne, doc='{"department": "Sales"}')
        view = anne.clicks("next", view, number=str(phone.claimed.number))
        assert (view.state, why(view)) == (InstanceState.FAILED, code)
        assert view.error is not None
        assert re.fullmatch(r"\w{4}-\w{2}", view.error.reference)
        profile = place.profile(view.mobile_id)
        assert (profile.state, profile.failure) == (ProfileState.FAILED, code)
        with pytest.raises(CodeNotUsable):
            phone.fetches()

    def test_a_name_that_is_gone_fails_the_get(self, place: Place, anne: Person) -> None:
        """Without it no certificate can be made out."""
        view, phone = anne.gets_to_approve()
        place.change(anne, email=None)
        view = anne.clicks("next", view, number=str(phone.claimed.number))
        assert (view.state, why(view)) == (InstanceState.FAILED, "MISSING_USER_ATTRIBUTE")

    def test_the_codes_of_both_rounds_count_together(self, place: Place, anne: Person) -> None:
        """Five codes are five codes; then the run can only be cancelled."""
        view = anne.gets_to_qr()
        for _ in range(4):
            view = anne.clicks("renew", view)
        phone = anne.phone()
        phone.scans(view)
        phone.sends_keys()
        place.change(anne, email="anne.married@example.org")
        view = anne.clicks("next", anne.sees(view), number=str(phone.claimed.number))
        with pytest.raises(TooManyCodes, match="has used its 5 codes"):
            anne.clicks("next", view)
        assert anne.clicks("cancel", view).state is InstanceState.CANCELLED


class TestSteps:
    """An action is for the step that its user saw, and for their own runs."""

    def test_a_field_that_is_not_in_the_form_is_refused(self, anne: Person) -> None:
        """What a step does not ask for is not quietly ignored."""
        with pytest.raises(
            InvalidInput, match=r'^Input "kinds" is not known here; this step asks for'
        ):
            anne.clicks("next", anne.starts_get(), kinds=["signature"])

    def test_a_stale_step_carries_the_current_instance(self, anne: Person) -> None:
        """Double click, two tabs, back button: the second one is shown where the run is now."""
        view = anne.starts_get()
        current = anne.clicks("next", view)
        words = r"has moved on to step qr \(2\); look at it again before you act\.$"
        with pytest.raises(StaleStep, match=words) as stale:
            anne.clicks("next", view)
        assert (stale.value.instance.id, stale.value.instance.step_seq) == (
            view.id,
            current.step_seq,
        )

    def test_a_phone_that_arrives_meanwhile_makes_the_step_stale(self, anne: Person) -> None:
        """Its keys are a new step; its claim alone is not."""
        view = anne.gets_to_qr()
        phone = anne.phone()
        phone.scans(view)
        assert anne.clicks("next", view).step_seq == view.step_seq
        phone.sends_keys()
        with pytest.raises(StaleStep, match="has moved on to step approve"):
            anne.clicks("renew", view)

    def test_an_action_that_the_step_does_not_know(self, anne: Person) -> None:
        """The message says which ones it knows."""
        view = anne.starts_get()
        for action in ("lock", "renew", "not_mine", "", "__init__", "view"):
            words = f"has no action {action}; it knows next, cancel"
            with pytest.raises(IllegalAction, match=words):
                anne.clicks(action, view)

    def test_what_has_ended_knows_no_action(self, anne: Person) -> None:
        """And shows none."""
        view = anne.clicks("cancel", anne.starts_get())
        assert view.step.actions == ()
        for action in ("next", "cancel"):
            words = f"is cancelled; {action} is for a running one"
            with pytest.raises(ProcessEnded, match=words):
                anne.clicks(action, view)

    def test_somebody_elses_run_is_not_there(self, place: Place, anne: Person) -> None:
        """The answer is the same as for one that never was."""
        view = anne.starts_get()
        mallory = place.person()
        for attempt in (mallory.sees, lambda one: mallory.clicks("next", one)):
            with pytest.raises(NotFound, match=f'^There is no process "{view.id}" here\\.$'):
                attempt(view)
        act = Act(action="next", step_seq=1, answer={})
        with pytest.raises(NotFound, match=r'^There is no process "nobody" here\.$'):
            place.runner.act(mallory.caller, "nobody", act)

    def test_a_user_who_is_not_there_can_start_nothing(self, place: Place) -> None:
        """Not even be told what could be started."""
        ghost = Caller(
            user_id="ghost",
            actor=Actor(ActorKind.USER, "ghost"),
            authenticated_at=place.clock(),
        )
        for attempt in (place.runner.start_get, place.runner.startable):
            with pytest.raises(NotFound, match='There is no user "ghost" here'):
                attempt(ghost)


class TestSlot:
    """One live mobile ID per user."""

    def test_is_free_again_after_every_end(self, anne: Person) -> None:
        """Cancelled, failed, locked: each time the next Get begins at *confirm*."""
        anne.clicks("cancel", anne.gets_to_qr())
        anne.clicks("not_mine", anne.gets_to_approve()[0])
        mobile_id, _ = anne.has_active()
        anne.clicks("next", anne.starts_lock(mobile_id))
        assert anne.starts_get().step_name is StepName.CONFIRM

    def test_is_held_by_a_hold_that_the_ca_has_not_released(
        self, place: Place, anne: Person
    ) -> None:
        """The user is active again, the mobile ID not yet."""
        anne.has_active()
        with place.units() as unit:
            user_deactivated(unit, anne.id, by=HR)
            unit.commit()
        place.ca.away.add("all")
        with place.units() as unit:
            user_reactivated(unit, anne.id, place.settlement, by=HR)
            unit.commit()
        with pytest.raises(MobileIDSuspended):
            anne.starts_get()


def token_of(view: InstanceView) -> str:
    """Return the token in the link of a QR code."""
    return str(view.step.data["link"]).partition("#1.")[2]


def typed_code_of(view: InstanceView) -> str:
    """Return the code for fingers."""
    return str(view.step.data["typed_code"])


def why(view: InstanceView) -> str | None:
    """Return the code of what a run failed of."""
    return None if view.error is None else view.error.code
