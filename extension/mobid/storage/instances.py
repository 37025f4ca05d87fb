"""The runs of processes: rows that are written only at the step that their writer has read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select, update

from mobid.domain.actors import Actor
from mobid.domain.instances import Instance, ScriptVersion
from mobid.processes.errors import NotFound, StaleStep
from mobid.storage.columns import is_storable
from mobid.storage.errors import UnreadInstance
from mobid.storage.json_forms import options_as_json, options_from_json
from mobid.storage.mapping import RowMap
from mobid.storage.tables import instances
from mobid.storage.tables.processes import IS_RUNNING, IS_RUNNING_GET, IS_RUNNING_LOCK
from mobid.storage.work import changed_work, new_work, work_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row, Select, TextClause

    from mobid.storage.transaction import Transaction
    from mobid.storage.work import Nudges

_MAP: Final = RowMap(
    Instance, parts={"actor": Actor, "script": ScriptVersion}, apart={"options", "work"}
)
_NEWEST_FIRST = (instances.c.created_at.desc(), instances.c.id.desc())


class SQLInstances:
    """Implements the port `Instances`, and writes them."""

    def __init__(self, transaction: Transaction, nudges: Nudges) -> None:
        self._transaction = transaction
        self._nudges = nudges
        self._seen: dict[str, tuple[int, int]] = {}

    def get(self, instance_id: str) -> Instance:
        """Return one; raise `NotFound`."""
        if is_storable(instance_id):
            for found in self._read(select(instances).where(instances.c.id == instance_id)):
                return found
        raise NotFound("process", instance_id)

    def running_get(self, user_id: str) -> Instance | None:
        """Return the user's only running Get."""
        found = self._running(IS_RUNNING_GET, instances.c.user_id == user_id)
        return found[0] if found else None

    def running_locks(self, mobile_id: str) -> Sequence[Instance]:
        """Return the running Locks of a profile."""
        return self._running(IS_RUNNING_LOCK, instances.c.mobile_id == mobile_id)

    def running_of(self, user_id: str) -> Sequence[Instance]:
        """Return all running instances of a user, the newest first."""
        return self._running(IS_RUNNING, instances.c.user_id == user_id)

    def due(self, at: datetime, limit: int) -> Sequence[Instance]:
        """Return running ones whose time is over."""
        query = select(instances).where(IS_RUNNING, instances.c.expires_at <= at)
        return self._read(query.order_by(instances.c.expires_at, instances.c.id).limit(limit))

    def add(self, instance: Instance) -> None:
        """Insert a new one."""
        values = _values(instance) | new_work(instance.work)
        self._transaction.write(insert(instances).values(values))
        self._saved(instance, read=0, stored=instance.work.attempt)

    def save(self, instance: Instance) -> None:
        """Update one, if its `step_seq` is still the one that was read here; raise `StaleStep`."""
        if instance.id not in self._seen:
            raise UnreadInstance(instance.id)
        step_seq, attempt = self._seen[instance.id]
        done = self._transaction.write(
            update(instances)
            .where(instances.c.id == instance.id, instances.c.step_seq == step_seq)
            .values(_values(instance) | changed_work(instances, instance.work, read=attempt))
            .returning(instances.c.work_attempt)
        )
        stored = done.scalar()
        if stored is None:
            raise StaleStep(self.get(instance.id))
        self._saved(instance, read=attempt, stored=stored)

    def _saved(self, instance: Instance, *, read: int, stored: int) -> None:
        self._seen[instance.id] = (instance.step_seq, instance.work.attempt)
        self._nudges.saved("instance", instance.id, instance.work, read=read, stored=stored)

    def _running(self, is_running: TextClause, of: ColumnElement[bool]) -> Sequence[Instance]:
        return self._read(select(instances).where(is_running, of).order_by(*_NEWEST_FIRST))

    def _read(self, query: Select[Any]) -> Sequence[Instance]:
        found = [_instance(row) for row in self._transaction.all(query)]
        self._seen.update((one.id, (one.step_seq, one.work.attempt)) for one in found)
        return found


def _instance(row: Row[Any]) -> Instance:
    options = options_from_json(row.options) if row.options else None
    return _MAP.entity(row, options=options, work=work_of(row))


def _values(instance: Instance) -> dict[str, Any]:
    options = options_as_json(instance.options) if instance.options else None
    return _MAP.columns(instance) | {"options": options}
