"""The state table of the mobile ID: every event in every state, by everybody who may bring it about."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.errors import IllegalTransition, ProfileNotLockable
from mobid.domain.mobile_ids import Device, Hold, LockReason, MobileID, Placed, ProfileState

if TYPE_CHECKING:
    from collections.abc import Callable

NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
END: Final = NOON + timedelta(days=365)
PHONE: Final = Device(name="Änne's phone")
OLGA: Final = Actor(ActorKind.OPERATOR, "olga")
PLACED: Final = Placed(placed_by=OLGA, placed_at=NOON, why="Lost, perhaps.")
FINAL: Final = {
    ProfileState.LOCKED,
    ProfileState.EXPIRED,
    ProfileState.FAILED,
    ProfileState.CANCELLED,
}


def a_mobile_id(state: ProfileState, *holds: Hold) -> MobileID:
    """Return a mobile ID in some state, valid for a year."""
    return MobileID(
        id="m-1",
        user_id="u-1",
        state=state,
        profile_name="MobileID Änne",
        server_name="Mobile ID",
        user_label="anne@example.org",
        created_at=NOON,
        changed_at=NOON,
        valid_from=NOON,
        valid_to=END,
        holds=dict.fromkeys(holds, PLACED),
    )


def lock_by(kind: ActorKind) -> Callable[[MobileID], MobileID]:
    """Return the Lock of one kind of actor."""
    return lambda one: one.lock(by=Actor(kind, "x"), reason=LockReason.OTHER, at=NOON)


EVENTS: Final[dict[str, Callable[[MobileID], MobileID]]] = {
    "confirm": lambda one: one.activate(device=PHONE, at=NOON),
    "cancel": lambda one: one.cancel(at=NOON),
    "fail": lambda one: one.fail("CA_REJECTED", at=NOON),
    "hold": lambda one: one.hold(Hold.USER_STATE, by=OLGA, why="", at=NOON),
    "lift of a hold": lambda one: one.lift(Hold.USER_STATE, at=NOON),
    "resume": lambda one: one.resume(at=NOON),
    "end of locking": lambda one: one.confirm_locked(at=NOON),
    "expiry": lambda one: one.expire(at=END),
    **{f"lock by {kind}": lock_by(kind) for kind in ActorKind},
}
EVERYBODY_ELSE: Final = (ActorKind.OPERATOR, ActorKind.SCIM_CLIENT, ActorKind.DEVICE)
LEADS_TO: Final = {
    ("pending", "confirm"): "active",
    ("pending", "cancel"): "cancelled",
    ("pending", "fail"): "failed",
    ("active", "hold"): "inactive",
    ("inactive", "hold"): "inactive",
    ("inactive", "lift of a hold"): "inactive",
    ("inactive", "resume"): "active",
    ("locking", "end of locking"): "locked",
    ("active", "expiry"): "expired",
    ("inactive", "expiry"): "expired",
    ("active", "lock by user"): "locking",
    **{("pending", f"lock by {kind}"): "cancelled" for kind in EVERYBODY_ELSE},
    **{("active", f"lock by {kind}"): "locking" for kind in EVERYBODY_ELSE},
    **{("inactive", f"lock by {kind}"): "locking" for kind in EVERYBODY_ELSE},
    **{(state, "lock by ca"): "locking" for state in ("active", "inactive")},
    **{(state, "lock by system"): "locking" for state in ("active", "inactive")},
}
IS_FOR: Final = {
    "confirm": "confirm is for a pending one",
    "cancel": "cancel is for a pending one",
    "fail": "fail is for a pending one",
    "hold": "hold is for an active or inactive one",
    "lift of a hold": "lift of a hold is for an inactive one",
    "resume": "resume is for an inactive one",
    "end of locking": "end of locking is for one that is being locked",
    "expiry": "expiry is for an active or inactive one",
    "lock by user": "lock is for an active one",
    **{
        f"lock by {kind}": "lock is for a pending, active or inactive one"
        for kind in EVERYBODY_ELSE
    },
    "lock by ca": "lock is for an active or inactive one",
    "lock by system": "lock is for an active or inactive one",
}


class TestStateTable:
    """All states and all events: what is in the table happens, everything else is an error."""

    @pytest.mark.parametrize(
        ("state", "event"), list(product([state.value for state in ProfileState], EVENTS))
    )
    def test_every_event_in_every_state(self, state: str, event: str) -> None:
        """An event leads where the table says, or to an error that names the state and what is right."""
        before = a_mobile_id(ProfileState(state))
        if (state, event) in LEADS_TO:
            after = EVENTS[event](before)
            assert after.state == LEADS_TO[state, event]
            assert after.version == before.version + 1
        else:
            words = re.escape(f"Mobile ID m-1 is {state}; {IS_FOR[event]}.")
            with pytest.raises(IllegalTransition, match=f"^{words}$"):
                EVENTS[event](before)

    @pytest.mark.parametrize("state", sorted(FINAL))
    def test_nothing_leads_out_of_a_final_state(self, state: ProfileState) -> None:
        """Locked, expired, failed and cancelled are for good."""
        assert not [event for (of, event) in LEADS_TO if of == state]

    @pytest.mark.parametrize("state", list(ProfileState))
    def test_the_slot_of_a_user_is_held_by_what_may_still_be_used(
        self, state: ProfileState
    ) -> None:
        """Pending, active and inactive hold the only slot; locking does not."""
        assert a_mobile_id(state).live == (state in {"pending", "active", "inactive"})


class TestFacts:
    """What an event leaves behind in the mobile ID."""

    def test_active_has_the_phone_that_confirmed(self) -> None:
        """The phone comes with the confirmation."""
        assert a_mobile_id(ProfileState.PENDING).activate(device=PHONE, at=NOON).device == PHONE

    def test_a_confirmation_after_the_end_comes_too_late(self) -> None:
        """Nothing becomes active that has ended."""
        with pytest.raises(IllegalTransition, match="confirm came after its end, 2027-11-22 12:00"):
            a_mobile_id(ProfileState.PENDING).activate(device=PHONE, at=END)

    def test_locking_remembers_who_when_and_why(self) -> None:
        """An auditor finds all three in the mobile ID itself."""
        by = Actor(ActorKind.OPERATOR, "olga")
        locked = a_mobile_id(ProfileState.ACTIVE).lock(
            by=by, reason=LockReason.LOST_OR_STOLEN, at=NOON
        )
        assert (locked.locked_by, locked.locked_at) == (by, NOON)
        assert locked.locked_for is LockReason.LOST_OR_STOLEN

    def test_a_user_may_not_lock_what_is_suspended(self) -> None:
        """A user's own Lock is for active ones; the error class is one that callers act on."""
        with pytest.raises(ProfileNotLockable, match=r"is inactive; lock is for an active one\."):
            EVENTS["lock by user"](a_mobile_id(ProfileState.INACTIVE))

    def test_failed_remembers_the_error(self) -> None:
        """Whoever looks at a failed one sees the code."""
        failed = a_mobile_id(ProfileState.PENDING).fail("CA_REJECTED", at=NOON)
        assert failed.failure == "CA_REJECTED"

    def test_the_same_hold_twice_is_one(self) -> None:
        """Holds are a set: who placed one lifts it once, and the first reason stands."""
        held = a_mobile_id(ProfileState.ACTIVE).hold(Hold.OPERATOR, by=OLGA, why="Lost", at=NOON)
        again = held.hold(Hold.OPERATOR, by=OLGA, why="Found", at=END)
        first = Placed(placed_by=OLGA, placed_at=NOON, why="Lost")
        assert again.holds == {Hold.OPERATOR: first}
        assert again.lift(Hold.OPERATOR, at=END).holds == {}

    def test_no_resume_while_a_hold_stands(self) -> None:
        """The error names the holds to lift."""
        held = a_mobile_id(ProfileState.INACTIVE, Hold.USER_STATE, Hold.OPERATOR)
        with pytest.raises(
            IllegalTransition, match=r"needs its holds lifted first: operator, user_state\."
        ):
            held.resume(at=NOON)

    def test_no_resume_after_the_end(self) -> None:
        """An inactive one that has ended only expires."""
        with pytest.raises(IllegalTransition, match="resume came after its end"):
            a_mobile_id(ProfileState.INACTIVE).resume(at=END)

    @pytest.mark.parametrize("state", [ProfileState.ACTIVE, ProfileState.INACTIVE])
    def test_expiry_is_due_at_the_end_and_not_before(self, state: ProfileState) -> None:
        """The last microsecond still belongs to the mobile ID."""
        one = a_mobile_id(state)
        just_before = END - timedelta(microseconds=1)
        assert not one.can_expire(just_before)
        with pytest.raises(IllegalTransition, match=r"expiry is not due yet\."):
            one.expire(at=just_before)
        assert one.can_expire(END)

    @pytest.mark.parametrize("state", list(ProfileState))
    def test_whoever_looks_after_the_end_sees_it_expired(self, state: ProfileState) -> None:
        """Nobody waits for a sweep; what has ended otherwise stays as it ended."""
        one = a_mobile_id(state)
        assert one.as_of(END - timedelta(microseconds=1)) is one
        live = state in {ProfileState.ACTIVE, ProfileState.INACTIVE}
        assert one.as_of(END).state is (ProfileState.EXPIRED if live else state)

    @pytest.mark.parametrize("state", list(ProfileState))
    def test_usable_is_what_is_active_and_has_not_ended(self, state: ProfileState) -> None:
        """To the microsecond."""
        one = a_mobile_id(state)
        assert one.usable(END - timedelta(microseconds=1)) == (state is ProfileState.ACTIVE)
        assert not one.usable(END)


