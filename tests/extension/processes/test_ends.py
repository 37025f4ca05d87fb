"""What ends without the CA's help: a certificate at its end, and a CA that an operator declares gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mobile_ids import ProfileState
from mobid.jobs import Periodic
from mobid.jobs.periodic import Clocks, Ticker
from mobid.processes.authority import Unavailable
from mobid.processes.ca_gone import LostAuthorities
from mobid.processes.care import Care, standing_of
from mobid.processes.errors import CAStillAnswers, MobileIDNotActive, NotFound
from mobid.storage.tables import certificates

if TYPE_CHECKING:
    from tests.extension.processes.conftest import LineToCA, Person, Place

OLGA = Actor(ActorKind.OPERATOR, "olga")
CA = "builtin"


@pytest.fixture
def lost(place: Place) -> LostAuthorities:
    """What an operator says of CAs."""
    return LostAuthorities(place.units, {CA: place.ca}, place.settlement)


def locks(person: Person, mobile_id: str) -> str:
    """Lock one's own, and return the run."""
    return person.clicks("next", person.starts_lock(mobile_id)).id


class TestAtTheEndOfACertificate:
    """The clock says so, whatever its CA says, and whether it says anything."""

    def test_locking_ends_although_the_ca_is_away(self, place: Place, anne: Person) -> None:
        """Nobody can use it any more; not a moment before."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        run = locks(anne, mobile_id)
        end = place.end_of(mobile_id)
        place.clock.now = end - timedelta(seconds=1)
        place.effects.later()
        assert place.profile(mobile_id).state is ProfileState.LOCKING
        place.clock.now = end
        place.effects.later()
        assert place.profile(mobile_id).state is ProfileState.LOCKED
        assert place.voices(mobile_id) == {("revoked", "expired")}
        assert place.instance(run).state is InstanceState.COMPLETED
        assert place.effects.wanting() == []

    def test_expiry_is_settled_although_the_ca_is_away(self, place: Place, anne: Person) -> None:
        """Nothing waits for it."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        place.clock.now = place.end_of(mobile_id)
        assert place.time_outs.expire_mobile_ids() == 1
        assert place.voices(mobile_id) == {("revoked", "expired")}
        assert place.effects.wanting() == []

    def test_a_ca_that_knows_no_ends_is_not_asked_in_vain(self, place: Place, anne: Person) -> None:
        """It may call a certificate valid for ever, and refuse to revoke it."""
        mobile_id, _ = anne.has_active()
        place.clock.now = place.end_of(mobile_id)
        place.ca.loses.update(place.ders(mobile_id))
        place.time_outs.expire_mobile_ids()
        assert place.voices(mobile_id) == {("revoked", "expired")}
        assert place.ca.says("revoke") == 0

    def test_what_the_ca_has_revoked_before_stays_revoked(self, place: Place, anne: Person) -> None:
        """Its own word is the stronger one."""
        mobile_id, _ = anne.has_active()
        place.ca.mute.add("revoke")
        locks(anne, mobile_id)
        place.ca.mute.clear()
        place.clock.now = place.end_of(mobile_id)
        place.effects.later()
        assert place.voices(mobile_id) == {("revoked", "revoked")}

    def test_of_a_ca_that_is_in_no_settings_any_more(self, place: Place, anne: Person) -> None:
        """Until the end it waits, with a message that says what to do."""
        mobile_id, _ = anne.has_active()
        moved = sa.update(certificates).where(certificates.c.mobile_id == mobile_id)
        with place.transactions.writing() as connection:
            connection.execute(moved.values(ca="former"))
        locks(anne, mobile_id)
        assert {type(error) for error in place.effects.errors} >= {Unavailable}
        assert 'The CA "former" is not in the settings; put it back, or declare it gone' in str(
            place.effects.errors[0]
        )
        assert place.profile(mobile_id).state is ProfileState.LOCKING
        place.clock.now = place.end_of(mobile_id)
        place.effects.later()
        assert place.profile(mobile_id).state is ProfileState.LOCKED

    def test_an_order_that_nobody_answered_is_still_looked_for(
        self, place: Place, anne: Person
    ) -> None:
        """What a CA made of it may end later than what was ordered."""
        place.ca.mute.add("issue")
        place.ca.away.add("find")
        view, _ = anne.gets_to_creating()
        anne.clicks("cancel", view)
        place.clock.pass_by(timedelta(days=800))
        place.effects.later()
        assert place.voices(view.mobile_id) == {("revoked", "requested")}
        place.ca.away.clear()
        place.effects.later()
        place.effects.later()
        assert place.in_ca(view.mobile_id) <= {"expired", "revoked"}
        assert place.effects.wanting() == []


