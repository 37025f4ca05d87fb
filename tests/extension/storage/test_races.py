"""Of many who try at once exactly one wins, on both databases, round after round."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest

from mobid.domain.instances import InstanceState, StepName
from mobid.processes.errors import StaleStep, VersionConflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StandingClock
    from tests.extension.storage.conftest import Make

    from mobid.domain.enrolments import Enrolment
    from mobid.storage import SQLUnits

T = TypeVar("T")

CONTENDERS = 16
ROUNDS = 50


def race(contender: Callable[[int], T]) -> list[T]:
    """Let sixteen threads start at the same moment, and return what each of them got."""
    start = threading.Barrier(CONTENDERS, timeout=30)

    def run(number: int) -> T:
        start.wait()
        return contender(number)

    with ThreadPoolExecutor(CONTENDERS) as threads:
        return list(threads.map(run, range(CONTENDERS), timeout=60))


@pytest.fixture
def enrolment(units: SQLUnits, make: Make, user_id: str) -> Enrolment:
    """An open code in the database."""
    profile = make.mobile_id(user_id)
    run = make.instance(user_id, mobile_id=profile.id)
    new = make.enrolment(run, profile.id)
    with units() as unit:
        unit.add(profile, run, new)
        unit.commit()
    return new


class TestACode:
    """Bound to one phone, once."""

    def test_is_bound_to_one_of_sixteen_phones(
        self, units: SQLUnits, make: Make, enrolment: Enrolment
    ) -> None:
        """In every one of fifty rounds, and the winner's phone is the one that is stored."""

        def claim(number: int) -> bool:
            with units() as unit:
                won = unit.enrolments.bind(current, make.claim(f"phone-{number}"))
                unit.commit()
            return won

        current = enrolment
        for code in range(2, ROUNDS + 2):
            won = race(claim)
            assert Counter(won) == {True: 1, False: CONTENDERS - 1}
            with units() as unit:
                bound = unit.enrolments.find(enrolment.id)
                assert bound is not None
                assert bound.claim is not None
                assert bound.claim.thumbprint == f"phone-{won.index(True)}"
                current = bound.renewed(
                    number=code,
                    token_hash=f"token {code}".encode(),
                    typed_code_hash=f"typed {code}".encode(),
                    expires_at=enrolment.code_expires_at,
                )
                unit.save(current)
                unit.commit()

    @pytest.mark.parametrize(
        "case",
        [
            (b"right", b"right", True),
            (b"right", b"wrong", False),
            (b"right", None, False),
            (None, b"right", False),
            (None, None, True),
        ],
        ids=["right", "wrong", "missing", "needless", "none"],
    )
    def test_of_a_mail_is_bound_with_its_mail_code_only(
        self,
        units: SQLUnits,
        make: Make,
        enrolment: Enrolment,
        case: tuple[bytes | None, bytes | None, bool],
    ) -> None:
        """Both are judged in the one UPDATE that binds."""
        stored, said, bound = case
        mailed = enrolment
        if stored is not None:
            ends = enrolment.code_expires_at
            mailed = enrolment.with_mail_code(number=1, mail_code_hash=stored, expires_at=ends)
        with units() as unit:
            unit.save(mailed)
            assert unit.enrolments.bind(mailed, make.claim(), mail_code_hash=said) is bound
            unit.commit()

    def test_of_a_mail_is_not_bound_once_its_mail_code_has_lapsed(
        self, units: SQLUnits, make: Make, enrolment: Enrolment, clock: StandingClock
    ) -> None:
        """Although the link lives on."""
        mailed = enrolment.with_mail_code(number=1, mail_code_hash=b"m", expires_at=clock())
        with units() as unit:
            unit.save(mailed)
            assert not unit.enrolments.bind(mailed, make.claim(), mail_code_hash=b"m")

    @pytest.mark.parametrize("why", ["lapsed", "closed", "renewed", "lost"])
    def test_is_not_bound_any_more(
        self, units: SQLUnits, make: Make, enrolment: Enrolment, clock: StandingClock, why: str
    ) -> None:
        """When its time is over, the run has ended, or there is a newer code."""
        stored = {
            "lapsed": enrolment,
            "closed": enrolment.close(),
            "renewed": replace(enrolment, code_number=2),
            "lost": enrolment,
        }[why]
        seen = replace(enrolment, id="lost") if why == "lost" else enrolment
        if why == "lapsed":
            clock.now = enrolment.code_expires_at
        with units() as unit:
            unit.save(stored)
            assert not unit.enrolments.bind(seen, make.claim())
            unit.commit()
        with units.reading() as unit:
            found = unit.enrolments.find(enrolment.id)
        assert found is not None
        assert found.claim is None