SETS_OF_HOLDS: Final = [
    frozenset(holds) for size in range(len(Hold) + 1) for holds in combinations(Hold, size)
]


class TestHolds:
    """Every state, with every set of holds, and every kind that is placed or lifted."""

    @pytest.mark.parametrize("state", list(ProfileState))
    @pytest.mark.parametrize("there", SETS_OF_HOLDS, ids=lambda holds: "+".join(sorted(holds)))
    @pytest.mark.parametrize("hold", list(Hold))
    def test_one_is_placed_or_lifted_and_the_others_stay(
        self, state: ProfileState, there: frozenset[Hold], hold: Hold
    ) -> None:
        """It is inactive by any, and no hold takes another one along."""
        one = a_mobile_id(state, *there)
        if state in {ProfileState.ACTIVE, ProfileState.INACTIVE}:
            held = one.hold(hold, by=OLGA, why="", at=NOON)
            assert (held.state, frozenset(held.holds)) == (ProfileState.INACTIVE, there | {hold})
        else:
            with pytest.raises(IllegalTransition, match=f"is {state}; hold is for an active or"):
                one.hold(hold, by=OLGA, why="", at=NOON)
        if state is ProfileState.INACTIVE:
            lifted = one.lift(hold, at=NOON)
            assert (lifted.state, frozenset(lifted.holds)) == (state, there - {hold})
        else:
            with pytest.raises(IllegalTransition, match=f"is {state}; lift of a hold is for"):
                one.lift(hold, at=NOON)

    @pytest.mark.parametrize("there", SETS_OF_HOLDS, ids=lambda holds: "+".join(sorted(holds)))
    def test_it_resumes_without_any_and_with_none_of_them(self, there: frozenset[Hold]) -> None:
        """One hold is as good as three."""
        one = a_mobile_id(ProfileState.INACTIVE, *there)
        if there:
            with pytest.raises(IllegalTransition, match="needs its holds lifted first: "):
                one.resume(at=NOON)
        else:
            assert one.resume(at=NOON).state is ProfileState.ACTIVE

    @pytest.mark.parametrize("there", SETS_OF_HOLDS, ids=lambda holds: "+".join(sorted(holds)))
    @pytest.mark.parametrize("kind", [kind for kind in ActorKind if kind is not ActorKind.USER])
    def test_none_of_them_keeps_anybody_from_locking(
        self, there: frozenset[Hold], kind: ActorKind
    ) -> None:
        """Only its own user, who may lock what is active."""
        one = a_mobile_id(ProfileState.INACTIVE, *there)
        assert lock_by(kind)(one).state is ProfileState.LOCKING


