"""What a change of a user's state does to their mobile ID, and to what they are in the middle of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mobile_ids import Hold, LockReason, Placed, ProfileState
from mobid.processes.errors import CodeNotUsable, UserNotActive

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.extension.processes.conftest import LineToCA, Person, Phone, Place

    from mobid.processes.views import InstanceView

HR = Actor(ActorKind.SCIM_CLIENT, "hr")
OVER = [
    ProfileState.LOCKING,
    ProfileState.LOCKED,
    ProfileState.EXPIRED,
    ProfileState.FAILED,
    ProfileState.CANCELLED,
]


class TestDeactivated:
    """`active` goes from true to false."""

    def test_an_active_one_is_suspended_here_and_held_in_the_ca(
        self, place: Place, anne: Person
    ) -> None:
        """By the hold *user state*, in the transaction of the user's own change."""
        mobile_id, _ = anne.has_active()
        anne.deactivated()
        profile = place.profile(mobile_id)
        assert profile.state is ProfileState.INACTIVE
        (hold,) = profile.holds.items()
        assert hold == (
            Hold.USER_STATE,
            Placed(placed_by=HR, placed_at=place.clock(), why="The user is inactive."),
        )
        assert place.voices(mobile_id) == {("held", "held")}
        assert place.in_ca(mobile_id) == {"held"}
        assert place.audited(mobile_id)[-1] == "mobile_id.hold"
        assert place.effects.wanting() == []

    @pytest.mark.parametrize("away", ["hold", "status"])
    def test_it_is_unusable_at_once_even_if_the_ca_is_down(
        self, place: Place, anne: Person, away: str
    ) -> None:
        """The hold in the CA follows when it can."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add(away)
        anne.deactivated()
        assert place.profile(mobile_id).state is ProfileState.INACTIVE
        assert place.voices(mobile_id) == {("held", "valid")}
        place.ca.away.clear()
        place.effects.later()
        assert place.voices(mobile_id) == {("held", "held")}

    @pytest.mark.parametrize(
        "come_to",
        [
            lambda anne: anne.starts_get(),
            lambda anne: anne.gets_to_qr(),
            lambda anne: anne.gets_to_approve()[0],
            lambda anne: anne.gets_to_creating()[0],
        ],
        ids=["confirm", "qr", "approve", "creating"],
    )
    def test_a_running_get_fails_at_every_step(
        self, place: Place, anne: Person, come_to: Callable[[Person], InstanceView]
    ) -> None:
        """With its pending mobile ID; what was issued is revoked, and the code is burnt."""
        view = come_to(anne)
        anne.deactivated()
        seen = anne.sees(view)
        assert seen.error is not None
        assert (seen.state, seen.error.code) == (InstanceState.FAILED, "USER_NOT_ACTIVE")
        if view.mobile_id is not None:
            profile = place.profile(view.mobile_id)
            assert (profile.state, profile.failure) == (ProfileState.FAILED, "USER_NOT_ACTIVE")
            assert place.in_ca(view.mobile_id) <= {"revoked"}
            assert place.enrolment(view.id).closed
        with pytest.raises(UserNotActive, match="account is inactive; only an active one can"):
            anne.starts_get()

    def test_a_get_at_has_active_fails_and_the_old_one_is_suspended(
        self, place: Place, anne: Person
    ) -> None:
        """Both in one transaction."""
        old, _ = anne.has_active()
        view = anne.starts_get()
        anne.deactivated()
        assert anne.sees(view).state is InstanceState.FAILED
        assert place.profile(old).state is ProfileState.INACTIVE

    def test_a_phone_with_a_code_is_too_late(self, anne: Person) -> None:
        """Its claim is refused like every other."""
        view = anne.gets_to_qr()
        anne.deactivated()
        with pytest.raises(CodeNotUsable):
            anne.phone().scans(view)


class TestReactivated:
    """`active` goes from false to true."""

    def test_it_is_active_again_once_the_ca_has_released_all(
        self, place: Place, anne: Person
    ) -> None:
        """Held, released, active: here and in the CA."""
        mobile_id, _ = anne.has_active()
        anne.deactivated()
        place.ca.away.add("release")
        anne.reactivated()
        profile = place.profile(mobile_id)
        assert (profile.state, profile.holds) == (ProfileState.INACTIVE, {})
        assert place.voices(mobile_id) == {("valid", "held")}
        place.ca.away.clear()
        place.effects.later()
        assert place.profile(mobile_id).state is ProfileState.ACTIVE
        assert place.in_ca(mobile_id) == {"valid"}
        assert place.audited(mobile_id)[-2:] == ["mobile_id.lift", "mobile_id.resume"]

    def test_one_of_two_is_not_enough(self, place: Place, anne: Person) -> None:
        """The CA has the last word on every certificate."""
        mobile_id, _ = anne.has_active()
        anne.deactivated()
        with place.crash():
            anne.reactivated()
        first, second = place.certificates(mobile_id)
        place.effects.attempt("certificate", first.id)
        assert place.profile(mobile_id).state is ProfileState.INACTIVE
        place.effects.attempt("certificate", second.id)
        assert place.profile(mobile_id).state is ProfileState.ACTIVE

    def test_a_hold_that_never_reached_the_ca_is_taken_back_only_when_the_ca_says_so(
        self, place: Place, anne: Person
    ) -> None:
        """It may have arrived without an answer: the CA is asked, and then told to release."""
        mobile_id, _ = anne.has_active()
        place.ca.mute.add("hold")
        anne.deactivated()
        assert place.voices(mobile_id) == {("held", "valid")}
        place.ca.away.add("status")
        anne.reactivated()
        assert place.profile(mobile_id).state is ProfileState.INACTIVE
        assert place.in_ca(mobile_id) == {"held"}
        place.ca.away.clear()
        place.effects.later()
        assert place.profile(mobile_id).state is ProfileState.ACTIVE
        assert place.in_ca(mobile_id) == {"valid"}

    def test_back_and_forth_while_the_ca_is_down_ends_where_the_user_is(
        self, place: Place, anne: Person
    ) -> None:
        """Only the last wish counts."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        for _ in range(3):
            anne.deactivated()
            anne.reactivated()
        anne.deactivated()
        place.ca.away.clear()
        place.effects.later()
        assert place.profile(mobile_id).state is ProfileState.INACTIVE
        assert place.voices(mobile_id) == {("held", "held")}
        assert place.in_ca(mobile_id) == {"held"}

    def test_one_that_has_ended_meanwhile_expires(self, place: Place, anne: Person) -> None:
        """No resume after the end: whoever comes first sees it, and that is the client here."""
        mobile_id, _ = anne.has_active()
        anne.deactivated()
        place.clock.now = place.end_of(mobile_id)
        anne.reactivated()
        assert place.profile(mobile_id).state is ProfileState.EXPIRED
        assert place.voices(mobile_id) == {("revoked", "expired")}
        assert place.effects.wanting() == []
        assert place.time_outs.expire_mobile_ids() == 0

    def test_one_that_ends_before_its_certificates_does_not_resume(
        self, place: Place, anne: Person
    ) -> None:
        """The mobile ID's own end counts, even while the CA still vouches."""
        mobile_id, _ = anne.has_active()
        place.put(mobile_id, valid_to=place.clock() + timedelta(days=1))
        anne.deactivated()
        place.clock.pass_by(timedelta(days=1))
        anne.reactivated()
        assert place.profile(mobile_id).state is ProfileState.EXPIRED
        assert place.in_ca(mobile_id) == {"revoked"}

    def test_does_nothing_where_nothing_is_held(self, place: Place, anne: Person) -> None:
        """Neither to an active one, nor to a user without any."""
        place.person().reactivated()
        mobile_id, _ = anne.has_active()
        before = place.profile(mobile_id)
        anne.reactivated()
        assert place.profile(mobile_id) == before


