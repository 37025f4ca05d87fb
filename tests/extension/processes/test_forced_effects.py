"""Others come between, forced, while the CA, the mail server or a script is at work for somebody.

What is at work here is held before each of its transactions and before each call of the CA, one
after the other, and something else happens whole. A hold at a place that is not reached fails.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.errors import IllegalTransition
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.processes.care import Care
from mobid.processes.enrolment import Claimed
from mobid.processes.errors import (
    BadMailCode,
    CodeNotUsable,
    ProcessRunning,
)
from mobid.processes.locking import lock_profile
from mobid.processes.not_yet import NotYet
from mobid.processes.ordering import is_unopened, order
from mobid.processes.views import InstanceView

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sqlalchemy import Engine
    from tests.conftest import Database, Held, Turns
    from tests.extension.processes.conftest import Person, Phone, Place

    End: TypeAlias = Callable[[Place, Person, InstanceView], object]

IDM: Final = Actor(ActorKind.SCIM_CLIENT, "idm")
OLGA: Final = Actor(ActorKind.OPERATOR, "olga")
TICK: Final = timedelta(seconds=1)
CA_TIME: Final = timedelta(minutes=16)
CONFIRM_TIME: Final = timedelta(minutes=61)
SETTLED_AFTER: Final = timedelta(minutes=3)
"""Longer than an order without an answer may be on its way."""
CALLED: Final = frozenset({"issue", "revoke", "hold", "release"})

INTENT, CALL, STORE, SETTLE = 1, 2, 3, 4
"""Where the work on an order can be held: before T2, the call of the CA, T3, and T4."""
ORDER_TURNS: Final = (INTENT, CALL, STORE, SETTLE)


@pytest.fixture
def turns(place: Place, database: Database, turns_on: Callable[[Engine], Turns]) -> Turns:
    """The turns of this database, and of the calls of its CA that change something."""
    found = turns_on(database.engine)

    def before(verb: str) -> None:
        if verb in CALLED:
            found.turn()

    place.ca.before = before
    return found


def attempt(act: Callable[[], object]) -> object:
    """Return what somebody was answered, or what they were refused with."""
    try:
        return act()
    except Exception as refusal:  # noqa: BLE001  # whatever it is, the test says what it must be
        return refusal


def overtaken(
    place: Place,
    turns: Turns,
    late: Callable[[], object],
    meanwhile: Callable[[], object],
    *,
    turn: int = 1,
) -> Held:
    """Let somebody come to a turn, let something else happen whole, and let them go on."""
    with turns.held(partial(attempt, late), turn=turn) as held:
        assert held.came, f"It has ended before its turn {turn}: {held.outcome!r}"
        place.clock.pass_by(TICK)
        meanwhile()
        place.clock.pass_by(TICK)
    return held


def all_is_done(place: Place) -> None:
    """Let the CA do all that is wanted of it."""
    place.clock.pass_by(SETTLED_AFTER)
    for _ in range(3):
        place.effects.later()
    assert place.effects.wanting() == []


def words(place: Place, mobile_id: str | None) -> Counter[str]:
    """Return what the CA has said of each certificate, which its own record confirms."""
    found = place.certificates(mobile_id)
    said = Counter(one.ca_state.value for one in found)
    own = Counter(place.ca.ca.status(one.der).value for one in found if one.der is not None)
    assert said - Counter(absent=said["absent"]) == own
    return said


# --- while certificates are made ------------------------------------------------------------------------


def is_deactivated(_: Place, person: Person, __: InstanceView) -> None:
    """The user is deactivated."""
    person.deactivated()


def is_deleted(_: Place, person: Person, __: InstanceView) -> None:
    """The user is deleted."""
    person.deleted()


def cancels(_: Place, person: Person, view: InstanceView) -> None:
    """The user cancels."""
    person.clicks("cancel", person.sees(view))


def client_locks(place: Place, person: Person, view: InstanceView) -> None:
    """A SCIM client deletes the mobile ID."""
    assert view.mobile_id is not None
    with place.units() as unit:
        unit.users.lock(person.id)
        profile = unit.mobile_ids.get(view.mobile_id)
        lock_profile(unit, profile, by=IDM, reason=LockReason.REMOVED)
        unit.commit()


def time_is_over(place: Place, _: Person, __: InstanceView) -> None:
    """The CA has taken too long, and the sweep comes by."""
    place.clock.pass_by(CA_TIME)
    place.time_outs.end_instances()


ENDS: Final[dict[End, tuple[ProfileState, InstanceState]]] = {
    is_deactivated: (ProfileState.FAILED, InstanceState.FAILED),
    is_deleted: (ProfileState.FAILED, InstanceState.FAILED),
    cancels: (ProfileState.CANCELLED, InstanceState.CANCELLED),
    client_locks: (ProfileState.CANCELLED, InstanceState.CANCELLED),
    time_is_over: (ProfileState.FAILED, InstanceState.FAILED),
}


def approved(place: Place, *, first_is_there: bool) -> tuple[Person, InstanceView, str, Phone]:
    """Return a Get after T1, with the order that is looked at; perhaps the other one is done."""
    person = place.person()
    view, phone = person.gets_to_approve()
    with place.crash():
        view = person.clicks("next", view, number=str(phone.claimed.number))
    first, second = (one.id for one in place.certificates(view.mobile_id))
    if first_is_there:
        place.work(first)
    return person, view, second if first_is_there else first, phone


@pytest.mark.parametrize("first_is_there", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
class TestAGetThatEndsWhileTheCAIsAtWork:
    """At each place of an order: nothing stays valid anywhere, and nothing is unknown to us."""

    def test_leaves_no_valid_certificate(
        self, place: Place, turns: Turns, end: End, *, first_is_there: bool
    ) -> None:
        """What the CA was not asked for is absent; what it made is revoked, and it was asked once."""
        for turn in ORDER_TURNS:
            place.ca.calls.clear()
            person, view, certificate_id, phone = approved(place, first_is_there=first_is_there)
            late = overtaken(
                place,
                turns,
                partial(place.work, certificate_id),
                partial(end, place, person, view),
                turn=turn,
            )
            assert isinstance(late.outcome, NotYet) == (turn == INTENT), late
            all_is_done(place)
            run = place.instance(view.id)
            assert (place.profile(view.mobile_id).state, run.state) == ENDS[end]
            made = first_is_there + (turn != INTENT)
            expected = Counter(revoked=made, absent=2 - made)
            assert words(place, view.mobile_id) == +expected
            assert place.ca.says("issue") == made
            with pytest.raises(CodeNotUsable):
                phone.fetches()


class TestTwoWorkers:
    """Two at the same row, as after an attempt that was taken for lost."""

    @pytest.mark.parametrize("turn", ORDER_TURNS)
    def test_make_one_certificate(self, place: Place, turns: Turns, turn: int) -> None:
        """The CA is asked twice only if neither could know of the other; it has one for an order."""
        _, view, certificate_id, phone = approved(place, first_is_there=True)
        late = overtaken(
            place,
            turns,
            partial(place.work, certificate_id),
            partial(place.work, certificate_id),
            turn=turn,
        )
        assert isinstance(late.outcome, NotYet) == (turn == INTENT)
        all_is_done(place)
        assert words(place, view.mobile_id) == Counter(valid=2)
        assert place.ca.says("issue") == (3 if turn == CALL else 2)
        assert place.audited(view.id).count("get.issued") == 1
        assert phone.confirms() is ProfileState.ACTIVE

    def test_offer_it_to_the_phone_once(self, place: Place, turns: Turns) -> None:
        """T4 belongs to the last certificate and to the run, whoever is faster."""
        _, view, certificate_id, _ = approved(place, first_is_there=True)
        overtaken(
            place,
            turns,
            partial(place.work, certificate_id),
            partial(place.effects.attempt, "instance", view.id),
            turn=SETTLE,
        )
        assert place.audited(view.id).count("get.issued") == 1
        assert place.instance(view.id).state is InstanceState.WAITING_DEVICE

    @pytest.mark.parametrize("turn", [1, 2])
    def test_revoke_once(self, place: Place, turns: Turns, turn: int) -> None:
        """Held before the CA is told, or before its word is stored: what is stored once stays."""
        person = place.person()
        mobile_id, _ = person.has_active()
        view = person.starts_lock(mobile_id)
        with place.crash():
            person.clicks("next", view)
        first, second = (one.id for one in place.certificates(mobile_id))
        place.work(first)
        work = partial(place.work, second)
        assert overtaken(place, turns, work, work, turn=turn).outcome is None
        assert words(place, mobile_id) == Counter(revoked=2)
        assert place.audited(second) == ["certificate.heard"]
        assert place.audited(mobile_id).count("mobile_id.locked") == 1
        assert person.sees(view).state is InstanceState.COMPLETED

    def test_send_a_mail_twice_only_under_the_same_id(self, place: Place, turns: Turns) -> None:
        """A mail server cannot be asked what it has taken: this is where twice is possible."""
        for turn in (1, 2):
            person = place.person()
            with place.crash():
                person.gets_to_mail()
            (mail_id,) = (row for kind, row in place.effects.wanting() if kind == "mail")
            place.post.letters.clear()
            place.post.meanwhile = turns.turn
            work = partial(place.mail_work, mail_id)
            assert overtaken(place, turns, work, work, turn=turn).outcome is None
            assert [letter.id for letter in place.post.letters] == [mail_id] * 2
            assert place.audited(mail_id) == ["mail.sent"]

    def test_sweep_each_once(self, place: Place, turns: Turns) -> None:
        """What one sweep has ended while the other looked is nothing to that one."""
        person = place.person()
        mobile_id, _ = person.has_active()
        view = person.starts_get()
        place.clock.now = place.end_of(mobile_id)
        for sweep in (place.time_outs.end_instances, place.time_outs.expire_mobile_ids):
            ended: list[int] = []
            late = overtaken(place, turns, sweep, lambda: ended.append(sweep()))  # noqa: B023  # at once
            assert (ended, late.outcome) == ([1], 0)
        assert place.audited(view.id) == ["get.start", "get.expired"]
        assert place.audited(mobile_id) == ["mobile_id.expire"]


class TestTheEndOfTheTime:
    """A sweep whose clock is ahead, and those who act by another clock."""

    @pytest.mark.parametrize("first", ["phone", "sweep"])
    def test_decides_between_a_phone_and_a_sweep(
        self, place: Place, turns: Turns, first: str
    ) -> None:
        """Confirmed, it is active and the sweep has come too late; or it has failed, and all is revoked."""
        person = place.person()
        view, phone = person.gets_to_creating()
        before = place.clock.now

        def sweep() -> object:
            place.clock.now = before + CONFIRM_TIME
            return place.time_outs.end_instances()

        def confirm() -> object:
            place.clock.now = before
            return phone.confirms()

        acts = (sweep, confirm) if first == "phone" else (confirm, sweep)
        late = overtaken(place, turns, *acts)
        all_is_done(place)
        state = place.profile(view.mobile_id).state
        if first == "phone":
            assert (late.outcome, state) == (0, ProfileState.ACTIVE)
            assert words(place, view.mobile_id) == Counter(valid=2)
        else:
            assert isinstance(late.outcome, CodeNotUsable)
            assert state is ProfileState.FAILED
            assert words(place, view.mobile_id) == Counter(revoked=2)


# --- holds ---------------------------------------------------------------------------------------------


class TestAHoldOnItsWay:
    """Held before the CA is told, and before its word is stored, while we come to want something else."""

    @pytest.mark.parametrize("turn", [1, 2])
    @pytest.mark.parametrize(
        "case",
        [
            ("hold", "lift", ProfileState.ACTIVE, "valid"),
            ("lift", "hold", ProfileState.INACTIVE, "held"),
            ("hold", "lock", ProfileState.LOCKED, "revoked"),
            ("lift", "lock", ProfileState.LOCKED, "revoked"),
        ],
        ids=["hold-lift", "lift-hold", "hold-lock", "lift-lock"],
    )
    def test_does_not_outlive_what_we_want(
        self, place: Place, turns: Turns, turn: int, case: tuple[str, str, ProfileState, str]
    ) -> None:
        """The CA's own record agrees with what is wanted last, although an older word reached it later."""
        begun, meanwhile, state, word = case
        person = place.person()
        mobile_id, phone = person.has_active()
        care = Care(place.units, place.settlement)
        does: dict[str, Callable[[], object]] = {
            "hold": lambda: care.hold(mobile_id, by=OLGA, why="To be looked at."),
            "lift": lambda: care.lift(mobile_id, by=OLGA),
            "lock": lambda: place.phones.remove(phone.caller),
        }
        if begun == "lift":
            does["hold"]()
        with place.crash():
            does[begun]()
        certificate_id = place.certificates(mobile_id)[0].id
        overtaken(place, turns, partial(place.work, certificate_id), does[meanwhile], turn=turn)
        all_is_done(place)
        assert place.profile(mobile_id).state is state
        assert words(place, mobile_id) == Counter({word: 2})

    @pytest.mark.parametrize("first", ["lift", "lock"])
    def test_that_is_released_while_it_is_locked(
        self, place: Place, turns: Turns, first: str
    ) -> None:
        """Locked it is in both orders; who lifts what is locked is told so."""
        mobile_id, phone = place.person().has_active()
        care = Care(place.units, place.settlement)
        care.hold(mobile_id, by=OLGA, why="To be looked at.")
        lift, lock = (
            partial(care.lift, mobile_id, by=OLGA),
            partial(place.phones.remove, phone.caller),
        )
        late = overtaken(place, turns, *((lock, lift) if first == "lift" else (lift, lock)))
        assert isinstance(late.outcome, IllegalTransition) == (first == "lock"), late
        all_is_done(place)
        assert place.profile(mobile_id).state is ProfileState.LOCKED
        assert words(place, mobile_id) == Counter(revoked=2)


