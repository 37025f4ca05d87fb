"""Holds: what suspends a mobile ID, who may take that back, and what the CA has to say to it."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.errors import IllegalTransition
from mobid.domain.instances import InstanceState
from mobid.domain.mobile_ids import Hold, ProfileState
from mobid.processes.care import Care, standing_of
from mobid.processes.errors import (
    AlreadyHeld,
    InvalidInput,
    MobileIDNotActive,
    MobileIDSuspended,
    NotFound,
    NotHeld,
)
from mobid.processes.holds import lift, place

if TYPE_CHECKING:
    from tests.extension.processes.conftest import LineToCA, Person, Place

    from mobid.domain.mobile_ids import MobileID

OLGA = Actor(ActorKind.OPERATOR, "olga")
INACTIVE, ACTIVE = ProfileState.INACTIVE, ProfileState.ACTIVE


@pytest.fixture
def care(place: Place) -> Care:
    """What operators can do."""
    return Care(place.units, place.settlement)


class TestByAnOperator:
    """Placed with a reason, and lifted."""

    def test_it_is_suspended_here_and_held_in_the_ca(
        self, place: Place, anne: Person, care: Care
    ) -> None:
        """With who did it, and why, in the mobile ID and in the audit log."""
        mobile_id, _ = anne.has_active()
        held = care.hold(mobile_id, by=OLGA, why=" Left it in a taxi. ")
        assert (held.state, held.holds) == (INACTIVE, place.profile(mobile_id).holds)
        assert held.holds[Hold.OPERATOR].placed_by == OLGA
        assert held.holds[Hold.OPERATOR].why == "Left it in a taxi."
        assert place.voices(mobile_id) == {("held", "held")}
        assert place.in_ca(mobile_id) == {"held"}
        assert place.audited(mobile_id)[-1] == "mobile_id.hold"

    def test_its_lift_makes_it_active_once_the_ca_has_released_all(
        self, place: Place, anne: Person, care: Care
    ) -> None:
        """Not a moment before."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        place.ca.away.add("release")
        assert care.lift(mobile_id, by=OLGA, why="Found").state is INACTIVE
        assert place.profile(mobile_id).state is INACTIVE
        place.ca.away.clear()
        place.effects.later()
        assert place.profile(mobile_id).state is ACTIVE
        assert place.in_ca(mobile_id) == {"valid"}

    @pytest.mark.parametrize("why", ["", "  ", "two\nlines", "\x1b[2J", "x" * 501])
    def test_the_reason_is_one_line(self, anne: Person, care: Care, why: str) -> None:
        """Nobody holds without one, and it cannot steer a terminal."""
        mobile_id, _ = anne.has_active()
        with pytest.raises(InvalidInput, match='Input "reason" must'):
            care.hold(mobile_id, by=OLGA, why=why)

    def test_twice_is_refused(self, anne: Person, care: Care) -> None:
        """The second reason would be lost; the error says whose the first is."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        with pytest.raises(
            AlreadyHeld,
            match=f"{mobile_id} is inactive and has the hold operator already, "
            r"placed by operator:olga on 2026-11-22 12:00 UTC\. Lift that one first\.",
        ):
            care.hold(mobile_id, by=OLGA, why="Lost again")

    def test_what_is_not_there_is_not_lifted(self, anne: Person, care: Care) -> None:
        """Of an active one, and of one that something else suspends."""
        mobile_id, _ = anne.has_active()
        with pytest.raises(
            NotHeld, match="is active and has no hold operator to lift; its holds: none"
        ):
            care.lift(mobile_id, by=OLGA)
        anne.deactivated()
        with pytest.raises(NotHeld, match=r"is inactive and has no hold operator .*: user_state"):
            care.lift(mobile_id, by=OLGA)

    def test_only_what_a_phone_has_can_be_held(
        self, place: Place, anne: Person, care: Care
    ) -> None:
        """A pending one, or one that is over, is refused with its state."""
        view = anne.gets_to_qr()
        assert view.mobile_id is not None
        with pytest.raises(
            IllegalTransition, match="is pending; hold is for an active or inactive"
        ):
            care.hold(view.mobile_id, by=OLGA, why="Lost")
        place.put(view.mobile_id, state=ProfileState.LOCKED)
        with pytest.raises(IllegalTransition, match="is locked; hold is for an active or inactive"):
            care.hold(view.mobile_id, by=OLGA, why="Lost")

    def test_one_that_has_ended_is_not_held(self, place: Place, anne: Person, care: Care) -> None:
        """Even before any sweep."""
        mobile_id, _ = anne.has_active()
        place.clock.now = place.end_of(mobile_id)
        with pytest.raises(IllegalTransition, match="is expired; hold is for"):
            care.hold(mobile_id, by=OLGA, why="Lost")
        assert care.show(mobile_id).profile.state is ProfileState.EXPIRED

    def test_a_lift_after_the_end_finds_it_expired(
        self, place: Place, anne: Person, care: Care
    ) -> None:
        """And what is left of its certificates is revoked."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        place.put(mobile_id, valid_to=place.clock())
        assert care.lift(mobile_id, by=OLGA).state is ProfileState.EXPIRED
        assert place.in_ca(mobile_id) == {"revoked"}

    def test_an_unknown_one_is_named(self, care: Care) -> None:
        """By its id."""
        with pytest.raises(NotFound, match='There is no mobile ID "m-404" here'):
            care.hold("m-404", by=OLGA, why="Lost")