class TestSeenAtUse:
    """No sweep has come by yet."""

    def test_everybody_sees_it_expired(self, place: Place, anne: Person) -> None:
        """Its phone, its owner, an operator; nobody can lock it, and the slot is free."""
        mobile_id, phone = anne.has_active()
        place.clock.now = place.end_of(mobile_id)
        anne.signs_in()
        assert place.phones.status(phone.caller) is ProfileState.EXPIRED
        care = Care(place.units, place.settlement)
        assert care.show(mobile_id).profile.state is ProfileState.EXPIRED
        assert [one.profile.state for one in care.latest(10)] == [ProfileState.EXPIRED]
        _, lock = place.runner.startable(anne.caller)
        assert lock.obstacle is not None
        with pytest.raises(MobileIDNotActive, match="is expired; only an active one can be locked"):
            anne.starts_lock(mobile_id)
        assert place.profile(mobile_id).state is ProfileState.ACTIVE
        assert anne.starts_get().step_name is StepName.CONFIRM
        assert place.profile(mobile_id).state is ProfileState.EXPIRED

    def test_a_suspended_one_is_no_obstacle_after_its_end(self, place: Place, anne: Person) -> None:
        """The hold is gone with what it held."""
        mobile_id, _ = anne.has_active()
        Care(place.units, place.settlement).hold(mobile_id, by=OLGA, why="Lost")
        place.clock.now = place.end_of(mobile_id)
        anne.signs_in()
        assert anne.starts_get().step_name is StepName.CONFIRM

    def test_a_page_that_was_open_before_locks_nothing(self, place: Place, anne: Person) -> None:
        """At confirm_lock and at has_active alike."""
        mobile_id, _ = anne.has_active()
        place.clock.now = place.end_of(mobile_id) - timedelta(minutes=1)
        anne.signs_in()
        lock, get = anne.starts_lock(mobile_id), anne.starts_get()
        place.clock.pass_by(timedelta(minutes=1))
        with pytest.raises(MobileIDNotActive, match="is expired"):
            anne.clicks("next", lock)
        assert anne.clicks("lock", get).step_name is StepName.CONFIRM
        assert place.profile(mobile_id).state is ProfileState.EXPIRED


class TestAClockThatJumps:
    """The sweep does not believe a clock that has left the other one by more than five minutes."""

    def test_expires_nothing_until_it_is_right_again(self, place: Place, anne: Person) -> None:
        """A mobile ID that seems to have ended goes on; at its real end it expires."""
        mobile_id, _ = anne.has_active()
        quartz = 0.0
        clocks = Clocks(wall=lambda: place.clock().timestamp(), monotonic=lambda: quartz)
        sweep = place.time_outs.expire_mobile_ids
        task = Periodic(name="expiry", every=timedelta(hours=1), run=sweep, irreversible=True)
        ticker = Ticker(task, drift=place.times.clock_drift, clocks=clocks)
        wrong = timedelta(days=3000)
        with capture_logs():
            place.clock.pass_by(wrong)
            ticker.tick()
            place.clock.pass_by(-wrong)
            ticker.tick()
        assert place.profile(mobile_id).state is ProfileState.ACTIVE
        lasts = place.end_of(mobile_id) - place.clock()
        place.clock.pass_by(lasts)
        quartz += lasts.total_seconds()
        ticker.tick()
        assert place.profile(mobile_id).state is ProfileState.EXPIRED


