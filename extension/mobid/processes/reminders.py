"""The sweep that tells owners of mobile IDs that these are about to end, as the active script says.

One mail for a mobile ID and a day before its end, never two: the number of the mail is that day, and
there is one mail of an event, a subject and a number. Whoever was away on a day, the server or the
script, is told by the next sweep: of the last day that was missed, and of no earlier one.

A day is 24 hours, counted back from the end of the mobile ID: no time zone has a part in it. What is to
be said of a mobile ID changes when such a day begins, so a sweep looks only at those for which one began
since the sweep before. One worker of all sweeps in an hour. What a worker remembers of its last sweep is
gone with it: then, and when the script is another one, it looks once at everything that ends in time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from mobid.domain.mails import MailEvent
from mobid.domain.mobile_ids import ProfileState
from mobid.domain.users import User, UserState
from mobid.processes.decision import new_reference
from mobid.processes.notices import notify
from mobid.processes.ports import Outcome
from mobid.processes.violations import Violations, broke_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.ports import Evaluation, ScriptLanguage, StoredScript, UnitOfWork, Units

LONGEST: Final = timedelta(days=365)
"""Nobody can be told earlier: it is the most that the script can ask for."""
BATCH: Final = 200
ONE_SWEEP_IN: Final = timedelta(minutes=45)
"""Less than the pause between two sweeps of one worker, so that it is not its own obstacle."""

_DAY: Final = timedelta(days=1)
_WORTH_TRYING: Final = 3
_NOBODY: Final = User(
    id="nobody", state=UserState.ACTIVE, user_name="nobody", display_name="Nobody"
)
_log: Final = structlog.get_logger(__name__)


class Reminders:
    """Announces the mails. A script that fails tells nobody, and the log says so: never a default."""

    def __init__(
        self,
        units: Units,
        language: ScriptLanguage,
        shipped: StoredScript,
        *,
        quarantine: bool = True,
    ) -> None:
        self._units = units
        self._language = language
        self._shipped = shipped
        self._violations = Violations(units, quarantine=quarantine)
        self._last: tuple[int, datetime] | None = None
        """The version and the moment of the last sweep here that came to its end without a fault."""

    def __call__(self) -> int:
        """Announce every reminder that is due; return how many there were.

        Nothing is done while another worker does it, or has just done it.
        """
        with self._units() as unit:
            script = unit.scripts.active(self._shipped.name) or self._shipped
            now = unit.now
            turn = unit.counters.add("reminders", str(script.version), window=ONE_SWEEP_IN)
            unit.commit()
        if turn.number > 1:
            return 0
        if script.quarantined_at is not None:
            _log.error("expiry_script_in_quarantine", script=script.name, version=script.version)
            return 0
        sweep = _Sweep(self._language, script, now)
        told = sum(self._page(page, sweep) for page in self._pages(sweep))
        if sweep.failure is None:
            self._last = (script.version, now)
        else:
            self._report(script, sweep.failure, sweep.failures)
        return told

    def _pages(self, sweep: _Sweep) -> Iterable[Sequence[MobileID]]:
        """Yield active mobile IDs that somebody might be told of, those that end first at the front."""
        after: MobileID | None = None
        until, began = sweep.now + sweep.horizon(), self._looked_at(sweep)
        while True:
            with self._units.reading() as unit:
                page = unit.mobile_ids.ending(
                    sweep.now, until, day_began_after=began, after=after, limit=BATCH
                )
            if not page:
                return
            yield page
            after = page[-1]

    def _looked_at(self, sweep: _Sweep) -> datetime | None:
        """Return until when everything was looked at here; none if that is of no use any more."""
        version, last = self._last or (None, sweep.now)
        recent = timedelta(0) <= sweep.now - last < _DAY
        return last if version == sweep.version and recent else None

    def _page(self, page: Sequence[MobileID], sweep: _Sweep) -> int:
        with self._units.reading() as unit:
            due = sweep.due(unit, page)
            told = unit.mails.numbers(MailEvent.EXPIRING, [profile.id for profile, _ in due])
        return sum(
            self._announce(profile, day) for profile, day in due if (profile.id, day) not in told
        )

    def _announce(self, seen: MobileID, day: int) -> bool:
        with self._units() as unit:
            user = unit.users.lock(seen.user_id)
            profile = unit.mobile_ids.get(seen.id)
            if profile.state is not ProfileState.ACTIVE or profile.valid_to != seen.valid_to:
                return False
            notify(
                unit,
                MailEvent.EXPIRING,
                user=user,
                subject_id=profile.id,
                number=day,
                give_up_at=profile.valid_to if day <= _WORTH_TRYING else None,
            )
            unit.commit()
            return user.email is not None

    def _report(self, script: StoredScript, failure: Evaluation, count: int) -> None:
        reference = new_reference()
        _log.error(
            "expiry_script_failed",
            reference=reference,
            script=script.name,
            version=script.version,
            failures=count,
            outcome=failure.outcome.value,
            faults=[fault.message for fault in failure.diagnostics],
        )
        if broke_out(failure):
            self._violations.report(script, failure, reference=reference)


class _Sweep:
    """One round: a script, a moment, and what went wrong."""

    def __init__(self, language: ScriptLanguage, script: StoredScript, now: datetime) -> None:
        self.now = now
        self.version = script.version
        self.failure: Evaluation | None = None
        """The first evaluation that failed, or the one in which the script got out of its language."""
        self.failures = 0
        self._language = language
        self._script = script
        self._depends_on_user = language.depends_on_user(script.source)

    def horizon(self) -> timedelta:
        """Return how long before an end somebody might be told, if that can be known beforehand."""
        if self._depends_on_user:
            return LONGEST
        wishes = self._wishes(_NOBODY)
        return timedelta(days=max(wishes[0], default=0)) if wishes else timedelta(0)

    def due(self, unit: UnitOfWork, page: Sequence[MobileID]) -> list[tuple[MobileID, int]]:
        """Return the mobile IDs whose owner is to be told by now, and of which day."""
        owners = self._owners(unit, page)
        found = []
        for profile in page:
            wishes = self._wishes(owners.get(profile.user_id, _NOBODY))
            day = day_due(profile, self.now, *wishes) if wishes else None
            if day is not None:
                found.append((profile, day))
        return found

    def _owners(self, unit: UnitOfWork, page: Sequence[MobileID]) -> Mapping[str, User]:
        if not self._depends_on_user:
            return {}
        return {user.id: user for user in unit.users.several([one.user_id for one in page])}

    def _wishes(self, user: User) -> tuple[Sequence[int], bool] | None:
        """Return on which days a user is to be told, and whether daily after the last of them."""
        if self.failure is not None and broke_out(self.failure):
            return None  # a script that got out of its language has no second try on the next owner
        evaluation = self._language.recall(self._script.source, user, at=self.now)
        values = evaluation.values
        if values is not None:
            days, daily = values["remind_days"], values["daily_after_last"]
            return (days if isinstance(days, list) else []), daily is True
        if evaluation.outcome is not Outcome.REFUSED:
            if self.failure is None or broke_out(evaluation):
                self.failure = evaluation
            self.failures += 1
        return None


def day_due(
    profile: MobileID,
    now: datetime,
    remind_days: Sequence[int],
    daily: bool,  # noqa: FBT001 - as the script has it
) -> int | None:
    """Return of which day before its end the owner of a mobile ID is to be told, if of any.

    Days are counted up: what ends in 6 days and an hour ends in 7. A day before the mobile ID began
    is not one of its days, so that nobody is told in the minute in which they get it.
    """
    if profile.valid_to is None or profile.valid_from is None:
        return None
    left = -((now - profile.valid_to) // _DAY)
    lifetime = profile.valid_to - profile.valid_from
    reached = [day for day in remind_days if left <= day and day * _DAY < lifetime]
    if left < 1 or not reached:
        return None
    return left if daily and left < min(remind_days) else min(reached)
