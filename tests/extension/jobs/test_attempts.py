"""What a row learns from an attempt that did not succeed: when to try again, and when to give up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mobid.jobs import NoDeadLetter, Timing, UnknownKind
from mobid.processes.authority import OutcomeUnknown, Unavailable
from mobid.processes.mailing import MailUnavailable

if TYPE_CHECKING:
    from datetime import datetime

    from tests.extension.jobs.conftest import Hand, Place

THREE_TIMES = Timing(most_attempts=3, patience=timedelta(0))


class NotYet(Exception):
    """An error that knows when to come back."""

    def __init__(self, retry_after: float | None) -> None:
        self.retry_after = retry_after


def failing(place: Place, error: Exception) -> Hand:
    """Return a handler that always raises this."""
    hand = place.hand()

    def fail(_: str) -> None:
        raise error

    hand.does = fail
    return hand


def waits(place: Place, row_id: str, since: datetime) -> float:
    """Return how many seconds after a moment a row is due."""
    due: datetime = place.row(row_id).nudged_at
    return (due - since).total_seconds()


class TestTheNextAttempt:
    """A row that still wants its work after an attempt gets another one later."""

    def test_follows_an_attempt_that_left_work(self, place: Place) -> None:
        """A handler that returns without an error, and not with everything done, is called again."""
        hand = place.hand()
        hand.does = lambda _: None
        place.effects(certificate=hand).committed([place.want("c-1", work_error="of old")])
        row = place.row("c-1")
        assert (row.work_wanted, row.work_attempt, row.work_error) == (True, 2, None)
        assert place.jobs() == {"certificate:c-1:2": "DELAYED"}

    def test_is_not_made_up_for_a_row_that_moved_on(self, place: Place) -> None:
        """An error after the row was given a later attempt by somebody else changes nothing."""
        hand = place.hand()

        def overtaken(row_id: str) -> None:
            place.change("certificate", row_id, work_attempt=7, work_error="of the seventh")
            raise RuntimeError("of the first")

        hand.does = overtaken
        place.effects(certificate=hand).committed([place.want("c-1")])
        assert (place.row("c-1").work_attempt, place.row("c-1").work_error) == (7, "of the seventh")
        assert place.jobs() == {}

    @pytest.mark.parametrize(
        ("age", "least", "most"),
        [(0, 4, 6), (3, 4, 6), (60, 48, 73), (86_400, 240, 360)],
        ids=["fresh", "a moment", "a minute", "a day"],
    )
    def test_waits_as_long_again_as_the_row_waited(
        self, place: Place, age: int, least: float, most: float
    ) -> None:
        """The pause doubles from try to try, between 5 s and 5 min, a fifth more or less."""
        now = place.now()
        wanted = place.want("c-1", wanted_since=now - timedelta(seconds=age))
        place.effects(certificate=failing(place, Unavailable("down"))).committed([wanted])
        assert least <= waits(place, "c-1", now) <= most + 1

    @pytest.mark.parametrize(("asked", "given"), [(42.0, 42), (0, 1), (-5, 1), (1e9, 3600)])
    def test_comes_when_the_error_says(self, place: Place, asked: float, given: float) -> None:
        """`retry_after` of an error counts instead, between a second and an hour."""
        now = place.now()
        effects = place.effects(certificate=failing(place, NotYet(asked)))
        effects.committed([place.want("c-1")])
        assert given <= waits(place, "c-1", now) <= given + 1
        due = place.jobs("delay_until_epoch_ms")["certificate:c-1:2"] / 1000
        assert due == pytest.approx(place.row("c-1").nudged_at.timestamp(), abs=1)

    def test_follows_the_back_off_if_the_error_does_not_know(self, place: Place) -> None:
        """An error that carries `retry_after` without a number is like any other."""
        now = place.now()
        effects = place.effects(THREE_TIMES, certificate=failing(place, NotYet(None)))
        effects.committed([place.want("c-1"), place.want("c-2", work_attempt=3)])
        assert 4 <= waits(place, "c-1", now) <= 7
        assert place.row("c-2").work_dead

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (ValueError("x" * 400), "ValueError: " + "x" * 300),
            (ValueError(), "ValueError"),
            (ValueError("two\nlines \x00 and \ud800"), "ValueError: two lines   and  "),
            (
                sa.exc.DBAPIError("SELECT secret", {"pin": "1234"}, OSError("pin 1234")),
                "DBAPIError: OSError",
            ),
        ],
        ids=["long", "empty", "unstorable", "of the database"],
    )
    def test_carries_the_error_but_no_statement(
        self, place: Place, error: Exception, text: str
    ) -> None:
        """Class and message, cut to 300 characters that every database can store; never any SQL."""
        with capture_logs() as logs:
            effects = place.effects(certificate=failing(place, error))
            effects.committed([place.want("c-1")])
        assert place.row("c-1").work_error == text
        assert [one["error"] for one in logs] == [text]


class TestADeadLetter:
    """A row that only a person can help. It still wants its work, and nobody does it."""

    def test_comes_after_the_last_attempt(self, place: Place) -> None:
        """An unexpected error at the last attempt makes it one: no further job, and a word in the log."""
        effects = place.effects(THREE_TIMES, certificate=failing(place, ValueError("broken")))
        with capture_logs() as logs:
            effects.committed([place.want("c-1", work_attempt=3)])
        row = place.row("c-1")
        assert (row.work_wanted, row.work_dead, row.work_attempt) == (True, True, 3)
        assert row.work_error == "ValueError: broken"
        assert place.jobs() == {}
        assert [one["event"] for one in logs] == ["effect_failed", "effect_dead"]

    @pytest.mark.parametrize(
        "error", [Unavailable("down"), OutcomeUnknown("lost"), MailUnavailable("away"), NotYet(1)]
    )
    def test_never_comes_of_what_happens_to_the_healthy(
        self, place: Place, error: Exception
    ) -> None:
        """A CA that is down for a week is no reason to forget its certificates."""
        effects = place.effects(THREE_TIMES, certificate=failing(place, error))
        effects.committed([place.want("c-1", work_attempt=99)])
        assert (place.row("c-1").work_dead, place.row("c-1").work_attempt) == (False, 100)

    def test_never_comes_of_waiting(self, place: Place) -> None:
        """An instance that waits for its certificates without an error waits on."""
        hand = place.hand("instance")
        hand.does = lambda _: None
        effects = place.effects(THREE_TIMES, instance=hand)
        effects.committed([place.want("i-1", "instance", work_attempt=99)])
        assert not place.row("i-1", "instance").work_dead

    def test_is_not_made_in_haste(self, place: Place) -> None:
        """A row with many attempts in its long life is tried for half an hour all the same."""
        timing = replace(THREE_TIMES, patience=timedelta(minutes=30))
        effects = place.effects(timing, certificate=failing(place, ValueError("broken")))
        young = place.now() - timedelta(minutes=29)
        old = place.now() - timedelta(minutes=31)
        effects.committed(
            [
                place.want("c-1", work_attempt=99, wanted_since=young),
                place.want("c-2", work_attempt=99, wanted_since=old),
            ]
        )
        assert not place.row("c-1").work_dead
        assert place.row("c-2").work_dead

    def test_is_never_a_revocation(self, place: Place) -> None:
        """Whatever goes wrong, a revocation is tried again."""
        effects = place.effects(THREE_TIMES, certificate=failing(place, ValueError("broken")))
        now = place.now()
        effects.committed([place.want("c-1", work_attempt=99, wanted="revoked", revoked_at=now)])
        assert (place.row("c-1").work_dead, place.row("c-1").work_attempt) == (False, 100)

    def test_is_put_back_by_one_command(self, place: Place) -> None:
        """It has a fresh attempt, due now, and as much patience as any other row."""
        long_ago = place.now() - timedelta(days=3)
        place.want("c-1", work_attempt=12, work_dead=True, wanted_since=long_ago, work_error="E")
        place.effects().requeue("certificate", "c-1")
        row = place.row("c-1")
        assert (row.work_wanted, row.work_dead, row.work_attempt) == (True, False, 13)
        assert row.work_error == "E"
        assert row.wanted_since > long_ago + timedelta(days=2)
        assert place.jobs() == {"certificate:c-1:13": "ENQUEUED"}

    def test_is_the_only_thing_that_is_put_back(self, place: Place) -> None:
        """A living row, or none, is an error that names it; so is a kind that does not exist."""
        place.want("c-1")
        effects = place.effects()
        for name in ("c-1", "c-2"):
            with pytest.raises(NoDeadLetter, match=f'no dead letter "{name}" of kind certificate'):
                effects.requeue("certificate", name)
        with pytest.raises(UnknownKind, match='"letter" is no kind of work'):
            effects.requeue("letter", "c-1")
        assert place.jobs() == {}


class TestTheOverview:
    """What an operator sees."""

    def test_lists_every_row_that_wants_work(self, place: Place) -> None:
        """With kind, attempt, error, age, and whether it is dead; the oldest of each kind first."""
        now = place.now()
        more: dict[str, Any] = {"work_dead": True, "work_attempt": 12, "work_error": "ValueError"}
        place.want("c-1", wanted_since=now - timedelta(minutes=1))
        place.want("c-2", wanted_since=now - timedelta(hours=1), **more)
        place.want("c-3", work_wanted=False)
        place.want("i-1", "instance", wanted_since=now - timedelta(days=1))
        seen = place.effects().overview()
        assert [(one.kind, one.id, one.attempt, one.error, one.dead) for one in seen] == [
            ("certificate", "c-2", 12, "ValueError", True),
            ("certificate", "c-1", 1, None, False),
            ("instance", "i-1", 1, None, False),
        ]
        assert [round(one.age / timedelta(minutes=1)) for one in seen] == [60, 1, 24 * 60]