class TestACAThatIsGone:
    """An operator says that it will never answer again."""

    def test_locks_what_waits_and_says_what_is_not_confirmed(
        self, place: Place, anne: Person, lost: LostAuthorities
    ) -> None:
        """The CA's last word stands; the owner is not told of a revocation that nobody has seen."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        run = locks(anne, mobile_id)
        waiting = [one.id for one in place.certificates(mobile_id)]
        assert sorted(lost.waiting(CA)) == sorted(waiting)
        assert lost.declare_gone(CA, by=OLGA) == 2
        assert place.profile(mobile_id).state is ProfileState.LOCKED
        assert place.voices(mobile_id) == {("revoked", "valid")}
        words = (
            "Revoked here; not confirmed by the CA builtin, which last said valid and was declared "
            "gone on 2026-11-22 12:00 UTC."
        )
        assert {standing_of(one) for one in place.certificates(mobile_id)} == {words}
        seen = place.runner.show(anne.caller, run)
        assert seen.state is InstanceState.COMPLETED
        assert str(seen.step.text) == (
            "MobileID Änne Example is locked here. Its CA is gone: 2 revocations were not confirmed "
            "by it."
        )
        assert place.audited(CA) == ["ca.declared_gone"]
        assert place.audited(waiting[0]) == ["certificate.given_up"]
        assert place.effects.wanting() == []
        assert lost.declare_gone(CA, by=OLGA) == 0

    def test_gives_up_orders_in_flight_as_well(
        self, place: Place, anne: Person, lost: LostAuthorities
    ) -> None:
        """A Get that failed meanwhile leaves nothing behind that waits."""
        place.ca.away.add("all")
        view, _ = anne.gets_to_creating()
        anne.clicks("cancel", view)
        assert lost.declare_gone(CA, by=OLGA) == 2
        assert place.effects.wanting() == []
        assert place.profile(view.mobile_id).state is ProfileState.CANCELLED

    def test_is_not_gone_while_it_answers(
        self, place: Place, anne: Person, lost: LostAuthorities
    ) -> None:
        """Then it is told until it confirms."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("revoke")
        locks(anne, mobile_id)
        with pytest.raises(CAStillAnswers, match='The CA "builtin" answers, so it is not gone'):
            lost.declare_gone(CA, by=OLGA)
        assert place.profile(mobile_id).state is ProfileState.LOCKING

    def test_must_have_been_there(self, lost: LostAuthorities) -> None:
        """A misspelt name is no CA."""
        with pytest.raises(NotFound, match='no CA with revocations to confirm "buildin"'):
            lost.declare_gone("buildin", by=OLGA)

    def test_that_comes_back_is_told_after_all(
        self, place: Place, anne: Person, lost: LostAuthorities
    ) -> None:
        """Reconciliation asks it, finds the certificates valid, and has them revoked."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        locks(anne, mobile_id)
        lost.declare_gone(CA, by=OLGA)
        place.ca.away.clear()
        place.clock.pass_by(timedelta(days=2))
        assert place.reconciliation.overdue() == 2
        assert place.in_ca(mobile_id) == {"revoked"}
        assert place.voices(mobile_id) == {("revoked", "revoked")}
        assert not any(one.given_up_at for one in place.certificates(mobile_id))
        assert place.profile(mobile_id).state is ProfileState.LOCKED

    def test_what_is_locked_later_waits_again(
        self, place: Place, anne: Person, lost: LostAuthorities
    ) -> None:
        """Each time an operator decides."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        assert lost.declare_gone(CA, by=OLGA) == 0
        locks(anne, mobile_id)
        assert place.profile(mobile_id).state is ProfileState.LOCKING
        assert lost.declare_gone(CA, by=OLGA) == 2


class TestACAThatCannotHoldAndIsGone:
    """Both at once."""

    @pytest.fixture
    def ca(self, plain_ca: LineToCA) -> LineToCA:
        """The CA of these tests."""
        return plain_ca

    def test_a_suspended_one_can_be_locked(
        self, place: Place, anne: Person, lost: LostAuthorities
    ) -> None:
        """As any other."""
        mobile_id, _ = anne.has_active()
        anne.deactivated()
        place.ca.away.add("all")
        anne.deleted()
        assert lost.declare_gone(CA, by=OLGA) == 2
        assert place.profile(mobile_id).state is ProfileState.LOCKED