# --- codes by mail ----------------------------------------------------------------------------------------


class TestACodeByMail:
    """A phone claims with the mail code of the page while that code or the mail is renewed."""

    COUNTED, BOUND = 1, 2
    """A claim counts the try in one transaction, and binds in the next."""

    @pytest.fixture
    def view(self, place: Place, anne: Person) -> InstanceView:
        """A page with a mail code, old enough for another mail."""
        view = anne.gets_to_mail()
        place.clock.pass_by(timedelta(minutes=2))
        return view

    def claim(self, place: Place, phone: Phone, view: InstanceView) -> Callable[[], object]:
        """Return the claim of what is out now."""
        letter = place.post.last("qr_code")
        return partial(phone.opens, letter, view.step.data["mail_code"])

    @pytest.mark.parametrize("turn", [COUNTED, BOUND])
    def test_is_dead_once_it_is_renewed(
        self, place: Place, turns: Turns, anne: Person, view: InstanceView, turn: int
    ) -> None:
        """The old mail code does not bind; the link lives, and the new code has its own tries."""
        phone = anne.phone()
        renew = partial(anne.clicks, "renew", view, what="code")
        late = overtaken(place, turns, self.claim(place, phone, view), renew, turn=turn)
        assert isinstance(late.outcome, BadMailCode)
        new = anne.sees(view)
        assert new.step.data["tries_left"] == late.outcome.tries_left
        assert new.step.data["tries_left"] == (4 if turn == self.COUNTED else 5)
        assert isinstance(self.claim(place, phone, new)(), Claimed)

    @pytest.mark.parametrize("turn", [COUNTED, BOUND])
    def test_is_dead_once_another_mail_went_out(
        self, place: Place, turns: Turns, anne: Person, view: InstanceView, turn: int
    ) -> None:
        """The old link binds nobody, whatever mail code comes with it."""
        phone = anne.phone()
        claim = self.claim(place, phone, view)
        renew = partial(anne.clicks, "renew", view, what="mail")
        assert isinstance(overtaken(place, turns, claim, renew, turn=turn).outcome, CodeNotUsable)
        assert place.enrolment(view.id).claim is None
        assert isinstance(self.claim(place, phone, anne.sees(view))(), Claimed)

    @pytest.mark.parametrize(("what", "stays"), [("code", True), ("mail", False)])
    def test_of_a_phone_that_was_faster(
        self,
        place: Place,
        turns: Turns,
        anne: Person,
        view: InstanceView,
        what: str,
        *,
        stays: bool,
    ) -> None:
        """Another mail code is nothing to a phone that has claimed with both; another mail lets it go."""
        phone = anne.phone()
        claim = self.claim(place, phone, view)
        renew = partial(anne.clicks, "renew", view, what=what)
        late = overtaken(place, turns, renew, claim)
        assert isinstance(late.outcome, InstanceView)
        assert (place.enrolment(view.id).claim is not None) == stays


