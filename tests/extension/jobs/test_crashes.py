"""Real worker processes that are killed and stopped in the middle: nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import sqlalchemy as sa

from mobid.jobs import Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.extension.jobs.conftest import Place

    from mobid.jobs import Effects

PROGRAM: Final = Path(__file__).with_name("worker_process.py")
GOOD: Final = 60
FLAKY: Final = 5
BAD: Final = 3


class Workers:
    """Starts worker processes, and ends with the test what is left of them."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def start(self, place: Place) -> subprocess.Popen[str]:
        """Start one, and wait until it works."""
        environ = os.environ | {"MOBID_TEST_DATABASE": place.url}
        worker = subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._started.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    def end(self) -> None:
        """Kill what still runs."""
        for one in self._started:
            one.kill()
            one.communicate()


def count(place: Place, what: str) -> int:
    """Return the number of rows of a table, or of those that a condition leaves."""
    return int(place.query(sa.text(f"SELECT count(*) FROM {what}"))[0][0])  # noqa: S608


def until(true: Callable[[], object], what: str, *, seconds: float = 30) -> None:
    """Look again and again until something is true."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if true():
            return
        pause.wait(0.05)
    pytest.fail(f"{what}: not within {seconds} s")


def fill(place: Place) -> Effects:
    """Commit rows that want work, one of them without its job."""
    effects = place.effects(Timing(first_job=Timing().poll))
    for number in range(GOOD):
        place.want(f"good-{number}", effects=effects)
    for number in range(FLAKY):
        place.want(f"flaky-{number}", effects=effects)
    for number in range(BAD):
        place.want(f"bad-{number}", effects=effects)
    place.want("orphan")
    return effects


def alive(place: Place) -> int:
    """Return how many rows still have a future."""
    return count(place, "certificates WHERE work_wanted AND NOT work_dead")


def nothing_is_lost(place: Place, record: Callable[[str, object], None]) -> None:
    """Every row that can be done was done, by key once, and the others are dead letters."""
    dead = place.query(sa.text("SELECT id, work_error FROM certificates WHERE work_dead"))
    assert {row.id: row.work_error for row in dead} == {
        bad: f"ValueError: {bad} cannot be done" for bad in (f"bad-{n}" for n in range(BAD))
    }
    done = {row.key for row in place.query(sa.text("SELECT key FROM outcomes"))}
    expected = {f"good-{n}" for n in range(GOOD)} | {f"flaky-{n}" for n in range(FLAKY)}
    assert done == expected | {"orphan"}
    assert count(place, "outcomes") == len(done)
    twice = "(SELECT key FROM calls WHERE key LIKE 'good%' GROUP BY key HAVING count(*) > 1) AS t"
    record("keys called twice", count(place, twice))


def killed(place: Place, workers: Workers, record: Callable[[str, object], None]) -> None:
    """SIGKILL in the middle; a second worker finishes, and ends in good order, without a word."""
    effects = fill(place)
    first = workers.start(place)
    until(lambda: count(place, "outcomes") >= 20, "a third is done")
    first.kill()
    assert first.wait(10) == -signal.SIGKILL
    assert alive(place) > 0
    second = workers.start(place)
    until(lambda: alive(place) == 0, "all is done")
    nothing_is_lost(place, record)
    calls = "calls WHERE key = 'bad-0'"
    before = count(place, calls)
    effects.requeue("certificate", "bad-0")
    until(lambda: count(place, calls) > before, "the dead letter is tried again")
    second.terminate()
    assert second.wait(15) == 0
    assert second.stdout is not None
    assert second.stdout.read() == ""


def stopped(place: Place, workers: Workers, record: Callable[[str, object], None]) -> None:
    """SIGSTOP in the middle; another worker takes over, and the zombie wakes up when all is done."""
    fill(place)
    zombie = workers.start(place)
    until(lambda: count(place, "outcomes") >= 10, "some are done")
    zombie.send_signal(signal.SIGSTOP)
    # A zombie may hold a row in an open transaction. PostgreSQL ends it after a minute, when a row
    # that is as impatient as ours would be dead long since; here it ends it now.
    place.query(
        sa.text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            " AND pid <> pg_backend_pid()"
        )
    )
    other = workers.start(place)
    until(lambda: alive(place) == 0, "all is done", seconds=90)
    zombie.send_signal(signal.SIGCONT)
    zombie.terminate()
    other.terminate()
    assert [zombie.wait(15), other.wait(15)] == [0, 0]
    nothing_is_lost(place, record)
    assert alive(place) == 0


SCENES: Final = {
    ("killed", "sqlite"): killed,
    ("killed", "postgresql"): killed,
    ("stopped", "postgresql"): stopped,
}
"""SQLite has one process; one that is stopped in it stops all."""


@pytest.fixture(scope="module")
def scenes(
    prepare: Callable[[str], Place], record_testsuite_property: Callable[[str, object], None]
) -> Iterator[dict[tuple[str, str], Future[None]]]:
    """All that happens here, side by side: it is mostly waiting."""
    places = {scene: prepare(scene[1]) for scene in SCENES}
    workers = Workers()
    with ThreadPoolExecutor(len(SCENES)) as together:
        yield {
            scene: together.submit(play, places[scene], workers, record_testsuite_property)
            for scene, play in SCENES.items()
        }
        together.shutdown(wait=True)
    workers.end()
    for one in places.values():
        one.stop()


@pytest.mark.parametrize("database_name", ["sqlite", "postgresql"])
def test_a_killed_worker_loses_nothing(
    scenes: dict[tuple[str, str], Future[None]], database_name: str
) -> None:
    """What it had in hand is done by the next one; what nobody can do becomes a dead letter."""
    scenes["killed", database_name].result()


def test_a_stopped_worker_that_comes_back_does_no_harm(
    scenes: dict[tuple[str, str], Future[None]],
) -> None:
    """Others take over from a zombie; what it reports when it wakes up is refused."""
    scenes["stopped", "postgresql"].result()
