"""What another script would change: in the text, and for many users in a dry run, told in few lines.

A dry run is read page by page, and each step of the iteration is a moment at which it can be given up: by
whoever asks, when they go away, or by the bounds here. Nothing is kept of users but a few examples.
"""

from __future__ import annotations

import difflib
import json
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mobid.processes.errors import ScriptNotAccepted, TooMany
from mobid.processes.ports import Outcome
from mobid.processes.violations import broke_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mobid.domain.actors import Actor
    from mobid.domain.users import User
    from mobid.processes.option_scripts import OptionScriptLife
    from mobid.processes.ports import Clock, Evaluation, Population

PAGE: Final = 100
MOST_LINES: Final = 200
MOST_EXAMPLES: Final = 5
LONGEST: Final = timedelta(minutes=30)
PERSONAL: Final = frozenset({"user_id", "profile_name"})
"""Options that are another one for everybody: that they change is told, and not from what to what."""

_AGAIN: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is different: an option, or `outcome`, `refusal` or `error`; from what, to what."""

    what: str
    before: object = None
    after: object = None


@dataclass(slots=True, kw_only=True)
class Line:
    """One line of the table: for how many users exactly these things are different, and who some are."""

    changes: tuple[Change, ...]
    count: int = 0
    examples: list[str] = field(default_factory=list)
    """Some user names."""


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What is known so far, or in the end: then `ended` says why it is over."""

    total: int
    """How many users matched at the start; who came or went meanwhile is counted as met."""
    done: int = 0
    same: int = 0
    lines: list[Line] = field(default_factory=list)
    others: int = 0
    """How many users differ in ways for which there was no line any more."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """How the new script ended, and for how many."""
    ended: str = ""
    """`complete`, or `too_long`; nothing while it goes on."""


class ScriptComparisons:
    """Compares scripts with the active ones. One at a time in a process: each keeps the sandbox busy."""

    def __init__(self, life: OptionScriptLife, population: Population, clock: Clock) -> None:
        self._life = life
        self._population = population
        self._clock = clock
        self._busy = threading.Lock()

    def run(self, name: str, source: str, filter_text: str, *, by: Actor) -> Iterator[Comparison]:
        """Yield the same comparison again and again, as it grows; the last time it has `ended`.

        Nothing is done before the first step, which raises `NotFound`, `ScriptNotAccepted`,
        `InvalidInput` for the filter, or `TooMany` while another one goes on in this process.
        Any step raises `SandboxNotAvailable`, or `ScriptNotAccepted` when one of the two scripts
        gets out of its language. To give it up, close the iterator.
        """
        if not self._busy.acquire(blocking=False):
            raise TooMany(_AGAIN, "Another dry run over a filter is going on.")
        try:
            yield from self._run(name, source, filter_text, by)
        finally:
            self._busy.release()

    def _run(self, name: str, source: str, filter_text: str, by: Actor) -> Iterator[Comparison]:
        checked = self._life.check(name, source)
        if checked.outcome is not Outcome.OK:
            raise ScriptNotAccepted(name, checked)
        language, active = self._life.language(name), self._life.active(name).source
        at = self._clock()
        table = _Table(Comparison(total=self._population.count(filter_text)))
        self._life.record_dry_run(name, source, filter_text, by=by)
        yield table.comparison
        for page in self._population.pages(filter_text, PAGE):
            for user in page:
                before = language.recall(active, user, at=at)
                after = language.recall(source, user, at=at)
                self._stop_what_broke_out(name, {active: before, source: after})
                table.add(user, before, after)
            if self._clock() - at > LONGEST:
                table.comparison.ended = "too_long"
                break
            yield table.comparison
        table.comparison.ended = table.comparison.ended or "complete"
        table.sort()
        yield table.comparison

    def _stop_what_broke_out(self, name: str, evaluations: Mapping[str, Evaluation]) -> None:
        """Give a script that got out of its language no second try on the next user."""
        for source, evaluation in evaluations.items():
            if broke_out(self._life.watched(name, source, evaluation)):
                raise ScriptNotAccepted(name, evaluation)


class _Table:
    """The lines so far, by what they say."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self._lines: dict[str, Line] = {}

    def add(self, user: User, before: Evaluation, after: Evaluation) -> None:
        comparison = self.comparison
        comparison.done += 1
        outcome = after.outcome.value
        comparison.outcomes[outcome] = comparison.outcomes.get(outcome, 0) + 1
        changes = changes_between(before, after)
        if not changes:
            comparison.same += 1
        elif (line := self._line(changes)) is None:
            comparison.others += 1
        else:
            line.count += 1
            if len(line.examples) < MOST_EXAMPLES:
                line.examples.append(user.user_name)

    def sort(self) -> None:
        """Put what concerns most users first."""
        self.comparison.lines.sort(key=lambda line: -line.count)

    def _line(self, changes: tuple[Change, ...]) -> Line | None:
        key = json.dumps([[c.what, c.before, c.after] for c in changes], sort_keys=True)
        if key not in self._lines and len(self._lines) < MOST_LINES:
            self._lines[key] = Line(changes=changes)
            self.comparison.lines.append(self._lines[key])
        return self._lines.get(key)


def unified(before: str, after: str, before_title: str, after_title: str) -> Sequence[str]:
    """Return the lines of a unified diff that leads from a text to another; none if they are the same."""
    lines = before.splitlines(), after.splitlines()
    return list(difflib.unified_diff(*lines, before_title, after_title, lineterm=""))


def changes_between(before: Evaluation, after: Evaluation) -> tuple[Change, ...]:
    """Return what is different for one user; nothing if it is all the same."""
    if before.values is not None and after.values is not None:
        return tuple(_of_options(before.values, after.values))
    if before.outcome is not after.outcome:
        return (Change(what="outcome", before=_told(before), after=_told(after)),)
    if before.refusal != after.refusal:
        return (Change(what="refusal", before=before.refusal, after=after.refusal),)
    if _told(before) != _told(after):
        return (Change(what="error", before=_told(before), after=_told(after)),)
    return ()


def _of_options(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Change]:
    for name, value in before.items():
        if value != after[name]:
            known = name not in PERSONAL
            yield Change(
                what=name, before=value if known else None, after=after[name] if known else None
            )


def _told(evaluation: Evaluation) -> str:
    """Return how a script ended, in words."""
    if evaluation.refusal is not None:
        return f"refused: {evaluation.refusal}"
    faults = " ".join(fault.message for fault in evaluation.diagnostics)
    return f"{evaluation.outcome.value}: {faults}" if faults else evaluation.outcome.value
