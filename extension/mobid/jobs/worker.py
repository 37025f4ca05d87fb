"""The worker: the job engine of this process, which runs jobs as they fall due. One per process."""

from __future__ import annotations

import threading
import uuid
from math import ceil
from typing import TYPE_CHECKING, Final

from dbos import DBOS, DBOSPortableJSONSerializer

from mobid.jobs.attempts import Outcome
from mobid.jobs.errors import WorkerRunning
from mobid.jobs.nudges import APPLICATION, SCHEMA, VERSION, WORKFLOW
from mobid.storage.effects import Nudge

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

_MORE_CONNECTIONS: Final = 4
"""The job engine polls, listens and tidies up beside the jobs."""


class _Running:
    """What the jobs of this process are handed to."""

    def __init__(self) -> None:
        self.lock: Final = threading.Lock()
        self.make: Callable[[Nudge], Outcome] | None = None


_running: Final = _Running()


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=3)
def effect(kind: str, row_id: str, attempt: int) -> str:
    """Make one attempt. It never raises: the dead letter is the row, not a failed job."""
    make = _running.make
    return Outcome.SUPERSEDED.value if make is None else make(Nudge(kind, row_id, attempt)).value


def start(url: str, make: Callable[[Nudge], Outcome], *, concurrency: int) -> None:
    """Start to run jobs of this database; raise `WorkerRunning` if this process runs some already."""
    with _running.lock:
        if _running.make is not None:
            raise WorkerRunning
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": url,
                "dbos_system_schema": SCHEMA,
                "sys_db_pool_size": concurrency + _MORE_CONNECTIONS,
                # Two workers of the same name would take each other's running jobs for their own.
                "executor_id": uuid.uuid4().hex,
                "application_version": VERSION,
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "WARNING",
                "run_migrations": False,
            }
        )
        _running.make = make
        try:
            DBOS.launch()
        except BaseException:
            _running.make = None
            DBOS.destroy()
            raise


def stop(patience: timedelta) -> None:
    """Take no more jobs, wait for those at work, and let the process have another worker."""
    with _running.lock:
        DBOS.destroy(workflow_completion_timeout_sec=ceil(patience.total_seconds()))
        _running.make = None
