"""How often one may do a thing: counted for who does it, before it is tried."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mobid.config import Limits
from mobid.processes.errors import RefusedByScript, TooMany
from mobid.processes.limits import Attempts, mails, network_of

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Place

STARTS = Limits().starts_per_hour
CLAIMS = Limits().claims_per_minute


def start_and_cancel(person: Person) -> None:
    """Start a Get, and let it be."""
    person.clicks("cancel", person.starts_get())


class TestStarts:
    """Of *Get mobile ID*, by one user."""

    def test_ten_in_an_hour_are_enough(self, place: Place, anne: Person) -> None:
        """The next one is refused until the hour is over that began with the first."""
        for _ in range(STARTS):
            start_and_cancel(anne)
        with pytest.raises(TooMany, match="Try again in 3600 seconds"):
            anne.starts_get()
        place.clock.pass_by(timedelta(hours=1))
        anne.signs_in()
        start_and_cancel(anne)

    def test_what_the_script_refuses_counts_as_well(self, place: Place, anne: Person) -> None:
        """And is not run any more after that."""
        place.activate('refuse("No.")\n')
        for _ in range(STARTS):
            with pytest.raises(RefusedByScript):
                anne.starts_get()
        with pytest.raises(TooMany):
            anne.starts_get()

    def test_to_come_back_to_a_running_one_does_not(self, anne: Person) -> None:
        """A page that is opened again and again starts nothing."""
        first = anne.starts_get()
        for _ in range(STARTS + 1):
            assert anne.starts_get().id == first.id

    def test_others_are_not_held_up(self, place: Place, anne: Person) -> None:
        """A limit is one user's."""
        for _ in range(STARTS):
            start_and_cancel(anne)
        start_and_cancel(place.person())

    def test_lock_has_no_limit(self, anne: Person) -> None:
        """Nothing but the state of the mobile ID stands between a user and Lock."""
        for _ in range(STARTS):
            start_and_cancel(anne)
        mobile_id, _ = anne.has_active()
        for _ in range(2 * STARTS):
            anne.clicks("cancel", anne.starts_lock(mobile_id))


class TestClaims:
    """Of any code, from one place."""

    def test_thirty_in_a_minute_are_enough(self, place: Place) -> None:
        """The next is refused until the minute is over; other places are not held up."""
        for _ in range(CLAIMS):
            place.attempts.claim("192.0.2.1")
        with pytest.raises(TooMany, match="Try again in 60 seconds"):
            place.attempts.claim("192.0.2.1")
        place.attempts.claim("192.0.2.2")
        place.clock.pass_by(timedelta(minutes=1))
        place.attempts.claim("192.0.2.1")

    def test_a_site_cannot_hide_in_its_many_addresses(self, place: Place) -> None:
        """IPv6 gives 2^64 of them to everybody."""
        for host in range(CLAIMS):
            place.attempts.claim(f"2001:db8::{host + 1:x}")
        with pytest.raises(TooMany):
            place.attempts.claim("2001:db8::ffff:ffff:ffff:ffff")

    @pytest.mark.parametrize(
        ("address", "place"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:5678", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:DB8:0:1:2:3:4:5", "2001:db8:0:1::/64"),
            ("[2001:db8::1]:443", "2001:db8::/64"),
            ("[2001:db8::1]", "2001:db8::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("unix:", "unknown"),
            ("999.0.2.1", "unknown"),
            ("", "unknown"),
            (None, "unknown"),
        ],
    )
    def test_a_place_is_told_by_its_address(self, address: str | None, place: str) -> None:
        """However a proxy writes it; what cannot be read is one place."""
        assert network_of(address) == place


class TestMails:
    """With a link, to one user."""

    def test_count_by_the_commit_that_writes_them(self, place: Place, anne: Person) -> None:
        """What is refused or rolled back sends none, and counts none."""
        limit = mails(Limits())
        with place.units() as unit:
            limit.count(unit, anne.id)
        with place.units() as unit:
            limit.count(unit, anne.id)
            unit.commit()
        for _ in range(2):
            with place.units() as unit, pytest.raises(TooMany, match="Try again in 60 seconds"):
                limit.count(unit, anne.id)


def test_a_site_can_choose_its_limits(place: Place) -> None:
    """Each is a setting."""
    attempts = Attempts(place.units, Limits(starts_per_hour=1, claims_per_minute=2))
    attempts.start("u-1")
    with pytest.raises(TooMany):
        attempts.start("u-1")
    for _ in range(2):
        attempts.claim("192.0.2.1")
    with pytest.raises(TooMany):
        attempts.claim("192.0.2.1")
