"""How long effects wait, try, and hold on: numbers that fit together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The times of effects; what is said of one of them holds for the others' sake."""

    first_job: timedelta = timedelta(seconds=10)
    """When the job of a fresh commit is due, so that the thread that committed tries first."""
    at_once: timedelta = timedelta(seconds=2)
    """How long a commit waits, all in all, for what it tries at once."""
    at_once_threads: int = 8
    """How many effects one process tries at once, beside those of its jobs."""
    stale: timedelta = timedelta(seconds=60)
    """When a claimed attempt counts as lost; longer than all time-outs of a handler together."""
    sweep: timedelta = timedelta(seconds=2)
    """How often lost attempts are looked for."""
    poll: timedelta = timedelta(seconds=1)
    """How often a worker looks for jobs that are due; none is due at once."""
    concurrency: int = 8
    """How many jobs one worker does at the same time."""
    back_off_least: timedelta = timedelta(seconds=5)
    back_off_most: timedelta = timedelta(minutes=5)
    """A row waits about as long again as it has been wanting, between these two."""
    most_attempts: int = 12
    patience: timedelta = timedelta(minutes=30)
    """A row whose unexpected error outlives both this many attempts and this time is dead."""
    overdue: timedelta = timedelta(hours=1)
    """When an unconfirmed revocation raises the alarm, and how often again."""
    clock_drift: timedelta = timedelta(minutes=5)
    """How far wall and monotonic clock may part between two runs of an irreversible task."""
    keep_jobs: timedelta = timedelta(days=1)
    """How long the records of finished jobs are kept."""
    stop: timedelta = timedelta(seconds=5)
    """How long a stopping worker waits for the jobs at work."""
