"""Lock mobile ID: unusable at once, locked when the CA has said so, and nobody stands in the way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.certificates import CAState, RevocationReason, Wanted
from mobid.domain.instances import InstanceState, Process, StepName
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.domain.users import UserState
from mobid.processes.authority import Reason, Status, Unavailable
from mobid.processes.errors import (
    IllegalAction,
    InvalidInput,
    MobileIDNotActive,
    NotFound,
    StaleStep,
)
from mobid.processes.locking import lock_profile
from mobid.processes.not_yet import NotYet

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Place

    from mobid.processes.views import InstanceView

OLGA = Actor(ActorKind.OPERATOR, "olga")
LOCKING = (StepName.LOCKING, InstanceState.WAITING_CA)
DONE = (StepName.DONE, InstanceState.COMPLETED)


def where(view: InstanceView) -> tuple[StepName, InstanceState]:
    """Return where a run stands."""
    return view.step_name, view.state


def locked_by_operator(place: Place, person: Person, mobile_id: str) -> None:
    """Let somebody else lock it."""
    with place.units() as unit:
        unit.users.lock(person.id)
        profile = unit.mobile_ids.get(mobile_id)
        lock_profile(unit, profile, by=OLGA, reason=LockReason.OTHER)
        unit.commit()


class TestHappyPath:
    """Nothing goes wrong."""

    def test_from_the_first_click_to_locked(self, place: Place, anne: Person) -> None:
        """At the end it is locked, and its certificates are revoked here and in the CA."""
        mobile_id, _ = anne.has_active()
        view = anne.starts_lock(mobile_id)
        assert where(view) == (StepName.CONFIRM_LOCK, InstanceState.WAITING_USER)
        assert str(view.step.text) == (
            "MobileID Änne Example stops working at once and cannot be unlocked. "
            "2 certificates will be revoked."
        )
        view = anne.clicks("next", view)
        assert where(view) == DONE
        assert "is locked, and its certificates are revoked in the CA" in str(view.step.text)
        profile = place.profile(mobile_id)
        assert (profile.state, profile.locked_for) == (ProfileState.LOCKED, LockReason.OTHER)
        assert profile.locked_by == anne.caller.actor
        assert place.voices(mobile_id) == {("revoked", "revoked")}
        assert place.in_ca(mobile_id) == {"revoked"}
        assert place.effects.wanting() == []
        assert place.audited(mobile_id)[-2:] == ["mobile_id.lock", "mobile_id.locked"]

    @pytest.mark.parametrize(
        ("reason", "why", "sent"),
        [
            ("lost_or_stolen", RevocationReason.KEY_COMPROMISE, Reason.KEY_COMPROMISE),
            ("replaced", RevocationReason.SUPERSEDED, Reason.SUPERSEDED),
            ("other", RevocationReason.UNSPECIFIED, Reason.UNSPECIFIED),
        ],
    )
    def test_the_reason_reaches_the_ca(
        self, place: Place, anne: Person, reason: str, why: RevocationReason, sent: Reason
    ) -> None:
        """In the words of RFC 5280, 5.3.1."""
        mobile_id, _ = anne.has_active()
        anne.clicks("next", anne.starts_lock(mobile_id), reason=reason)
        assert place.profile(mobile_id).locked_for == reason
        assert {one.reason for one in place.certificates(mobile_id)} == {why}
        assert place.ca.reasons == [sent, sent]

    def test_a_ca_that_knows_no_reasons_is_told_none(self, place: Place, anne: Person) -> None:
        """Revoking matters more than saying why."""
        mobile_id, _ = anne.has_active()
        place.ca.known_reasons = frozenset({Reason.UNSPECIFIED})
        anne.clicks("next", anne.starts_lock(mobile_id), reason="lost_or_stolen")
        assert place.ca.reasons == [Reason.UNSPECIFIED, Reason.UNSPECIFIED]
        assert place.profile(mobile_id).state is ProfileState.LOCKED

    def test_another_reason_is_refused(self, place: Place, anne: Person) -> None:
        """The message names the choices, and nothing is locked."""
        mobile_id, _ = anne.has_active()
        view = anne.starts_lock(mobile_id)
        words = r'^Input "reason" must be one of lost_or_stolen, replaced, other\.$'
        for reason in ("ca_revoked", "", None, 1, ["other"]):
            with pytest.raises(InvalidInput, match=words):
                anne.clicks("next", view, reason=reason)
        assert place.profile(mobile_id).state is ProfileState.ACTIVE

    def test_cancel_leaves_everything_as_it_is(self, place: Place, anne: Person) -> None:
        """The mobile ID stays active."""
        mobile_id, _ = anne.has_active()
        view = anne.clicks("cancel", anne.starts_lock(mobile_id))
        assert (view.state, str(view.step.text)) == (
            InstanceState.CANCELLED,
            "Nothing was locked.",
        )
        assert place.profile(mobile_id).state is ProfileState.ACTIVE


class TestNothingInTheWay:
    """Nothing but the mobile ID's own state stands between a user and Lock."""

    def test_neither_a_stale_login_nor_the_users_state_nor_a_script(
        self, place: Place, anne: Person
    ) -> None:
        """A stolen phone does not wait."""
        mobile_id, _ = anne.has_active()
        place.activate('refuse("No.")')
        place.change(anne, state=UserState.INACTIVE)
        place.clock.pass_by(timedelta(days=30))
        assert where(anne.clicks("next", anne.starts_lock(mobile_id))) == DONE

    def test_neither_a_ca_that_is_down(self, place: Place, anne: Person) -> None:
        """It is unusable at once; locked when the CA has confirmed, however late."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        view = anne.clicks("next", anne.starts_lock(mobile_id))
        assert where(view) == LOCKING
        assert "The CA has confirmed 0 of 2 revocations" in str(view.step.text)
        assert view.step.actions == ()
        assert place.profile(mobile_id).state is ProfileState.LOCKING
        assert place.voices(mobile_id) == {("revoked", "valid")}
        assert isinstance(place.effects.errors[-1], Unavailable | NotYet)
        place.clock.pass_by(timedelta(days=3))
        place.effects.later()
        assert where(anne.sees(view)) == LOCKING
        place.ca.away.clear()
        place.effects.later()
        assert where(anne.sees(view)) == DONE
        assert place.in_ca(mobile_id) == {"revoked"}

    def test_nobody_can_stop_a_revocation(self, place: Place, anne: Person) -> None:
        """The step *locking* knows no action."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        view = anne.clicks("next", anne.starts_lock(mobile_id))
        for action in ("cancel", "next"):
            with pytest.raises(IllegalAction, match=f"at step locking has no action {action}"):
                anne.clicks(action, view)

    def test_locking_holds_no_slot(self, place: Place, anne: Person) -> None:
        """The user may get a new mobile ID while the CA is still to be told of the old one."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("revoke")
        anne.clicks("next", anne.starts_lock(mobile_id))
        new, _ = anne.has_active()
        assert place.profile(mobile_id).state is ProfileState.LOCKING
        assert place.profile(new).state is ProfileState.ACTIVE


class TestStart:
    """What can be locked."""

    def test_any_state_but_active_is_refused(self, place: Place, anne: Person) -> None:
        """The message says the state, and what could be locked."""
        mobile_id, _ = anne.has_active()
        for state in set(ProfileState) - {ProfileState.ACTIVE}:
            place.put(mobile_id, state=state)
            words = f"^Mobile ID {mobile_id} is {state}; only an active one can be locked\\.$"
            with pytest.raises(MobileIDNotActive, match=words):
                anne.starts_lock(mobile_id)

    def test_suspended_after_the_start_it_is_refused_at_next(self, anne: Person) -> None:
        """A user's own Lock is for an active one; the run stays where it is."""
        mobile_id, _ = anne.has_active()
        view = anne.starts_lock(mobile_id)
        anne.deactivated()
        with pytest.raises(MobileIDNotActive, match="is inactive; only an active one"):
            anne.clicks("next", view)
        anne.reactivated()
        assert where(anne.clicks("next", view)) == DONE

    def test_somebody_elses_is_not_there(self, place: Place, anne: Person) -> None:
        """The answer is the same as for one that never was."""
        mobile_id, _ = anne.has_active()
        anne.starts_lock(mobile_id)
        mallory = place.person()
        for name in (mobile_id, "nothing"):
            with pytest.raises(NotFound, match=f'^There is no mobile ID "{name}" here\\.$'):
                mallory.starts_lock(name)

    def test_a_running_lock_is_returned(self, place: Place, anne: Person) -> None:
        """At *confirm_lock*, and at *locking*, too."""
        mobile_id, _ = anne.has_active()
        first, is_new = place.runner.start_lock(anne.caller, mobile_id)
        again, is_new_again = place.runner.start_lock(anne.caller, mobile_id)
        assert (first.id, is_new, is_new_again) == (again.id, True, False)
        place.ca.away.add("all")
        anne.clicks("next", first)
        assert where(anne.starts_lock(mobile_id)) == LOCKING

    def test_one_whose_time_is_over_is_not_returned(self, place: Place, anne: Person) -> None:
        """It has expired, and another one begins."""
        mobile_id, _ = anne.has_active()
        first = anne.starts_lock(mobile_id)
        place.clock.pass_by(timedelta(minutes=30))
        second, is_new = place.runner.start_lock(anne.caller, mobile_id)
        assert (is_new, second.id != first.id) == (True, True)
        assert anne.sees(first).state is InstanceState.EXPIRED
        assert where(anne.clicks("next", second)) == DONE


