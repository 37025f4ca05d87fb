"""Time: what ends when it is over. Checked at use, and by a sweep for what nobody looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from mobid.domain.actors import SYSTEM
from mobid.domain.instances import InstanceState, Process, StepName
from mobid.processes.ending import fail_get
from mobid.processes.expiry import expire_if_over

if TYPE_CHECKING:
    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.ports import UnitOfWork, Units

BATCH: Final = 200

_log: Final = structlog.get_logger(__name__)


def expire(unit: UnitOfWork, instance: Instance) -> Instance:
    """End an instance whose time is over; the caller writes the answer."""
    if instance.process is Process.LOCK:
        unit.audit(SYSTEM, "lock.expired", "instance", instance.id, step=instance.step)
        return instance.end(InstanceState.EXPIRED, at=unit.now)
    if instance.step is not StepName.CREATING:
        return fail_get(unit, instance, "ENROLMENT_EXPIRED", by=SYSTEM, state=InstanceState.EXPIRED)
    waits_for_ca = instance.state is InstanceState.WAITING_CA
    error = "CA_UNAVAILABLE" if waits_for_ca else "DEVICE_NOT_CONFIRMED"
    return fail_get(unit, instance, error, by=SYSTEM)


class TimeOuts:
    """The sweep over instances and mobile IDs whose time is over."""

    def __init__(self, units: Units) -> None:
        self._units = units

    def end_instances(self) -> int:
        """End every running instance that is past its time; return how many."""
        with self._units.reading() as unit:
            due = unit.instances.due(unit.now, BATCH)
        return sum(self._end(instance) for instance in due)

    def _end(self, seen: Instance) -> bool:
        with self._units() as unit:
            unit.users.lock(seen.user_id)
            instance = unit.instances.get(seen.id)
            if not instance.over(unit.now):
                return False
            unit.save(expire(unit, instance))
            unit.commit()
            return True

    def expire_mobile_ids(self) -> int:
        """Expire mobile IDs whose end is reached, and revoke what is still valid; return how many."""
        with self._units.reading() as unit:
            due = unit.mobile_ids.past_end(unit.now, BATCH)
        return sum(self._expire(profile) for profile in due)

    def _expire(self, seen: MobileID) -> bool:
        with self._units() as unit:
            unit.users.lock(seen.user_id)
            profile = unit.mobile_ids.get(seen.id)
            if expire_if_over(unit, profile) is profile:
                return False
            unit.commit()
            return True