class TestSeveralAtOnce:
    """Each is lifted by its own kind only, in whatever order, and only the last one releases."""

    @pytest.mark.parametrize("lifted", list(permutations(Hold)), ids="-".join)
    def test_in_every_order(self, place: Place, anne: Person, lifted: tuple[Hold, ...]) -> None:
        """Held in the CA from the first on, and until the last is gone."""
        mobile_id, _ = anne.has_active()
        for hold in Hold:
            assert self.change(place, mobile_id, hold, placing=True).state is INACTIVE
            assert place.in_ca(mobile_id) == {"held"}
        assert place.ca.says("hold") == 2
        *others, last = lifted
        for hold in others:
            assert self.change(place, mobile_id, hold, placing=False).state is INACTIVE
            assert place.voices(mobile_id) == {("held", "held")}
        self.change(place, mobile_id, last, placing=False)
        assert place.profile(mobile_id).state is ACTIVE
        assert place.in_ca(mobile_id) == {"valid"}

    @staticmethod
    def change(where: Place, mobile_id: str, hold: Hold, *, placing: bool) -> MobileID:
        """Place or lift one."""
        with where.units() as unit:
            profile = unit.mobile_ids.get(mobile_id)
            unit.users.lock(profile.user_id)
            if placing:
                changed = place(unit, profile, hold, by=OLGA, why="")
            else:
                changed = lift(unit, profile, hold, where.settlement, by=OLGA, why="")
            unit.commit()
            return changed

    def test_the_user_is_back_and_the_operator_still_holds(
        self, place: Place, anne: Person, care: Care
    ) -> None:
        """And the other way round: neither lifts what the other has placed."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        anne.deactivated()
        anne.reactivated()
        assert place.profile(mobile_id).holds.keys() == {Hold.OPERATOR}
        anne.deactivated()
        care.lift(mobile_id, by=OLGA)
        profile = place.profile(mobile_id)
        assert profile.state is INACTIVE
        assert profile.holds.keys() == {Hold.USER_STATE}
        assert place.voices(mobile_id) == {("held", "held")}
        anne.reactivated()
        assert place.profile(mobile_id).state is ACTIVE

    def test_a_new_one_while_the_last_is_being_released(
        self, place: Place, anne: Person, care: Care
    ) -> None:
        """The CA may be releasing: it is asked, and told to hold again."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        place.ca.away.add("all")
        care.lift(mobile_id, by=OLGA)
        anne.deactivated()
        place.ca.away.clear()
        place.effects.later()
        assert place.profile(mobile_id).state is INACTIVE
        assert place.voices(mobile_id) == {("held", "held")}
        assert place.in_ca(mobile_id) == {"held"}

    @pytest.mark.parametrize("suspended_twice", [False, True])
    def test_a_lock_ends_all_of_them(
        self, place: Place, anne: Person, care: Care, suspended_twice: bool
    ) -> None:
        """Revoked is for good, and nothing can be lifted any more."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        if suspended_twice:
            anne.deactivated()
        anne.deleted()
        assert place.profile(mobile_id).state is ProfileState.LOCKED
        with pytest.raises(IllegalTransition, match="is locked; lift of a hold is for an inactive"):
            care.lift(mobile_id, by=OLGA)
        assert place.in_ca(mobile_id) == {"revoked"}


class TestItsOwner:
    """What they meet meanwhile."""

    def test_cannot_get_another_one(self, anne: Person, care: Care) -> None:
        """A new mobile ID is no way out of a hold."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        with pytest.raises(MobileIDSuspended):
            anne.starts_get()
        get, lock = anne.place.runner.startable(anne.caller)
        assert get.obstacle is not None
        assert get.obstacle.code == "MOBILE_ID_SUSPENDED"
        assert lock.obstacle is not None

    def test_has_a_get_at_has_active_that_fails_at_once(
        self, place: Place, anne: Person, care: Care
    ) -> None:
        """In the transaction of the hold, not at their next click."""
        mobile_id, _ = anne.has_active()
        view = anne.starts_get()
        care.hold(mobile_id, by=OLGA, why="Lost")
        run = place.instance(view.id)
        assert (run.state, run.error) == (InstanceState.FAILED, "MOBILE_ID_SUSPENDED")
        assert anne.sees(view).error is not None

    def test_cannot_lock_it_themselves(self, anne: Person, care: Care) -> None:
        """At the start, and on a page that was open before."""
        mobile_id, _ = anne.has_active()
        view = anne.starts_lock(mobile_id)
        care.hold(mobile_id, by=OLGA, why="Lost")
        with pytest.raises(
            MobileIDNotActive, match="is inactive; only an active one can be locked"
        ):
            anne.clicks("next", view)
        anne.clicks("cancel", view)
        with pytest.raises(MobileIDNotActive):
            anne.starts_lock(mobile_id)

    def test_sees_it_on_the_phone(self, place: Place, anne: Person, care: Care) -> None:
        """Which can still remove it."""
        mobile_id, phone = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        assert place.phones.status(phone.caller) is INACTIVE
        assert place.phones.remove(phone.caller) is ProfileState.LOCKING
        assert place.profile(mobile_id).state is ProfileState.LOCKED


