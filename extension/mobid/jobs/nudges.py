"""Nudges: durable jobs that say "look at this row", enqueued in the transaction of the row."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dbos import WorkflowStatus
    from sqlalchemy import Connection

    from mobid.storage.effects import Nudge

APPLICATION: Final = "mobid"
SCHEMA: Final = "dbos"
QUEUE: Final = "effects"
WORKFLOW: Final = "effect"
VERSION: Final = "1"
"""Pinned: otherwise it is a hash of the code, and new code would leave old jobs lying."""

_WAITING: Final = frozenset({"ENQUEUED", "DELAYED"})
_AT_WORK: Final = "PENDING"
_FINISHED: Final = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_PURGE_AT_ONCE: Final = 500


class Job:
    """What the job engine knows of the newest job of a row."""

    def __init__(self, status: WorkflowStatus | None) -> None:
        self._status: Final = status

    @property
    def waits(self) -> bool:
        """Whether it waits for its time or its turn."""
        return self._status is not None and self._status.status in _WAITING

    @property
    def at_work(self) -> bool:
        """Whether a worker took it and has not finished it; the worker may be dead."""
        return self._status is not None and self._status.status == _AT_WORK

    def taken_after(self, moment: datetime) -> bool:
        """Whether a worker took it later than that, so that its claim may be about to come."""
        if not self.at_work or self._status is None or self._status.dequeued_at is None:
            return False
        return self._status.dequeued_at > moment.timestamp() * 1000


class Nudges:
    """The queue of one database. It connects when it is first used and starts no thread."""

    def __init__(self, url: str) -> None:
        quieten()
        self._url: Final = url
        self._client: Final = DBOSClient(
            system_database_url=url,
            dbos_system_schema=SCHEMA,
            application_name=APPLICATION,
            serializer=DBOSPortableJSONSerializer(),
            lazy=True,
            retry_connection_errors=False,
        )

    def prepare(self) -> None:
        """Create or migrate the tables of the job engine; nothing happens if they are current."""
        DBOS.migrate(self._url, schema=SCHEMA)

    def open_queue(self, *, concurrency: int, poll: timedelta) -> None:
        """Make the queue known with its pace, so that the next worker polls it from its start."""
        self._client.register_queue(
            QUEUE,
            worker_concurrency=concurrency,
            polling_interval_sec=poll.total_seconds(),
            application_name=APPLICATION,
        )

    def enqueue(self, connection: Connection, nudge: Nudge, *, delay: timedelta) -> None:
        """Enqueue the job of this attempt in the caller's transaction, due after `delay`."""
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": job_id(nudge),
            "app_version": VERSION,
        }
        if delay > timedelta(0):
            options["delay_seconds"] = delay.total_seconds()
        self._client.enqueue_in_transaction(connection, options, *nudge)

    def jobs(self, nudges: Collection[Nudge]) -> Mapping[Nudge, Job]:
        """Return what became of the jobs of these attempts, those never enqueued included."""
        known = self._client.list_workflows(
            workflow_ids=[job_id(one) for one in nudges], load_input=False, load_output=False
        )
        by_id = {one.workflow_id: one for one in known}
        return {one: Job(by_id.get(job_id(one))) for one in nudges}

    def cancel(self, nudges: Collection[Nudge]) -> None:
        """Cancel jobs whose attempt was taken from them; what they report later is refused."""
        if nudges:
            self._client.cancel_workflows([job_id(one) for one in nudges])

    def purge(self, *, older_than: timedelta) -> int:
        """Delete finished jobs, and cancel those that a dead worker never reported on; count both."""
        before = (datetime.now(UTC) - older_than).isoformat()
        abandoned = self._ids(status=_AT_WORK, dequeued_before=before)
        if abandoned:
            self._client.cancel_workflows(abandoned)
        finished = self._ids(status=_FINISHED, completed_before=before)
        if finished:
            self._client.delete_workflows(finished)
        return len(abandoned) + len(finished)

    def close(self) -> None:
        """Close the connections."""
        self._client.destroy()

    def _ids(
        self,
        *,
        status: str | list[str],
        dequeued_before: str | None = None,
        completed_before: str | None = None,
    ) -> list[str]:
        found = self._client.list_workflows(
            name=WORKFLOW,
            status=status,
            dequeued_before=dequeued_before,
            completed_before=completed_before,
            limit=_PURGE_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        return [one.workflow_id for one in found]


def job_id(nudge: Nudge) -> str:
    """Return the identity of the one job of an attempt."""
    return f"{nudge.kind}:{nudge.id}:{nudge.attempt}"


def quieten() -> None:
    """Send the job engine's log, warnings and worse, where ours goes, and never to its own console."""
    log = logging.getLogger("dbos")
    log.setLevel(logging.WARNING)
    if not log.handlers:
        # An empty logger would be given a console of its own, cut off from our handlers.
        log.addHandler(logging.NullHandler())
