"""Who is told that a mobile ID is about to end: when, and never twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mobid.domain.mails import MailEvent
from mobid.domain.mobile_ids import MobileID, ProfileState
from mobid.optionscripts import SHIPPED_EXPIRING
from mobid.processes.ports import Diagnostic, Evaluation, Outcome
from mobid.processes.reminders import Reminders, day_due
from mobid.processes.violations import VIOLATION

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Place

    from mobid.domain.users import User
    from mobid.optionscripts import ExpiringScripts

DAY: Final = timedelta(days=1)
NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Watched:
    """The language, and how often a script was asked about somebody."""

    def __init__(self, expiring: ExpiringScripts) -> None:
        self._expiring = expiring
        self.asked = 0

    def recall(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Count, and ask."""
        self.asked += 1
        return self._expiring.recall(source, user, at=at)

    def __getattr__(self, name: str) -> Any:
        """Return everything else as it is."""
        return getattr(self._expiring, name)


class Site:
    """A place whose sweep runs when a test says so."""

    def __init__(self, place: Place, expiring: ExpiringScripts) -> None:
        self.place = place
        self.language = Watched(expiring)
        self.sweep = self.worker()

    def worker(self) -> Reminders:
        """Return the sweep of a worker that has just been started."""
        return Reminders(self.place.units, self.language, SHIPPED_EXPIRING)

    def ends_in(self, person: Person, days: float, *, since: int = 700) -> str:
        """Give somebody an active mobile ID that ends soon."""
        mobile_id, _ = person.has_active()
        now = self.place.clock()
        self.place.put(mobile_id, valid_from=now - since * DAY, valid_to=now + days * DAY)
        return mobile_id

    def told_over(self, days: int, *, pause: timedelta = timedelta(hours=6)) -> list[int]:
        """Let days go by with their sweeps, and return how many days were left in each letter."""
        for _ in range(int(days * DAY / pause)):
            self.sweep()
            self.place.effects.later()
            self.place.clock.pass_by(pause)
        letters = [one for one in self.place.post.letters if one.event is MailEvent.EXPIRING]
        return [int(str(letter.values["days"])) for letter in letters]

    def activate(self, source: str) -> None:
        """Make a script the active one."""
        name = SHIPPED_EXPIRING.name
        with self.place.units() as unit:
            active = unit.scripts.active(name)
            new = unit.scripts.add(name, source=source, sha256="ab", author="ada", comment="")
            before = active.version if active else 0
            unit.scripts.activate(name, new.version, expected=before, by="ada")
            unit.commit()


@pytest.fixture
def site(place: Place, expiring: ExpiringScripts) -> Site:
    """A place with the shipped script."""
    return Site(place, expiring)


def test_the_shipped_script_from_two_months_before_to_the_end(site: Site, anne: Person) -> None:
    """At 60, 30, 14 and 7 days, then every day, however often the sweep comes; then no more."""
    site.ends_in(anne, 61)
    assert site.told_over(65, pause=timedelta(hours=19)) == [60, 30, 14, 7, 6, 5, 4, 3, 2, 1]


def test_what_the_letter_says(site: Site, anne: Person) -> None:
    """Which mobile ID, until when, how long that is, and where to act."""
    mobile_id = site.ends_in(anne, 13.5)
    site.told_over(1)
    letter = site.place.post.last("expiring")
    assert (letter.to, letter.values["days"]) == ("anne@example.org", 14)
    assert letter.values["url"] == f"https://id.example.org/mobile-ids/{mobile_id}"
    assert letter.values["profile_name"] == "MobileID Änne Example"
    assert isinstance(letter.values["valid_to"], datetime)


def test_after_a_pause_of_the_server_only_the_last_day_is_told(site: Site, anne: Person) -> None:
    """Nobody gets three mails at once."""
    site.ends_in(anne, 65)
    site.place.clock.pass_by(49 * DAY)
    assert site.told_over(1) == [16]


def test_two_sweeps_at_once_are_one_mail(site: Site, anne: Person) -> None:
    """Every worker has its own sweep, and a mail of a day is there once."""
    site.ends_in(anne, 30)
    assert (site.sweep(), site.sweep()) == (1, 0)
    site.place.effects.later()
    assert site.place.post.told() == ["expiring"]


def test_one_worker_sweeps_in_an_hour(site: Site, anne: Person) -> None:
    """The others leave it at that; and when it is gone, they look at everything, and tell no one twice."""
    site.activate("options.remind_days = [30] if user.email else []")
    site.ends_in(anne, 30)
    others = [site.worker() for _ in range(3)]
    assert site.sweep() == 1
    assert [other() for other in others] == [0, 0, 0]
    assert site.language.asked == 1
    site.place.clock.pass_by(timedelta(hours=1))
    assert [other() for other in others] == [0, 0, 0]
    assert site.language.asked == 2