class TestACAThatCannotHold:
    """Suspended here, visibly still valid there."""

    @pytest.fixture
    def ca(self, plain_ca: LineToCA) -> LineToCA:
        """The CA of these tests."""
        return plain_ca

    def test_held_and_valid_is_settled(self, place: Place, anne: Person) -> None:
        """There is nothing that the CA could be told."""
        mobile_id, _ = anne.has_active()
        asked = len(place.ca.calls)
        anne.deactivated()
        assert place.profile(mobile_id).state is ProfileState.INACTIVE
        assert place.voices(mobile_id) == {("held", "valid")}
        assert place.effects.wanting() == []
        assert len(place.ca.calls) == asked

    def test_it_is_active_again_at_once(self, place: Place, anne: Person) -> None:
        """In the transaction that lifts the hold."""
        mobile_id, _ = anne.has_active()
        anne.deactivated()
        with place.crash():
            anne.reactivated()
        assert place.profile(mobile_id).state is ProfileState.ACTIVE

    def test_a_suspended_one_is_locked_and_revoked_like_any_other(
        self, place: Place, anne: Person
    ) -> None:
        """Revoking it can."""
        mobile_id, _ = anne.has_active()
        anne.deactivated()
        anne.deleted()
        assert place.profile(mobile_id).state is ProfileState.LOCKED
        assert place.in_ca(mobile_id) == {"revoked"}