class TestAUser:
    """Who is locked is written about by one unit after the other."""

    def test_gets_one_run_from_sixteen_clicks(
        self, units: SQLUnits, make: Make, user_id: str
    ) -> None:
        """The first one starts it; all others find it running."""

        def click(_number: int) -> str:
            with units() as unit:
                unit.users.lock(user_id)
                running = unit.instances.running_get(user_id)
                if running is None:
                    running = make.instance(user_id)
                    unit.add(running)
                    unit.commit()
                return running.id

        assert len(set(race(click))) == 1
        with units.reading() as unit:
            assert len(unit.instances.running_of(user_id)) == 1


class TestAStep:
    """Taken by one, even if nobody locks the user."""

    def test_is_taken_by_one_of_sixteen(self, units: SQLUnits, make: Make, user_id: str) -> None:
        """The others are told that it is stale, at the latest when they write."""
        started = make.instance(user_id)
        with units() as unit:
            unit.add(started)
            unit.commit()

        def act(_number: int) -> bool:
            with units.reading() as unit:
                seen = unit.instances.get(started.id).step_seq
            try:
                with units() as unit:
                    instance = unit.instances.get(started.id)
                    if instance.step_seq != seen:
                        return False
                    unit.save(
                        instance.to(
                            StepName.QR, InstanceState.WAITING_DEVICE, expires_at=None, at=unit.now
                        )
                    )
                    unit.commit()
            except StaleStep:
                return False
            return True

        won = sum(race(act))
        with units.reading() as unit:
            assert unit.instances.get(started.id).step_seq == started.step_seq + won
        assert won >= 1


class TestWhatCanBeUsedOnce:
    """Nonces of phones, and the `jti` of assertions."""

    def test_is_used_by_one_of_sixteen(self, units: SQLUnits, clock: StandingClock) -> None:
        """Also if it is longer than an index can hold, or no proper text at all."""
        for what in ("nonce", "x" * 100_000, "\x00\ud800"):

            def use(_number: int, what: str = what) -> bool:
                with units() as unit:
                    first = unit.used.first_use(what, until=clock())
                    unit.commit()
                return first

            assert sum(race(use)) == 1


class TestACounter:
    """What somebody does too often."""

    def test_misses_none_of_sixteen(self, units: SQLUnits) -> None:
        """Each of them gets a number of its own, also if none was counted before."""

        def count(_number: int) -> int:
            with units() as unit:
                counted = unit.counters.add("claim", "192.0.2.1", window=timedelta(minutes=1))
                unit.commit()
            return counted.number

        for round_ in range(3):
            numbers = range(round_ * CONTENDERS + 1, (round_ + 1) * CONTENDERS + 1)
            assert sorted(race(count)) == list(numbers)


class TestScripts:
    """Versions and their activation."""

    def test_of_sixteen_authors_get_sixteen_numbers(self, units: SQLUnits) -> None:
        """From 1 on, without a gap."""

        def upload(number: int) -> int:
            with units() as unit:
                stored = unit.scripts.add(
                    "script", source=f"# {number}", sha256="", author="anne", comment=""
                )
                unit.commit()
            return stored.version

        assert sorted(race(upload)) == list(range(1, CONTENDERS + 1))

    @pytest.mark.parametrize("expected", [0, 1])
    def test_are_activated_by_one_of_sixteen(self, units: SQLUnits, expected: int) -> None:
        """Compare and set: whether another one is active yet or not, the others are told."""
        with units() as unit:
            for number in range(CONTENDERS + 2):
                unit.scripts.add("s", source=f"# {number}", sha256="", author="anne", comment="")
            if expected:
                unit.scripts.activate("s", 1, expected=0, by="anne")
            unit.commit()

        def activate(number: int) -> int | None:
            try:
                with units() as unit:
                    unit.scripts.activate("s", number + 2, expected=expected, by="olga")
                    unit.commit()
            except VersionConflict:
                return None
            return number + 2

        winners = [version for version in race(activate) if version is not None]
        with units.reading() as unit:
            active = unit.scripts.active("s")
        assert active is not None
        assert winners == [active.version]
