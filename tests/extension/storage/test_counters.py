"""How often somebody did a thing lately is counted in fixed windows, each in its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mobid.processes.ports import Count
from mobid.storage.counters import purge_counters

if TYPE_CHECKING:
    from tests.conftest import StandingClock

    from mobid.storage import SQLUnits, Transactions

MINUTE = timedelta(minutes=1)


def count(units: SQLUnits, what: str = "claim", whose: str = "192.0.2.1") -> Count:
    """Count one of a minute, and commit."""
    with units() as unit:
        counted = unit.counters.add(what, whose, window=MINUTE)
        unit.commit()
    return counted


class TestAWindow:
    """Begins with its first event."""

    def test_ends_for_all_its_events_together(self, units: SQLUnits, clock: StandingClock) -> None:
        """Events do not make it longer; at its end the next one begins with one."""
        end = clock() + MINUTE
        assert count(units) == Count(number=1, ends_at=end)
        clock.pass_by(MINUTE - timedelta(microseconds=1))
        assert count(units) == Count(number=2, ends_at=end)
        clock.pass_by(timedelta(microseconds=1))
        assert count(units) == Count(number=1, ends_at=end + MINUTE)

    def test_belongs_to_one_thing_and_one_doer(self, units: SQLUnits) -> None:
        """What others do, or one does otherwise, is counted elsewhere."""
        assert [count(units).number for _ in range(3)] == [1, 2, 3]
        assert count(units, what="start").number == 1
        assert count(units, whose="192.0.2.2").number == 1

    def test_counts_what_is_committed(self, units: SQLUnits) -> None:
        """A unit that is rolled back counted nothing."""
        with units() as unit:
            assert unit.counters.add("claim", "192.0.2.1", window=MINUTE).number == 1
        assert count(units).number == 1

    def test_is_never_longer_for_a_clock_that_was_set_back(
        self, units: SQLUnits, clock: StandingClock
    ) -> None:
        """Its count stays, and its end comes nearer."""
        count(units)
        clock.pass_by(-timedelta(days=1))
        assert count(units) == Count(number=2, ends_at=clock() + MINUTE)


def test_windows_that_are_over_are_forgotten(
    units: SQLUnits, transactions: Transactions, clock: StandingClock
) -> None:
    """So many at a time, and none that still counts."""
    for address in ("192.0.2.1", "192.0.2.2"):
        count(units, whose=address)
    clock.pass_by(MINUTE / 2)
    count(units, whose="192.0.2.3")
    clock.pass_by(MINUTE / 2 + timedelta(seconds=1))
    for purged in (1, 1, 0):
        with transactions.writing() as connection:
            assert purge_counters(connection, before=clock(), limit=1) == purged
    assert count(units, whose="192.0.2.3").number == 2
