"""A commit nudges in its transaction, and its thread tries at once, without ever being held up."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from mobid.jobs import Nudge, Timing, UnknownKind
from mobid.jobs.errors import HandlersMissing

if TYPE_CHECKING:
    from tests.extension.jobs.conftest import Place

    from mobid.jobs import Effects

ONE_THREAD = Timing(at_once=timedelta(seconds=0.3), at_once_threads=1)


class TestANudge:
    """The job that a commit leaves behind."""

    def test_is_part_of_the_transaction(self, place: Place) -> None:
        """What is rolled back leaves no job, what is committed leaves one."""
        effects = place.effects()
        with place.transactions.begin() as connection:
            effects.nudge(connection, "certificate", "c-1", 1)
            connection.rollback()
        assert place.jobs() == {}
        with place.transactions.writing() as connection:
            effects.nudge(connection, "certificate", "c-1", 1)
        assert place.jobs() == {"certificate:c-1:1": "DELAYED"}

    def test_is_due_after_the_committing_thread_had_its_try(self, place: Place) -> None:
        """The job of a fresh attempt waits for ten seconds."""
        before = time.time()
        place.want("c-1", effects=place.effects())
        due = place.jobs("delay_until_epoch_ms")["certificate:c-1:1"] / 1000
        assert before + 9.9 <= due <= time.time() + 10

    def test_carries_ids_only_and_nothing_pickled(self, place: Place) -> None:
        """Whoever can write to the database must not be able to run code in a worker."""
        place.want("c-1", effects=place.effects())
        stored = place.query(sa.text(f"SELECT inputs FROM {place.job_tables[1]}"))  # noqa: S608
        assert [json.loads(row.inputs) for row in stored] == [
            {"positionalArgs": ["certificate", "c-1", 1], "namedArgs": {}}
        ]
        assert place.jobs("serialization") == {"certificate:c-1:1": "portable_json"}

    def test_of_an_unknown_kind_is_refused(self, place: Place) -> None:
        """A misspelt kind would otherwise be work that nobody does."""
        with (
            pytest.raises(
                UnknownKind, match='"letter" is no kind of work; it is one of certificate'
            ),
            place.transactions.writing() as connection,
        ):
            place.effects().nudge(connection, "letter", "x", 1)

    def test_needs_a_handler_for_every_kind(self, place: Place) -> None:
        """Effects that could not do some of the work are not made."""
        with pytest.raises(HandlersMissing, match=r"for certificate; exactly these kinds need one"):
            type(place.effects())(
                place.transactions, url=place.url, handlers={"certificate": place.hand()}
            )


class TestTheCommittingThread:
    """What happens right after a commit."""

    def test_does_the_work_at_once(self, place: Place) -> None:
        """When `committed` returns, the row wants nothing more, and its job has nothing to do."""
        hand = place.hand()
        effects = place.effects(certificate=hand)
        effects.committed([place.want("c-1", effects=effects)])
        assert hand.called == ["c-1"]
        row = place.row("c-1")
        assert (row.work_wanted, row.work_attempt, row.work_claimed) == (False, 1, 1)
        assert place.jobs() == {"certificate:c-1:1": "DELAYED"}

    def test_tries_an_instance_after_its_certificates(self, place: Place) -> None:
        """Whatever the order in which they were saved, what builds on others comes last."""
        order: list[str] = []
        effects = place.effects(
            certificate=place.hand(called=order), instance=place.hand("instance", called=order)
        )
        wanted = [place.want("i-1", "instance"), place.want("c-1"), place.want("c-2")]
        effects.committed(wanted)
        assert sorted(order[:2]) == ["c-1", "c-2"]
        assert order[2:] == ["i-1"]

    def test_is_held_up_no_longer_than_agreed(self, place: Place) -> None:
        """A slow CA does not make its user wait; the work goes on behind their back."""
        answered, finished = threading.Event(), threading.Event()
        hand = place.hand()

        def slow(row_id: str) -> None:
            answered.wait(5)
            hand.finish(row_id)
            finished.set()

        hand.does = slow
        effects = place.effects(certificate=hand)
        wanted = place.want("c-1", effects=effects)
        started = time.monotonic()
        effects.committed([wanted])
        assert 0.3 <= time.monotonic() - started < 1
        answered.set()
        assert finished.wait(5)
        assert not place.row("c-1").work_wanted

    def test_leaves_to_the_jobs_what_it_did_not_come_to(self, place: Place) -> None:
        """Tries do not pile up behind a slow CA: what was not begun in time is not begun at all."""
        answered = threading.Event()
        hand = place.hand()
        hand.does = lambda _: answered.wait(5)
        effects = place.effects(ONE_THREAD, certificate=hand)
        effects.committed([place.want("c-1"), place.want("c-2")])
        answered.set()
        effects.committed([place.want("c-3")])
        first, last = hand.called
        assert last == "c-3"
        assert place.row({"c-1", "c-2"}.difference({first}).pop()).work_claimed == 0

    def test_hears_of_no_error(self, place: Place) -> None:
        """What failed is written on the row, and in the log, and its next job is on its way."""
        hand = place.hand()
        hand.does = lambda _: (_ for _ in ()).throw(RuntimeError("the CA is on fire"))
        effects = place.effects(certificate=hand)
        with capture_logs() as logs:
            effects.committed([place.want("c-1", effects=effects)])
        row = place.row("c-1")
        assert (row.work_wanted, row.work_attempt, row.work_dead) == (True, 2, False)
        assert row.work_error == "RuntimeError: the CA is on fire"
        assert place.jobs() == {"certificate:c-1:1": "DELAYED", "certificate:c-1:2": "DELAYED"}
        assert [(one["event"], one["id"], one["attempt"]) for one in logs] == [
            ("effect_failed", "c-1", 1)
        ]

    def test_hears_of_no_fault_of_ours_either(self, place: Place) -> None:
        """What is committed is committed: even nonsense raises nothing, and is in the log."""
        with capture_logs() as logs:
            place.effects().committed([("letter", "x", 1)])
        assert [one["event"] for one in logs] == ["effects_not_tried_at_once"]

    def test_tries_nothing_after_the_end(self, place: Place) -> None:
        """Stopped effects leave the work to the jobs of others."""
        hand = place.hand()
        effects = place.effects(certificate=hand)
        effects.stop()
        effects.committed([place.want("c-1")])
        assert hand.called == []


class TestAThreadThatDoesAnEffect:
    """Handlers commit, too; what they want is done on the same thread."""

    def test_does_what_follows_inline(self, place: Place) -> None:
        """A certificate that lets its instance go on does not wait for a free thread."""
        made: list[Effects] = []
        threads: list[int] = []
        certificate, instance = place.hand(), place.hand("instance")

        def store_and_let_go_on(row_id: str) -> None:
            certificate.finish(row_id)
            threads.append(threading.get_ident())
            made[0].committed([place.want("i-1", "instance")])
            assert not place.row("i-1", "instance").work_wanted

        certificate.does = store_and_let_go_on

        def finish(row_id: str) -> None:
            threads.append(threading.get_ident())
            instance.finish(row_id)

        instance.does = finish
        made.append(
            place.effects(Timing(at_once_threads=1), certificate=certificate, instance=instance)
        )
        made[0].committed([place.want("c-1")])
        assert len(threads) == 2
        assert threads[0] == threads[1] != threading.get_ident()

    def test_does_not_go_round_in_a_circle(self, place: Place) -> None:
        """A row that wants a fresh attempt while it is worked at waits for its next job."""
        made: list[Effects] = []
        hand = place.hand()

        def ask_again_later(row_id: str) -> None:
            place.change("certificate", row_id, work_attempt=2)
            made[0].committed([("certificate", row_id, 2)])

        hand.does = ask_again_later
        made.append(place.effects(certificate=hand))
        made[0].committed([place.want("c-1")])
        assert hand.called == ["c-1"]
        assert (place.row("c-1").work_attempt, place.row("c-1").work_claimed) == (2, 1)


class TestAClaim:
    """Whoever wins the claim does the work; the others do nothing."""

    def test_is_won_by_one_of_many(self, place: Place) -> None:
        """Eight processes that follow the same nudges at the same moment make one call each."""
        hand = place.hand()
        wanted = [place.want(f"c-{number}") for number in range(4)]
        start = threading.Barrier(8)

        def follow(effects: Effects) -> None:
            start.wait()
            effects.committed(wanted)

        many = [
            threading.Thread(target=follow, args=[place.effects(Timing(), certificate=hand)])
            for _ in range(8)
        ]
        for one in many:
            one.start()
        for one in many:
            one.join()
        assert sorted(hand.called) == ["c-0", "c-1", "c-2", "c-3"]

    @pytest.mark.parametrize(
        "standing",
        [
            {"work_attempt": 2},
            {"work_claimed": 1},
            {"work_wanted": False},
            {"work_dead": True},
        ],
        ids=["a later attempt", "somebody else's", "done", "dead"],
    )
    def test_is_lost_on_a_row_that_moved_on(self, place: Place, standing: dict[str, Any]) -> None:
        """A job that comes too late, or twice, finds nothing to do."""
        hand = place.hand()
        place.want("c-1", **standing)
        place.effects(certificate=hand).committed([("certificate", "c-1", 1)])
        assert hand.called == []

    def test_is_when_the_age_of_an_attempt_begins(self, place: Place) -> None:
        """A job that waited long in the queue is not lost the moment it starts."""
        hand = place.hand()
        hand.does = lambda row_id: hand.called.append(str(place.row(row_id).nudged_at))
        long_ago = place.now() - timedelta(hours=1)
        place.want("c-1", nudged_at=long_ago)
        place.effects(certificate=hand).committed([Nudge("certificate", "c-1", 1)])
        assert hand.called[1] > str(long_ago + timedelta(minutes=59))