class TestTogether:
    """Whoever locks, all that depends on it moves in the same transaction."""

    def test_two_clicks_are_one_lock(self, place: Place, anne: Person) -> None:
        """The second one is told where the run is now."""
        mobile_id, _ = anne.has_active()
        view = anne.starts_lock(mobile_id)
        anne.clicks("next", view)
        with pytest.raises(StaleStep, match="has moved on to step done"):
            anne.clicks("next", view)
        assert place.audited(mobile_id).count("mobile_id.lock") == 1

    def test_another_lock_of_the_same_goes_on_to_locking(self, place: Place, anne: Person) -> None:
        """An operator was faster; the user's page goes on to what is now true."""
        mobile_id, _ = anne.has_active()
        view = anne.starts_lock(mobile_id)
        place.ca.away.add("all")
        locked_by_operator(place, anne, mobile_id)
        assert where(anne.sees(view)) == LOCKING
        assert place.profile(mobile_id).locked_by == OLGA
        with pytest.raises(StaleStep, match="has moved on to step locking"):
            anne.clicks("next", view)
        place.ca.away.clear()
        place.effects.later()
        assert where(anne.sees(view)) == DONE

    def test_a_get_at_has_active_goes_on_to_confirm(self, place: Place, anne: Person) -> None:
        """In the transaction of the Lock, not at the next click."""
        mobile_id, _ = anne.has_active()
        get = anne.starts_get()
        place.ca.away.add("all")
        anne.clicks("next", anne.starts_lock(mobile_id))
        assert anne.sees(get).step_name is StepName.CONFIRM
        assert anne.clicks("next", anne.sees(get)).step_name is StepName.QR

    def test_a_lock_at_has_active_moves_the_other_lock_and_makes_no_second_one(
        self, place: Place, anne: Person
    ) -> None:
        """One Lock per mobile ID, by whichever way."""
        mobile_id, _ = anne.has_active()
        lock = anne.starts_lock(mobile_id)
        get = anne.clicks("lock", anne.starts_get())
        assert get.step_name is StepName.CONFIRM
        assert where(anne.sees(lock)) == DONE
        running = place.runner.running(anne.caller)
        assert [one.process for one in running] == [Process.GET]

    def test_a_pending_one_is_cancelled_with_its_get(self, place: Place, anne: Person) -> None:
        """By an operator, or over SCIM."""
        view, _ = anne.gets_to_creating()
        locked_by_operator(place, anne, str(view.mobile_id))
        assert anne.sees(view).state is InstanceState.CANCELLED
        assert place.profile(view.mobile_id).state is ProfileState.CANCELLED
        assert place.in_ca(view.mobile_id) == {"revoked"}