class TestDeleted:
    """The user is deleted."""

    @pytest.mark.parametrize("suspended", [False, True], ids=["active", "inactive"])
    def test_a_live_one_is_locked(self, place: Place, anne: Person, suspended: bool) -> None:
        """Suspended or not: locked, and revoked in the CA."""
        mobile_id, _ = anne.has_active()
        if suspended:
            anne.deactivated()
        anne.deleted()
        profile = place.profile(mobile_id)
        assert (profile.state, profile.locked_for) == (ProfileState.LOCKED, LockReason.USER_DELETED)
        assert profile.locked_by == HR
        assert place.in_ca(mobile_id) == {"revoked"}

    def test_a_running_get_fails(self, place: Place, anne: Person) -> None:
        """And a pending mobile ID fails with it; it is not locked."""
        view, _ = anne.gets_to_creating()
        anne.deleted()
        assert place.profile(view.mobile_id).failure == "USER_NOT_ACTIVE"
        assert place.in_ca(view.mobile_id) == {"revoked"}

    def test_a_lock_at_confirm_goes_on_to_locking(self, place: Place, anne: Person) -> None:
        """The deletion is a Lock like any other."""
        mobile_id, _ = anne.has_active()
        view = anne.starts_lock(mobile_id)
        place.ca.away.add("all")
        anne.deleted()
        assert place.instance(view.id).step is StepName.LOCKING


class TestAfterTheEnd:
    """A change of the user that comes after the end of their mobile ID, and before any sweep."""

    @pytest.mark.parametrize("change", ["deactivated", "deleted"])
    def test_finds_it_expired(self, place: Place, anne: Person, change: str) -> None:
        """It is neither suspended nor locked, and the change itself is not refused."""
        mobile_id, _ = anne.has_active()
        place.clock.now = place.end_of(mobile_id)
        getattr(anne, change)()
        profile = place.profile(mobile_id)
        assert (profile.state, profile.holds) == (ProfileState.EXPIRED, {})
        assert place.audited(mobile_id)[-1] == "mobile_id.expire"


class TestWhatIsOverStaysOver:
    """A cascade concerns live mobile IDs only."""

    def test_nothing_happens_to_the_others(self, place: Place, anne: Person) -> None:
        """Whatever becomes of their user."""
        mobile_id, _ = anne.has_active()
        for state in OVER:
            place.put(mobile_id, state=state)
            before = place.profile(mobile_id)
            anne.deactivated()
            anne.reactivated()
            anne.deleted()
            assert place.profile(mobile_id) == before

    def test_a_phone_that_asks_hears_it(self, place: Place, anne: Person) -> None:
        """Suspended, active, locked: the phone is told the truth each time."""
        _, phone = anne.has_active()
        said = [status_of(place, phone)]
        for change in (anne.deactivated, anne.reactivated, anne.deleted):
            change()
            said.append(status_of(place, phone))
        assert said == ["active", "inactive", "active", "locked"]


class TestExpiry:
    """A mobile ID reaches its end."""

    @pytest.mark.parametrize("suspended", [False, True], ids=["active", "inactive"])
    def test_it_expires_at_its_end_and_not_before(
        self, place: Place, anne: Person, suspended: bool
    ) -> None:
        """Then the CA says `expired` of its certificates, and nothing is left to do."""
        mobile_id, _ = anne.has_active()
        if suspended:
            anne.deactivated()
        place.clock.now = place.end_of(mobile_id) - timedelta(microseconds=1)
        assert place.time_outs.expire_mobile_ids() == 0
        place.clock.pass_by(timedelta(microseconds=1))
        assert place.time_outs.expire_mobile_ids() == 1
        assert place.profile(mobile_id).state is ProfileState.EXPIRED
        assert place.voices(mobile_id) == {("revoked", "expired")}
        assert place.effects.wanting() == []
        assert place.time_outs.expire_mobile_ids() == 0

    def test_the_slot_is_free_again(self, place: Place, anne: Person) -> None:
        """The next Get begins at *confirm*."""
        mobile_id, _ = anne.has_active()
        place.clock.now = place.end_of(mobile_id)
        place.time_outs.expire_mobile_ids()
        anne.signs_in()
        assert anne.starts_get().step_name is StepName.CONFIRM

    def test_a_certificate_that_outlives_its_mobile_id_is_revoked(
        self, place: Place, anne: Person
    ) -> None:
        """Still valid in the CA, it would say more than is true."""
        mobile_id, _ = anne.has_active()
        place.put(mobile_id, valid_to=place.clock() + timedelta(days=1))
        place.clock.pass_by(timedelta(days=1))
        assert place.time_outs.expire_mobile_ids() == 1
        assert place.profile(mobile_id).state is ProfileState.EXPIRED
        assert place.voices(mobile_id) == {("revoked", "revoked")}
        assert place.in_ca(mobile_id) == {"revoked"}


def status_of(place: Place, phone: Phone) -> str:
    """Return what a phone is told of its mobile ID."""
    return place.phones.status(phone.caller).value
