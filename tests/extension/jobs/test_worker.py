"""One worker in this very process: it does what is due, in good order, and leaves no trace."""

from __future__ import annotations

import json
import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mobid.jobs import Periodic, Timing, WorkerRunning

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.extension.jobs.conftest import Hand, Place

SOON = Timing(
    first_job=timedelta(seconds=0.1),
    poll=timedelta(seconds=0.05),
    sweep=timedelta(seconds=0.1),
    back_off_least=timedelta(seconds=0.1),
    stop=timedelta(0),
)


def until(true: Callable[[], object], *, seconds: float = 10) -> None:
    """Look again and again until something is true."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if true():
            return
        pause.wait(0.05)
    pytest.fail(f"not true within {seconds} s")


def failing_once(hand: Hand) -> Callable[[str], None]:
    """Return what fails the first time, and then finishes."""
    errors: list[Exception] = [ValueError("once")]

    def does(row_id: str) -> None:
        if errors:
            raise errors.pop()
        hand.finish(row_id)

    return does


def test_a_worker_does_what_is_due_and_nothing_else(
    place: Place, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """At-once tries beat the jobs, no job fails or is done twice, tasks run, nothing is pickled or said."""
    caplog.set_level(logging.INFO)
    hand, instance = place.hand(), place.hand("instance")
    instance.does = failing_once(instance)
    effects = place.effects(SOON, certificate=hand, instance=instance)
    ran = threading.Event()

    def task() -> None:
        wanted = place.want("c-from-task", effects=effects)
        effects.committed([wanted])
        assert not hand.called
        ran.set()

    with capture_logs() as logs:
        effects.start_worker([Periodic(name="task", every=timedelta(hours=1), run=task)])
        assert ran.wait(5)
        tried = place.want("c-tried", effects=effects)
        effects.committed([tried])
        assert not place.row("c-tried").work_wanted
        with pytest.raises(WorkerRunning, match="A worker runs in this process already"):
            place.effects(SOON).start_worker()
        place.want("c-job", effects=effects)
        place.want("i-job", "instance", effects=effects)
        place.want("c-lost", nudged_at=place.now() - timedelta(hours=1))
        until(lambda: set(place.jobs().values()) == {"SUCCESS"} and len(place.jobs()) == 6)
        effects.stop()
    assert sorted(hand.called) == ["c-from-task", "c-job", "c-lost", "c-tried"]
    assert instance.called == ["i-job", "i-job"]
    outputs = place.query(sa.text(f"SELECT * FROM {place.job_tables[2]}"))  # noqa: S608
    assert {row.workflow_uuid: json.loads(row.output) for row in outputs} == {
        "certificate:c-from-task:1": "done",
        "certificate:c-tried:1": "superseded",
        "certificate:c-job:1": "done",
        "instance:i-job:1": "retry",
        "instance:i-job:2": "done",
        "certificate:c-lost:2": "done",
    }
    assert set(place.jobs("serialization").values()) == {"portable_json"}
    assert capfd.readouterr() == ("", "")
    assert [one for one in caplog.records if one.name == "dbos"] == []
    assert sorted(one["event"] for one in logs) == ["effect_failed", "effects_lost"]
    assert not [one for one in threading.enumerate() if one.name.startswith("periodic-")]
