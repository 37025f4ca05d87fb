"""Time: what is over ends, at use and by the sweep alike, and everything made for it is taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mobid.domain.instances import InstanceState
from mobid.domain.mobile_ids import ProfileState
from mobid.processes.errors import CodeNotUsable, StaleStep

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.extension.processes.conftest import Person, Place

    from mobid.processes.views import InstanceView


@dataclass(frozen=True, slots=True)
class Limit:
    """A step, how long it may last, and how the run ends when that is over."""

    come_to: Callable[[Place, Person], InstanceView]
    lasts: timedelta
    state: InstanceState
    error: str | None


def at_creating_with_the_ca_away(place: Place, anne: Person) -> InstanceView:
    """Come as far as the CA, which does not answer."""
    place.ca.away.add("all")
    view, _ = anne.gets_to_creating()
    place.ca.away.clear()
    return view


def at_confirm_again(place: Place, anne: Person) -> InstanceView:
    """Come to *approve*, and be sent back for a change of one's address."""
    view, phone = anne.gets_to_approve()
    place.change(anne, email="anne.married@example.org")
    return anne.clicks("next", view, number=str(phone.claimed.number))


LIMITS = {
    "has_active": Limit(
        lambda _, anne: (anne.has_active(), anne.starts_get())[1],
        timedelta(minutes=30),
        InstanceState.EXPIRED,
        "ENROLMENT_EXPIRED",
    ),
    "confirm": Limit(
        lambda _, anne: anne.starts_get(),
        timedelta(minutes=30),
        InstanceState.EXPIRED,
        "ENROLMENT_EXPIRED",
    ),
    "confirm again": Limit(
        at_confirm_again, timedelta(minutes=30), InstanceState.EXPIRED, "ENROLMENT_EXPIRED"
    ),
    "qr": Limit(
        lambda _, anne: anne.gets_to_qr(),
        timedelta(minutes=10 + 30),
        InstanceState.EXPIRED,
        "ENROLMENT_EXPIRED",
    ),
    "approve": Limit(
        lambda _, anne: anne.gets_to_approve()[0],
        timedelta(minutes=10),
        InstanceState.EXPIRED,
        "ENROLMENT_EXPIRED",
    ),
    "creating, the CA": Limit(
        at_creating_with_the_ca_away,
        timedelta(minutes=15),
        InstanceState.FAILED,
        "CA_UNAVAILABLE",
    ),
    "creating, the phone": Limit(
        lambda _, anne: anne.gets_to_creating()[0],
        timedelta(minutes=60),
        InstanceState.FAILED,
        "DEVICE_NOT_CONFIRMED",
    ),
    "confirm_lock": Limit(
        lambda _, anne: anne.starts_lock(anne.has_active()[0]),
        timedelta(minutes=30),
        InstanceState.EXPIRED,
        None,
    ),
}


@pytest.fixture(params=LIMITS.values(), ids=list(LIMITS))
def limit(request: pytest.FixtureRequest) -> Limit:
    """Each step that has a time."""
    found: Limit = request.param
    return found