# --- starts and scripts -----------------------------------------------------------------------------------

COUNTED, WRITTEN = 1, 2
"""A start is counted in one transaction, then the script runs, and the run is written in the next."""


class TestAStart:
    """Somebody else starts, orders or changes the script while a start decides."""

    @pytest.mark.parametrize("turn", [COUNTED, WRITTEN])
    def test_in_two_windows_is_one(
        self, place: Place, turns: Turns, anne: Person, turn: int
    ) -> None:
        """The later window gets the run of the earlier one."""
        started: list[InstanceView] = []
        late = overtaken(
            place, turns, anne.starts_get, lambda: started.append(anne.starts_get()), turn=turn
        )
        assert isinstance(late.outcome, InstanceView)
        assert late.outcome.id == started[0].id
        assert place.audited(late.outcome.id) == ["get.start"]

    @staticmethod
    def orders(place: Place, person: Person) -> str:
        """Let a client order a mobile ID; return its id."""
        with place.units() as unit:
            user = unit.users.lock(person.id)
            profile = order(unit, user, by=IDM, lapses_after=timedelta(days=14))
            unit.commit()
        return profile.id

    @pytest.mark.parametrize("turn", [COUNTED, WRITTEN])
    def test_opens_what_was_ordered_meanwhile(
        self, place: Place, turns: Turns, anne: Person, turn: int
    ) -> None:
        """There is one run and one mobile ID, and the page shows what the user will get."""
        late = overtaken(
            place, turns, anne.starts_get, partial(self.orders, place, anne), turn=turn
        )
        assert isinstance(late.outcome, InstanceView)
        assert late.outcome.step.actions == ("next", "cancel")
        run = place.instance(late.outcome.id)
        assert run.mobile_id is not None
        assert not is_unopened(run)
        assert place.audited(run.id) == ["get.open"]

    def test_is_in_the_way_of_an_order(self, place: Place, turns: Turns, anne: Person) -> None:
        """The client is told that one runs; nothing was made for it."""
        late = overtaken(place, turns, partial(self.orders, place, anne), anne.starts_get)
        assert isinstance(late.outcome, ProcessRunning)
        with place.units.reading() as unit:
            assert unit.mobile_ids.of_user(anne.id) == []

    @pytest.mark.parametrize("turn", [COUNTED, WRITTEN])
    @pytest.mark.parametrize("end", [is_deactivated, is_deleted], ids=lambda end: end.__name__)
    def test_of_a_user_who_is_gone_by_then(
        self, place: Place, turns: Turns, anne: Person, turn: int, end: End
    ) -> None:
        """Nothing has begun."""
        view = anne.starts_get()
        anne.clicks("cancel", view)
        late = overtaken(place, turns, anne.starts_get, partial(end, place, anne, view), turn=turn)
        assert getattr(late.outcome, "code", "") == "USER_NOT_ACTIVE"
        with place.units.reading() as unit:
            assert unit.instances.running_of(anne.id) == []