class TestWhatIsTold:
    """Each certificate in two voices, and nothing that is not known."""

    def test_of_a_ca_that_holds(self, place: Place, anne: Person, care: Care) -> None:
        """Step by step, as the CA confirms."""
        mobile_id, _ = anne.has_active()
        assert told(care, mobile_id) == {"Valid here; the CA builtin says valid."}
        place.ca.away.add("all")
        with capture_logs() as logs:
            care.hold(mobile_id, by=OLGA, why="Lost")
        assert logs == []
        assert told(care, mobile_id) == {
            "Suspended here; the CA builtin last said valid, and is told until it agrees."
        }
        place.ca.away.clear()
        place.effects.later()
        assert told(care, mobile_id) == {"Suspended here; the CA builtin says held."}
        assert care.show(mobile_id).user.id == anne.id


class TestACAThatCannotHold:
    """Suspended here, visibly still valid there, and the operator is warned."""

    @pytest.fixture
    def ca(self, plain_ca: LineToCA) -> LineToCA:
        """The CA of these tests."""
        return plain_ca

    def test_says_so_in_the_log_and_to_whoever_looks(
        self, place: Place, anne: Person, care: Care
    ) -> None:
        """The CA is not called, and nothing waits."""
        mobile_id, _ = anne.has_active()
        asked = len(place.ca.calls)
        with capture_logs() as logs:
            care.hold(mobile_id, by=OLGA, why="Lost")
        (warning,) = logs
        assert (warning["event"], warning["log_level"]) == (
            "suspended_here_still_valid_in_the_ca",
            "warning",
        )
        assert (warning["mobile_id"], warning["cas"]) == (mobile_id, ["builtin"])
        assert warning["serials"] == [one.serial for one in place.certificates(mobile_id)]
        assert place.voices(mobile_id) == {("held", "valid")}
        assert place.effects.wanting() == []
        assert len(place.ca.calls) == asked
        assert told(care, mobile_id) == {
            "Suspended here; still valid in the CA builtin, which cannot suspend certificates."
        }

    def test_needs_nothing_for_the_release(self, place: Place, anne: Person, care: Care) -> None:
        """It is active again in the transaction of the lift."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        with place.crash():
            assert care.lift(mobile_id, by=OLGA).state is ACTIVE

    def test_a_second_hold_keeps_it(self, place: Place, anne: Person, care: Care) -> None:
        """Here a set of holds counts as everywhere."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        anne.deactivated()
        care.lift(mobile_id, by=OLGA)
        assert place.profile(mobile_id).state is INACTIVE
        anne.reactivated()
        assert place.profile(mobile_id).state is ACTIVE

    def test_is_still_asked_every_day(self, place: Place, anne: Person, care: Care) -> None:
        """What it revokes meanwhile is noticed."""
        mobile_id, _ = anne.has_active()
        care.hold(mobile_id, by=OLGA, why="Lost")
        place.ca.revokes(place.certificates(mobile_id)[0])
        place.clock.now = place.clock().replace(day=24)
        assert place.reconciliation.overdue() == 2
        assert place.profile(mobile_id).state is ProfileState.LOCKED


class TestLatest:
    """The list of an operator."""

    def test_those_that_changed_last_come_first(self, place: Place, care: Care) -> None:
        """All, or those in a state, or with a hold."""
        ids: list[str] = []
        for _ in range(3):
            ids.insert(0, place.person().has_active()[0])
            place.clock.now = place.clock().replace(second=len(ids))
        care.hold(ids[2], by=OLGA, why="Lost")
        assert listed(care) == [ids[2], ids[0], ids[1]]
        assert listed(care, limit=1) == [ids[2]]
        assert listed(care, state=ACTIVE) == ids[:2]
        assert listed(care, hold=Hold.OPERATOR) == [ids[2]]
        assert listed(care, hold=Hold.USER_STATE) == []


def listed(care: Care, limit: int = 10, **wanted: object) -> list[str]:
    """Return the ids in the list."""
    return [one.profile.id for one in care.latest(limit, **wanted)]  # type: ignore[arg-type]  # as the test names them


def told(care: Care, mobile_id: str) -> set[str]:
    """Return what is said of its certificates."""
    return {standing_of(one) for one in care.show(mobile_id).certificates}