def test_each_is_looked_at_once_a_day(site: Site) -> None:
    """When a new day before its end begins: however many sweeps there are, and whoever is told nothing."""
    site.activate("options.remind_days = [30] if user.email else []")
    for hours in (1, 7, 15):
        site.ends_in(site.place.person(), 40 + hours / 24)
    site.sweep()
    assert site.language.asked == 3
    for day in (1, 2):
        site.told_over(1, pause=timedelta(hours=8))
        assert site.language.asked == 3 + 3 * day


def test_another_version_has_everybody_looked_at(site: Site, anne: Person) -> None:
    """At its first sweep, without a pause: what it says may be due already."""
    site.ends_in(anne, 40)
    assert site.sweep() == 1
    site.activate("options.remind_days = [50]")
    assert site.sweep() == 1


def test_who_fails_is_asked_again_in_the_next_hour(site: Site, anne: Person) -> None:
    """A script that fails for somebody is not done with them until tomorrow."""
    site.activate("options.remind_days = [len(user.department)]")
    site.place.change(anne, doc="{}")
    site.ends_in(anne, 5)
    assert site.sweep() == 0
    site.place.change(anne, doc='{"department": "Finance"}')
    site.place.clock.pass_by(timedelta(hours=1))
    assert site.sweep() == 1


def test_when_a_hold_is_lifted_the_day_that_was_missed_is_told(site: Site, anne: Person) -> None:
    """Nothing while it is suspended, and within a day after that."""
    mobile_id = site.ends_in(anne, 31)
    site.place.put(mobile_id, state=ProfileState.INACTIVE)
    assert site.told_over(3) == []
    site.place.put(mobile_id, state=ProfileState.ACTIVE)
    assert site.told_over(1) == [28]


@pytest.mark.parametrize("end", ["deactivated", "deleted"])
def test_who_is_gone_is_told_nothing(site: Site, anne: Person, end: str) -> None:
    """Also not what a sweep had announced before."""
    site.ends_in(anne, 60)
    site.place.post.silent = True
    assert site.sweep() == 1
    getattr(anne, end)()
    site.place.post.silent = False
    assert site.told_over(31, pause=timedelta(hours=37)) == []


def test_a_letter_that_nobody_takes_is_not_tried_again_that_day(site: Site, anne: Person) -> None:
    """Not by a worker that has just been started either; the next day has a letter of its own."""
    site.ends_in(anne, 6.5)
    site.place.post.refuses = "550 nobody here"
    site.told_over(1)
    site.place.post.refuses = ""
    assert site.place.post.letters == []
    assert site.worker()() == 0
    assert site.told_over(1) == [5]


def test_nobody_is_told_in_the_minute_in_which_they_get_it(site: Site, anne: Person) -> None:
    """A mobile ID for 30 days has no 60th and no 30th day before its end."""
    site.ends_in(anne, 30, since=0)
    assert site.told_over(31, pause=timedelta(hours=19)) == [14, 7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    "state", [ProfileState.INACTIVE, ProfileState.LOCKED, ProfileState.EXPIRED]
)
def test_only_an_active_one_can_end_soon(site: Site, anne: Person, state: ProfileState) -> None:
    """What is suspended or gone is nobody's surprise."""
    site.place.put(site.ends_in(anne, 7), state=state)
    assert site.sweep() == 0


def test_a_letter_that_is_overtaken_is_not_sent(site: Site, anne: Person) -> None:
    """Locked between the sweep and the mail server."""
    mobile_id = site.ends_in(anne, 7)
    site.place.post.silent = True
    assert site.sweep() == 1
    site.place.put(mobile_id, state=ProfileState.LOCKED)
    site.place.post.silent = False
    site.place.effects.later()
    assert site.place.post.told() == []


def test_a_script_of_ones_own(site: Site, anne: Person) -> None:
    """Other days, and no daily mails."""
    site.activate("options.remind_days = [2, 5]\noptions.daily_after_last = False")
    site.ends_in(anne, 8)
    assert site.told_over(9) == [5, 2]


def test_a_script_that_looks_at_the_user(site: Site, anne: Person) -> None:
    """Finance is told once; whoever is refused, or has no days, is told nothing."""
    bob = site.place.person(doc='{"department": "Kitchen"}', email="bob@example.org")
    eve = site.place.person(doc='{"department": "Legal"}', email="eve@example.org")
    source = (
        'options.remind_days = [90] if user.department == "Finance" else []\n'
        'if user.department == "Legal":\n    refuse("They look after themselves.")\n'
        "options.daily_after_last = False"
    )
    site.activate(source)
    for person in (anne, bob, eve):
        site.ends_in(person, 80)
    assert site.told_over(3) == [80]
    assert site.place.post.last("expiring").to == "anne@example.org"