class TestAScriptThatIsSwitched:
    """What was decided stays decided, by the version that decided it."""

    @staticmethod
    def scans(_: Person, phone: Phone, view: InstanceView) -> None:
        """The phone claims the code and sends its keys."""
        phone.scans(view)
        phone.sends_keys()

    @staticmethod
    def approves(person: Person, phone: Phone, view: InstanceView) -> None:
        """The user picks the number that the phone shows."""
        person.clicks("next", view, number=str(phone.claimed.number))

    MOVES: Final = {
        StepName.CONFIRM: lambda person, _, view: person.clicks("next", view),
        StepName.QR: scans,
        StepName.APPROVE: approves,
    }

    def test_while_a_start_decides(self, place: Place, turns: Turns, anne: Person) -> None:
        """The run says which version made its options."""
        place.activate("options.validity = days(90)")
        late = overtaken(
            place,
            turns,
            anne.starts_get,
            partial(place.activate, "options.validity = days(30)"),
            turn=WRITTEN,
        )
        assert isinstance(late.outcome, InstanceView)
        run = place.instance(late.outcome.id)
        assert run.script is not None
        assert run.script.version == 1
        mobile_id, _ = anne.finishes(late.outcome)
        assert place.end_of(mobile_id) == self.days_later(place, mobile_id, 90)

    @pytest.mark.parametrize("at", [StepName.CONFIRM, StepName.QR, StepName.APPROVE])
    @pytest.mark.parametrize("back", [False, True], ids=["forward", "rollback"])
    def test_at_any_step(
        self, place: Place, turns: Turns, anne: Person, at: StepName, *, back: bool
    ) -> None:
        """Even between a click and its transaction; going back to an older version is no different."""
        place.activate("options.validity = days(30)")
        place.activate("options.validity = days(90)")
        switch = partial(self.roll_back, place)
        if not back:
            switch = partial(place.activate, "options.validity = days(7)")
        view, phone = anne.starts_get(), anne.phone()
        decided = place.instance(view.id).script
        for step, move in self.MOVES.items():
            act = partial(move, anne, phone, view)
            if step is at:
                overtaken(place, turns, act, switch)
            else:
                act()
            view = anne.sees(view)
        assert phone.confirms() is ProfileState.ACTIVE
        assert place.instance(view.id).script == decided
        assert view.mobile_id is not None
        assert place.end_of(view.mobile_id) == self.days_later(place, view.mobile_id, 90)

    @staticmethod
    def roll_back(place: Place) -> None:
        """Activate the version before."""
        with place.units() as unit:
            active = unit.scripts.active("MobileIDScriptOptions")
            assert active is not None
            unit.scripts.activate(
                active.name, active.version - 1, expected=active.version, by="ada"
            )
            unit.commit()

    @staticmethod
    def days_later(place: Place, mobile_id: str, days: int) -> object:
        """Return when a mobile ID ends that is valid for so many days."""
        begin = place.profile(mobile_id).valid_from
        assert begin is not None
        return begin + timedelta(days=days)
