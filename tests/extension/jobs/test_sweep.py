"""The sweep gives lost attempts a fresh one, leaves all others alone, and raises the alarm."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mobid.jobs import Timing
from mobid.jobs.nudges import Nudges
from mobid.jobs.sweep import OverdueRevocations
from mobid.storage.effects import WorkRows

if TYPE_CHECKING:
    from tests.extension.jobs.conftest import Place

MINUTE = timedelta(minutes=1)
STALE = Timing(stale=timedelta(minutes=1), patience=timedelta(0))


def taken(place: Place, job: str, *, ago: timedelta) -> None:
    """Leave a job as a worker does that took it and has not reported since."""
    at = int((datetime.now(UTC) - ago).timestamp() * 1000)
    changed = place.execute(
        sa.text(
            f"UPDATE {place.job_tables[0]} SET status = 'PENDING', executor_id = 'gone', "  # noqa: S608
            f"started_at_epoch_ms = {at} WHERE workflow_uuid = '{job}'"
        )
    )
    assert changed == 1


class TestALostAttempt:
    """A row that wants work, was long not nudged, and has no job that will come."""

    def test_whose_job_was_never_enqueued_gets_another(self, place: Place) -> None:
        """The row is the truth: it needs no job to be found."""
        place.want("c-1", nudged_at=place.now() - 2 * MINUTE)
        assert place.effects(STALE).sweep() == 1
        row = place.row("c-1")
        assert (row.work_attempt, row.work_wanted) == (2, True)
        assert row.work_error == "Lost: whoever had this attempt did not finish it in time."
        assert place.jobs() == {"certificate:c-1:2": "ENQUEUED"}

    def test_whose_worker_died_gets_another(self, place: Place) -> None:
        """The job of the dead worker is cancelled, so that nothing it reports later counts."""
        effects = place.effects(STALE)
        long_ago = place.now() - 2 * MINUTE
        place.want("c-1", effects=effects, nudged_at=long_ago, work_claimed=1)
        taken(place, "certificate:c-1:1", ago=2 * MINUTE)
        with capture_logs() as logs:
            assert effects.sweep() == 1
        assert place.jobs() == {
            "certificate:c-1:1": "CANCELLED",
            "certificate:c-1:2": "ENQUEUED",
        }
        assert [(one["event"], one["kind"], one["count"]) for one in logs] == [
            ("effects_lost", "certificate", 1)
        ]

    def test_is_replaced_by_one_of_many_sweeps(self, place: Place) -> None:
        """Four workers that sweep at the same moment make one fresh attempt of each."""
        for number in range(20):
            place.want(f"c-{number}", nudged_at=place.now() - 2 * MINUTE)
        start = threading.Barrier(4)
        found: list[int] = []

        def sweep(place: Place) -> None:
            effects = place.effects(STALE)
            start.wait()
            found.append(effects.sweep())

        many = [threading.Thread(target=sweep, args=[place]) for _ in range(4)]
        for one in many:
            one.start()
        for one in many:
            one.join()
        assert sum(found) == 20
        assert sorted(place.jobs()) == sorted(f"certificate:c-{n}:2" for n in range(20))

    def test_can_be_the_last(self, place: Place) -> None:
        """A row whose work kills whoever does it becomes a dead letter; a revocation does not."""
        old: dict[str, Any] = {"work_attempt": 12, "nudged_at": place.now() - 2 * MINUTE}
        place.want("c-1", **old)
        place.want("c-2", wanted="revoked", revoked_at=place.now(), **old)
        assert place.effects(STALE).sweep() == 2
        assert (place.row("c-1").work_dead, place.row("c-1").work_attempt) == (True, 12)
        assert (place.row("c-2").work_dead, place.row("c-2").work_attempt) == (False, 13)


class TestTheSweep:
    """What it leaves alone."""

    def test_never_supersedes_a_job_that_waits_its_turn(self, place: Place) -> None:
        """With a long queue that would never end; the row is looked at again a while later."""
        effects = place.effects(STALE)
        place.want("c-1", effects=effects, nudged_at=place.now() - 2 * MINUTE)
        assert effects.sweep() == 0
        assert place.row("c-1").work_attempt == 1
        assert place.row("c-1").nudged_at > place.now() - MINUTE / 2
        assert place.jobs() == {"certificate:c-1:1": "DELAYED"}

    def test_leaves_a_job_alone_that_was_taken_a_moment_ago(self, place: Place) -> None:
        """Between taking a job and claiming its row there is a moment, and it is not lost in it."""
        effects = place.effects(STALE)
        place.want("c-1", effects=effects, nudged_at=place.now() - 2 * MINUTE)
        taken(place, "certificate:c-1:1", ago=timedelta(seconds=2))
        assert effects.sweep() == 0
        assert place.row("c-1").work_attempt == 1

    @pytest.mark.parametrize(
        "standing", [{"work_dead": True}, {"work_wanted": False}, {"nudged_at": None}]
    )
    def test_leaves_other_rows_alone(self, place: Place, standing: dict[str, Any]) -> None:
        """Dead letters, rows that want nothing, and rows that were claimed a moment ago."""
        more: dict[str, Any] = {"nudged_at": place.now() - 2 * MINUTE} | standing
        if more["nudged_at"] is None:
            more["nudged_at"] = place.now() - MINUTE / 2
        place.want("c-1", **more)
        assert place.effects(STALE).sweep() == 0
        assert place.row("c-1").work_attempt == 1


class TestTheAlarm:
    """A revocation that the CA does not confirm."""

    def test_is_raised_after_an_hour_and_then_once_an_hour(self, place: Place) -> None:
        """It names the certificates, and does not repeat itself every minute."""
        now = place.now()
        revoked: dict[str, Any] = {"wanted": "revoked", "revoked_at": now}
        place.want("c-1", wanted_since=now - timedelta(minutes=61), **revoked)
        place.want("c-2", wanted_since=now - timedelta(minutes=59), **revoked)
        place.want("c-3", wanted_since=now - timedelta(days=1))
        passed = [0.0]
        alarm = OverdueRevocations(
            transactions=place.transactions,
            rows=WorkRows(),
            timing=Timing(),
            monotonic=lambda: passed[0],
        )
        with capture_logs() as logs:
            assert [alarm(), alarm()] == [1, 0]
            place.change("certificate", "c-2", wanted_since=now - timedelta(minutes=62))
            passed[0] = 60
            assert alarm() == 1
            passed[0] = 3600
            assert alarm() == 1
        assert [(one["event"], one["count"], one["certificates"]) for one in logs] == [
            ("revocation_overdue", 1, ["c-1"]),
            ("revocation_overdue", 1, ["c-2"]),
            ("revocation_overdue", 1, ["c-1"]),
        ]
        assert {one["log_level"] for one in logs} == {"error"}


class TestThePurge:
    """Records of jobs are of no use once they are finished."""

    def test_deletes_finished_jobs_and_gives_up_abandoned_ones(self, place: Place) -> None:
        """What waits, and what was taken lately, is kept."""
        effects = place.effects()
        for number in range(4):
            place.want(f"c-{number}", effects=effects)
        nudges = Nudges(place.url)
        long_ago = int((time.time() - 2 * 86_400) * 1000)
        place.execute(
            sa.text(
                f"UPDATE {place.job_tables[0]} SET status = 'SUCCESS', completed_at = {long_ago} "  # noqa: S608
                "WHERE workflow_uuid = 'certificate:c-0:1'"
            )
        )
        taken(place, "certificate:c-1:1", ago=timedelta(days=2))
        taken(place, "certificate:c-2:1", ago=timedelta(hours=2))
        try:
            assert nudges.purge(older_than=timedelta(days=1)) == 2
        finally:
            nudges.close()
        assert place.jobs() == {
            "certificate:c-1:1": "CANCELLED",
            "certificate:c-2:1": "PENDING",
            "certificate:c-3:1": "DELAYED",
        }