class TestTheCAsWord:
    """We say *revoked in the CA* when the CA has said so, and never before."""

    def test_one_of_two_is_not_locked(self, place: Place, anne: Person) -> None:
        """Honestly shown until the CA has confirmed all."""
        mobile_id, _ = anne.has_active()
        with place.crash():
            view = anne.clicks("next", anne.starts_lock(mobile_id))
        first, _ = place.certificates(mobile_id)
        place.effects.attempt("certificate", first.id)
        assert where(anne.sees(view)) == LOCKING
        assert "confirmed 1 of 2 revocations" in str(anne.sees(view).step.text)
        assert place.voices(mobile_id) == {("revoked", "revoked"), ("revoked", "valid")}
        place.effects.later()
        assert where(anne.sees(view)) == DONE

    def test_a_lost_answer_is_looked_up(self, place: Place, anne: Person) -> None:
        """The CA did it, and did not come to say so."""
        mobile_id, _ = anne.has_active()
        place.ca.mute.add("revoke")
        view = anne.clicks("next", anne.starts_lock(mobile_id))
        assert where(view) == LOCKING
        assert place.in_ca(mobile_id) == {"revoked"}
        place.ca.mute.clear()
        place.effects.later()
        assert place.ca.says("revoke") == 2
        assert where(anne.sees(view)) == DONE

    def test_a_ca_that_accepts_but_does_not_do_it_is_asked_again(
        self, place: Place, anne: Person
    ) -> None:
        """An answer to *revoke* is no word on the certificate."""
        mobile_id, _ = anne.has_active()
        place.ca.forgets.add("revoke")
        view = anne.clicks("next", anne.starts_lock(mobile_id))
        assert where(view) == LOCKING
        said = [str(error) for error in place.effects.errors]
        assert "The CA builtin says valid; wanted is revoked." in said
        place.ca.forgets.clear()
        place.effects.later()
        assert where(anne.sees(view)) == DONE

    def test_a_ca_that_has_lost_a_certificate_keeps_it_locking(
        self, place: Place, anne: Person
    ) -> None:
        """We have verified that certificate, so `unknown` is no revocation; once it is known again, it is."""
        mobile_id, _ = anne.has_active()
        place.ca.loses.update(place.ders(mobile_id))
        view = anne.clicks("next", anne.starts_lock(mobile_id))
        place.effects.later()
        assert where(anne.sees(view)) == LOCKING
        assert place.voices(mobile_id) == {("revoked", "unknown")}
        said = [str(error) for error in place.effects.errors]
        assert "The CA builtin says unknown; wanted is revoked." in said
        place.ca.loses.clear()
        place.effects.later()
        assert where(anne.sees(view)) == DONE

    def test_a_certificate_that_is_past_its_end_is_gone(self, place: Place, anne: Person) -> None:
        """Nobody can use it any more, and no CA takes it back."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        anne.clicks("next", anne.starts_lock(mobile_id))
        place.clock.now = place.end_of(mobile_id)
        place.ca.away.clear()
        place.effects.later()
        assert place.voices(mobile_id) == {("revoked", "expired")}
        assert place.profile(mobile_id).state is ProfileState.LOCKED

    def test_after_a_crash_the_work_goes_on(self, place: Place, anne: Person) -> None:
        """The rows want it, and whoever restarts does it."""
        mobile_id, _ = anne.has_active()
        with place.crash():
            view = anne.clicks("next", anne.starts_lock(mobile_id))
        assert where(view) == LOCKING
        place.effects.later()
        assert where(anne.sees(view)) == DONE

    def test_a_later_word_is_not_replaced_by_an_earlier_one(
        self, place: Place, anne: Person
    ) -> None:
        """A question that was under way while the certificate was revoked is not the last word."""
        mobile_id, _ = anne.has_active()
        first, _ = place.certificates(mobile_id)
        view = anne.starts_lock(mobile_id)

        def locked_while_we_asked() -> None:
            place.ca.after_status = lambda: None
            place.clock.pass_by(timedelta(seconds=1))
            anne.clicks("next", view)

        place.ca.after_status = locked_while_we_asked
        place.work.ask(first.id)
        assert place.voices(mobile_id) == {("revoked", "revoked")}
        assert place.profile(mobile_id).state is ProfileState.LOCKED
        assert place.audited(first.id).count("certificate.heard") == 1


class TestBehindOurBack:
    """The CA, or somebody at the CA, revokes without us."""

    def test_the_mobile_id_is_locked_with_all_its_certificates(
        self, place: Place, anne: Person
    ) -> None:
        """One certificate is enough; the daily question finds it, and by whom is kept."""
        mobile_id, _ = anne.has_active()
        first, second = place.certificates(mobile_id)
        place.ca.revokes(first)
        place.clock.pass_by(timedelta(days=1, seconds=1))
        assert place.reconciliation.overdue() == 2
        profile = place.profile(mobile_id)
        assert (profile.state, profile.locked_for) == (ProfileState.LOCKED, LockReason.CA_REVOKED)
        assert profile.locked_by == Actor(ActorKind.CA, "builtin")
        assert place.ca.ca.status(second.der or b"") is Status.REVOKED
        assert "certificate.revoked_by_ca" in place.audited(first.id)

    def test_it_is_locking_until_the_others_are_confirmed(self, place: Place, anne: Person) -> None:
        """The same truth as in a Lock of the user's own."""
        mobile_id, _ = anne.has_active()
        first, second = place.certificates(mobile_id)
        place.ca.revokes(first)
        place.ca.away.add("revoke")
        place.work.ask(first.id)
        assert place.profile(mobile_id).state is ProfileState.LOCKING
        assert not second.gone
        place.ca.away.clear()
        place.effects.later()
        assert place.profile(mobile_id).state is ProfileState.LOCKED

    def test_a_suspended_one_is_locked_too(self, place: Place, anne: Person) -> None:
        """A hold does not protect from it."""
        mobile_id, _ = anne.has_active()
        anne.deactivated()
        place.ca.revokes(place.certificates(mobile_id)[0])
        place.work.ask(place.certificates(mobile_id)[0].id)
        assert place.profile(mobile_id).state is ProfileState.LOCKED

    def test_a_hold_of_the_ca_is_taken_back(self, place: Place, anne: Person) -> None:
        """Held there and valid here is a difference, and ours is the decision."""
        mobile_id, _ = anne.has_active()
        first, _ = place.certificates(mobile_id)
        assert first.der is not None
        place.ca.ca.hold(first.der, place.clock())
        place.work.ask(first.id)
        assert place.ca.ca.status(first.der) is Status.VALID
        assert place.voices(mobile_id) == {("valid", "valid")}
        assert place.profile(mobile_id).state is ProfileState.ACTIVE

    def test_a_question_that_finds_nothing_new_changes_nothing(
        self, place: Place, anne: Person
    ) -> None:
        """It is noted that the CA was asked, and no version moves."""
        mobile_id, _ = anne.has_active()
        before = place.profile(mobile_id)
        place.clock.pass_by(timedelta(hours=1))
        assert place.reconciliation.run() == 2
        assert place.profile(mobile_id) == before
        assert {one.asked_at for one in place.certificates(mobile_id)} == {place.clock()}
        assert place.reconciliation.overdue() == 0

    def test_a_ca_that_does_not_answer_is_left_for_the_next_time(
        self, place: Place, anne: Person
    ) -> None:
        """No word is no news."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        place.clock.pass_by(timedelta(hours=1))
        assert place.reconciliation.run() == 2
        place.reconciliation.probe()
        assert place.voices(mobile_id) == {("valid", "valid")}
        assert {one.ca_state for one in place.certificates(mobile_id)} == {CAState.VALID}
        assert {one.wanted for one in place.certificates(mobile_id)} == {Wanted.VALID}