class MobileIDLife(RuleBasedStateMachine):
    """Any events in any order, at any time, with a memory of what has really happened."""

    def __init__(self) -> None:
        super().__init__()
        self.one = a_mobile_id(ProfileState.PENDING)
        self.now = NOON
        self.holds: set[Hold] = set()
        self.phone_confirmed = False
        self.ended: ProfileState | None = None

    def try_to(self, event: Callable[[], MobileID]) -> bool:
        """Bring an event about, if the state table knows it; a refusal changes nothing."""
        before = self.one
        try:
            after = event()
        except IllegalTransition:
            assert self.one is before
            return False
        assert after.version == before.version + 1
        assert after.changed_at == self.now
        self.one = after
        if after.state in FINAL:
            self.ended = after.state
        return True

    @rule(days=st.integers(1, 400))
    def time_goes_by(self, days: int) -> None:
        """Some of these pass the end of the mobile ID."""
        self.now += timedelta(days=days)

    @rule()
    def the_phone_confirms(self) -> None:
        """Only a pending one becomes active by this."""
        if self.try_to(lambda: self.one.activate(device=PHONE, at=self.now)):
            self.phone_confirmed = True

    @rule(hold=st.sampled_from(Hold))
    def a_hold_is_placed(self, hold: Hold) -> None:
        """Any reason, any number of times."""
        if self.try_to(lambda: self.one.hold(hold, by=OLGA, why="", at=self.now)):
            self.holds.add(hold)

    @rule(hold=st.sampled_from(Hold))
    def a_hold_is_lifted(self, hold: Hold) -> None:
        """Any reason, one that was never placed, too."""
        if self.try_to(lambda: self.one.lift(hold, at=self.now)):
            self.holds.discard(hold)

    @rule()
    def it_is_resumed(self) -> None:
        """Whether it may be or not."""
        self.try_to(lambda: self.one.resume(at=self.now))

    @rule(kind=st.sampled_from(ActorKind), reason=st.sampled_from(LockReason))
    def it_is_locked(self, kind: ActorKind, reason: LockReason) -> None:
        """By anybody."""
        self.try_to(lambda: self.one.lock(by=Actor(kind, "x"), reason=reason, at=self.now))

    @rule()
    def the_ca_has_confirmed(self) -> None:
        """The end of locking."""
        self.try_to(lambda: self.one.confirm_locked(at=self.now))

    @rule()
    def it_is_cancelled(self) -> None:
        """By its user."""
        self.try_to(lambda: self.one.cancel(at=self.now))

    @rule()
    def it_fails(self) -> None:
        """For whatever reason."""
        self.try_to(lambda: self.one.fail("CA_REJECTED", at=self.now))

    @rule()
    def it_expires(self) -> None:
        """If its end is reached."""
        self.try_to(lambda: self.one.expire(at=self.now))

    @precondition(lambda self: self.ended is not None)
    @invariant()
    def what_ended_stays_as_it_ended(self) -> None:
        """Locked, expired, failed and cancelled are final."""
        assert self.one.state is self.ended

    @invariant()
    def nothing_is_active_without_its_phone(self) -> None:
        """Active, and whatever follows it, needs a phone that has confirmed."""
        if self.one.state not in {
            ProfileState.PENDING,
            ProfileState.FAILED,
            ProfileState.CANCELLED,
        }:
            assert self.phone_confirmed
            assert self.one.device == PHONE

    @invariant()
    def holds_are_a_set(self) -> None:
        """It has those that were placed and not lifted, and with any it is not active."""
        assert self.one.holds.keys() == self.holds
        assert not (self.one.state is ProfileState.ACTIVE and self.one.holds)


TestLife = MobileIDLife.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
