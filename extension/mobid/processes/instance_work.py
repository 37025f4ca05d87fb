"""The effect of an instance that waits for the CA: move on when its certificates allow it.

The transaction that stores a CA's word moves the run on by itself. This is for the crash between
the two, and it makes a run that waits for a CA a row that wants work like every other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.domain.instances import InstanceState
from mobid.processes.not_yet import NotYet

if TYPE_CHECKING:
    from mobid.processes.ports import Units
    from mobid.processes.settlement import Settlement

ASK_AGAIN: Final = 15.0


class InstanceWork:
    """Does the work of instances that wait for a CA."""

    def __init__(self, units: Units, settlement: Settlement) -> None:
        self._units = units
        self._settlement = settlement

    def __call__(self, instance_id: str) -> None:
        """Do T4, or what ends a Lock; raise `NotYet` while the CA has not confirmed."""
        with self._units.reading() as unit:
            seen = unit.instances.get(instance_id)
        if seen.state is not InstanceState.WAITING_CA or seen.mobile_id is None:
            return
        with self._units() as unit:
            unit.users.lock(seen.user_id)
            if self._settlement.settle(unit, seen.mobile_id):
                unit.commit()
            state = unit.instances.get(instance_id).state
        if state is InstanceState.WAITING_CA:
            raise NotYet(f"Process {instance_id} still waits for its CA.", ASK_AGAIN)