class TestEveryStep:
    """Each step has its time."""

    def test_ends_when_its_time_is_over_and_not_before(
        self, place: Place, anne: Person, limit: Limit
    ) -> None:
        """By the sweep, once; the run says why, and what was made for it is taken back."""
        view = limit.come_to(place, anne)
        assert view.expires_at == place.clock() + limit.lasts
        place.clock.pass_by(limit.lasts - timedelta(microseconds=1))
        assert place.time_outs.end_instances() == 0
        place.clock.pass_by(timedelta(microseconds=1))
        assert place.time_outs.end_instances() == 1
        seen = anne.sees(view)
        assert (seen.state, seen.error.code if seen.error else None) == (limit.state, limit.error)
        assert place.time_outs.end_instances() == 0
        self.nothing_is_left(place, view, limit)

    def nothing_is_left(self, place: Place, view: InstanceView, limit: Limit) -> None:
        """A pending mobile ID failed, its code is burnt, its certificates are gone; a live one stays."""
        place.effects.later()
        place.effects.later()
        if limit.error is None:
            assert place.profile(view.mobile_id).state is ProfileState.ACTIVE
        elif view.mobile_id is not None:
            profile = place.profile(view.mobile_id)
            assert (profile.state, profile.failure) == (ProfileState.FAILED, limit.error)
            assert place.enrolment(view.id).closed
            assert place.in_ca(view.mobile_id) <= {"revoked"}
        assert place.effects.wanting() == []

    def test_ends_at_use_too_and_another_run_can_be_started_at_once(
        self, place: Place, anne: Person, limit: Limit
    ) -> None:
        """Nobody waits for a sweep: a click comes too late, whoever looks sees the end, and may go on."""
        view = limit.come_to(place, anne)
        place.clock.pass_by(limit.lasts)
        with pytest.raises(StaleStep, match="has moved on to step failed"):
            anne.clicks("cancel", view)
        seen = anne.sees(view)
        assert (seen.state, seen.error.code if seen.error else None) == (limit.state, limit.error)
        assert place.time_outs.end_instances() == 0
        anne.signs_in()
        assert anne.starts_get().id != view.id

    def test_one_that_is_over_and_not_yet_swept_is_not_returned(
        self, place: Place, anne: Person
    ) -> None:
        """A new start ends it, and begins another one."""
        view = anne.gets_to_qr()
        place.clock.pass_by(timedelta(minutes=40))
        anne.signs_in()
        assert anne.starts_get().id != view.id
        assert place.profile(view.mobile_id).failure == "ENROLMENT_EXPIRED"


class TestPhone:
    """A phone that comes when the time is over."""

    def test_cannot_send_keys(self, place: Place, anne: Person) -> None:
        """The run ended forty minutes after its code was shown."""
        phone = anne.phone()
        phone.scans(anne.gets_to_qr())
        place.clock.pass_by(timedelta(minutes=40))
        with pytest.raises(CodeNotUsable):
            phone.sends_keys()

    def test_cannot_confirm(self, place: Place, anne: Person) -> None:
        """An hour after the certificates were there; nothing becomes active."""
        view, phone = anne.gets_to_creating()
        place.clock.pass_by(timedelta(minutes=60))
        with pytest.raises(CodeNotUsable):
            phone.confirms()
        assert place.profile(view.mobile_id).state is ProfileState.PENDING
        place.time_outs.end_instances()
        assert place.profile(view.mobile_id).failure == "DEVICE_NOT_CONFIRMED"
        assert place.in_ca(view.mobile_id) == {"revoked"}

    def test_gets_a_whole_hour_however_long_the_ca_took(self, place: Place, anne: Person) -> None:
        """Its time counts from the moment at which it can fetch."""
        view = at_creating_with_the_ca_away(place, anne)
        place.clock.pass_by(timedelta(minutes=14))
        place.effects.later()
        assert anne.sees(view).expires_at == place.clock() + timedelta(minutes=60)


class TestLocking:
    """What waits for the CA's word on a revocation."""

    def test_has_no_time(self, place: Place, anne: Person) -> None:
        """A revocation never gives up."""
        mobile_id, _ = anne.has_active()
        place.ca.away.add("all")
        view = anne.clicks("next", anne.starts_lock(mobile_id))
        assert view.expires_at is None
        place.clock.pass_by(timedelta(days=90))
        assert place.time_outs.end_instances() == 0
        assert anne.sees(view).state is InstanceState.WAITING_CA


class TestManyAtOnce:
    """A sweep over more than one."""

    def test_ends_all_that_are_due_and_no_other(self, place: Place) -> None:
        """Whoever came later keeps their time."""
        early = [place.person() for _ in range(3)]
        views = [person.starts_get() for person in early]
        place.clock.pass_by(timedelta(minutes=1))
        late = place.person()
        view = late.starts_get()
        place.clock.pass_by(timedelta(minutes=29))
        assert place.time_outs.end_instances() == 3
        assert {person.sees(one).state for person, one in zip(early, views, strict=True)} == {
            InstanceState.EXPIRED
        }
        assert late.sees(view).state is InstanceState.WAITING_USER