def test_nobody_to_tell_is_not_looked_at(site: Site, anne: Person) -> None:
    """An empty list ends the sweep before any mobile ID is read."""
    site.activate("options.remind_days = []")
    site.ends_in(anne, 3)
    assert site.told_over(4) == []


@pytest.mark.parametrize("source", ["x = 1 / 0", "x = len(user.department) / 0"])
def test_a_script_that_fails_tells_nobody_and_the_log(
    site: Site, anne: Person, source: str
) -> None:
    """Never the default instead; one line for a sweep, with the fault and how often it was met."""
    site.activate(source)
    site.ends_in(anne, 7)
    with capture_logs() as logs:
        assert site.sweep() == 0
    (line,) = [one for one in logs if one["event"] == "expiry_script_failed"]
    assert (line["version"], line["failures"], line["log_level"]) == (1, 1, "error")
    assert "division by zero (line 1)" in line["faults"][0]


def test_a_version_in_quarantine_is_not_run(site: Site, anne: Person) -> None:
    """It waits until somebody has looked at it."""
    site.activate("options.remind_days = [30]")
    with site.place.units() as unit:
        unit.scripts.quarantine(SHIPPED_EXPIRING.name, 1, "It broke out.")
        unit.commit()
    site.ends_in(anne, 7)
    with capture_logs() as logs:
        assert site.sweep() == 0
    assert [one["event"] for one in logs] == ["expiry_script_in_quarantine"]


def test_whoever_has_no_address_is_not_told(site: Site) -> None:
    """And nothing else comes of it."""
    site.ends_in(site.place.person(email=None, principal_name="anne@corp"), 7)
    assert site.sweep() == 0


def test_everybody_s_turn_comes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages follow each other without a gap, also where many end at the same moment."""
    monkeypatch.setattr("mobid.processes.reminders.BATCH", 2)
    for _ in range(5):
        site.ends_in(site.place.person(), 7)
    assert site.sweep() == 5


@given(
    lifetime=st.integers(min_value=1, max_value=800),
    days=st.lists(st.integers(min_value=1, max_value=365), unique=True, max_size=5),
    hours=st.integers(min_value=-100, max_value=800 * 24),
    daily=st.booleans(),
)
def test_a_day_is_one_of_its_own(
    lifetime: int, days: list[int], hours: int, *, daily: bool
) -> None:
    """Whatever the moment: a day that was asked for, or a later one; not over, and within its life."""
    profile = MobileID(
        id="m-1",
        user_id="u-1",
        state=ProfileState.ACTIVE,
        profile_name="x",
        server_name="x",
        user_label="x",
        created_at=NOON,
        changed_at=NOON,
        valid_from=NOON,
        valid_to=NOON + lifetime * DAY,
    )
    now = NOON + lifetime * DAY - timedelta(hours=hours)
    day = day_due(profile, now, days, daily)
    left = -(-hours // 24)
    if day is None:
        reached = [one for one in days if one < lifetime and left <= one]
        assert left < 1 or not reached
    else:
        assert left >= 1
        assert day in days or (daily and day == left < min(days))
        assert left <= day < max(lifetime, 1)


class GetsOut(Watched):
    """A language in which the script fails for the first owner, and gets out for all others."""

    def recall(self, source: str, user: User, *, at: datetime) -> Evaluation:  # noqa: ARG002 - the port
        """Fail, in one way or the other."""
        self.asked += 1
        if self.asked == 1:
            fault = Diagnostic(code="run_error", message="Division by zero.")
            return Evaluation(outcome=Outcome.FAILED_AT_RUN, diagnostics=(fault,))
        fault = Diagnostic(code=VIOLATION, message="It broke out.")
        return Evaluation(outcome=Outcome.KILLED_BY_LIMIT, diagnostics=(fault,))


def test_a_violation_is_not_hidden_by_an_error_before_it(
    place: Place, expiring: ExpiringScripts
) -> None:
    """It is audited, the version put in quarantine, and nobody else's turn comes."""
    site = Site(place, expiring)
    site.language = GetsOut(expiring)
    site.sweep = site.worker()
    site.activate("options.remind_days = [30] if user.email else []")
    for _ in range(4):
        site.ends_in(place.person(), 30)
    assert site.sweep() == 0
    assert site.language.asked == 2
    audited = place.audited(f"{SHIPPED_EXPIRING.name}/1")
    assert audited == ["script.violation", "script.quarantine"]
