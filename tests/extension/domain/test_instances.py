"""A run of a process: where it stands, when its time is over, and that an end is an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.errors import ProcessEnded
from mobid.domain.instances import RUNNING, Instance, InstanceState, Process, StepName
from mobid.domain.work import Work

NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER: Final = NOON + timedelta(minutes=30)
ENDED: Final = [state for state in InstanceState if state not in RUNNING]


def an_instance(state: InstanceState = InstanceState.WAITING_USER) -> Instance:
    """Return a Get in some state."""
    return Instance(
        id="i-1",
        process=Process.GET,
        user_id="u-1",
        actor=Actor(ActorKind.USER, "u-1"),
        state=state,
        step=StepName.CONFIRM,
        created_at=NOON,
        expires_at=LATER,
    )


class TestMoves:
    """From step to step."""

    @pytest.mark.parametrize("state", sorted(RUNNING))
    def test_every_move_raises_the_number_of_the_step(self, state: InstanceState) -> None:
        """Two moves can be told apart, back and forth, too."""
        moved = an_instance(state).to(StepName.CONFIRM, state, expires_at=None, at=NOON)
        assert moved.step_seq == 2

    @pytest.mark.parametrize("state", sorted(RUNNING))
    def test_waiting_for_the_ca_is_work_and_nothing_else_is(self, state: InstanceState) -> None:
        """A row that waits for a CA is looked after, whatever happens to its job."""
        waiting = an_instance().to(
            StepName.CREATING, InstanceState.WAITING_CA, expires_at=LATER, at=NOON
        )
        assert waiting.work.wanted
        moved = waiting.to(StepName.CREATING, state, expires_at=LATER, at=NOON)
        assert moved.work.wanted == (state is InstanceState.WAITING_CA)

    @pytest.mark.parametrize("state", ENDED)
    def test_an_end_shows_done_or_failed_and_leaves_nothing_to_do(
        self, state: InstanceState
    ) -> None:
        """Only a completed run is done."""
        waiting = an_instance().to(
            StepName.CREATING, InstanceState.WAITING_CA, expires_at=LATER, at=NOON
        )
        ended = waiting.end(state, at=LATER, error="CODE")
        assert ended.step == ("done" if state == "completed" else "failed")
        assert (ended.ended_at, ended.expires_at, ended.error) == (LATER, None, "CODE")
        assert not ended.work.wanted

    @pytest.mark.parametrize("state", ENDED)
    def test_what_has_ended_stays_ended(self, state: InstanceState) -> None:
        """Neither a move nor another end; the error says how it ended."""
        ended = an_instance(state)
        with pytest.raises(
            ProcessEnded, match=f"^Process i-1 is {state}; step qr is for a running one.$"
        ):
            ended.to(StepName.QR, InstanceState.WAITING_DEVICE, expires_at=None, at=NOON)
        with pytest.raises(
            ProcessEnded, match=f"^Process i-1 is {state}; cancelled is for a running one.$"
        ):
            ended.end(InstanceState.CANCELLED, at=NOON)


class TestTime:
    """When a run is over."""

    def test_at_its_time_and_not_before(self) -> None:
        """The last microsecond still belongs to the run."""
        assert an_instance().over(LATER)
        assert not an_instance().over(LATER - timedelta(microseconds=1))

    @pytest.mark.parametrize("state", ENDED)
    def test_never_once_it_has_ended(self, state: InstanceState) -> None:
        """An end is not an end twice."""
        assert not an_instance(state).over(LATER)


class TestWork:
    """The work of a row."""

    def test_every_wish_is_a_fresh_attempt_and_the_age_is_that_of_the_first(self) -> None:
        """No earlier job may do a later attempt; an alarm counts from the beginning."""
        again = Work().want(NOON).want(LATER)
        assert (again.attempt, again.wanted_since, again.nudged_at) == (2, NOON, LATER)

    def test_a_wish_puts_a_dead_one_back(self) -> None:
        """News bring a dead letter to life."""
        assert not Work(wanted=True, attempt=12, dead=True).want(NOON).dead

    def test_done_forgets_everything_but_the_attempt(self) -> None:
        """A job for an old attempt must still find out that it is old."""
        done = Work(wanted=True, attempt=3, wanted_since=NOON, error="no answer", dead=True).done()
        assert done == Work(attempt=3)
