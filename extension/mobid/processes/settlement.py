"""What follows for a profile and its run once the CA has spoken of every certificate (T4, L2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.crashpoints import CrashPoint
from mobid.domain.actors import SYSTEM
from mobid.domain.certificates import genuine
from mobid.domain.instances import InstanceState, Process, StepName
from mobid.domain.mobile_ids import ProfileState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from mobid.domain.certificates import Certificate
    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.ports import UnitOfWork


class Settlement:
    """Moves a profile on when its certificates allow it. The user must be locked already."""

    def __init__(self, *, phone_confirm: timedelta) -> None:
        self._phone_confirm: Final = phone_confirm

    def settle(self, unit: UnitOfWork, mobile_id: str) -> bool:
        """Apply what the certificates allow; say whether anything was written."""
        profile = unit.mobile_ids.get(mobile_id)
        certificates = unit.certificates.of_mobile_id(mobile_id)
        if profile.state is ProfileState.PENDING:
            return self._offer_to_phone(unit, profile, certificates)
        if profile.state is ProfileState.LOCKING and all(one.gone for one in certificates):
            self._locked(unit, profile, certificates)
            return True
        if self._can_resume(unit, profile, certificates):
            unit.save(profile.resume(at=unit.now))
            unit.audit(SYSTEM, "mobile_id.resume", "mobile_id", profile.id)
            return True
        return False

    def _offer_to_phone(
        self, unit: UnitOfWork, profile: MobileID, certificates: Sequence[Certificate]
    ) -> bool:
        """T4: all kinds are there, so the phone may fetch them."""
        instance = unit.instances.running_get(profile.user_id)
        if instance is None or instance.state is not InstanceState.WAITING_CA:
            return False
        ours = genuine(certificates)
        if {one.kind for one in ours} != set(instance.selected):
            return False
        if not all(one.usable for one in ours):
            return False
        expires_at = unit.now + self._phone_confirm
        unit.save(
            instance.to(
                StepName.CREATING, InstanceState.WAITING_DEVICE, expires_at=expires_at, at=unit.now
            )
        )
        unit.passes(CrashPoint.GET_ISSUED)
        unit.audit(SYSTEM, "get.issued", "instance", instance.id, certificates=len(ours))
        return True

    def _locked(
        self, unit: UnitOfWork, profile: MobileID, certificates: Sequence[Certificate]
    ) -> None:
        """L2: the CA has confirmed every revocation, or an operator has declared it gone."""
        unit.save(profile.confirm_locked(at=unit.now))
        never = sum(one.given_up_at is not None for one in certificates)
        unit.audit(SYSTEM, "mobile_id.locked", "mobile_id", profile.id, never_confirmed=never)
        for instance in unit.instances.running_locks(profile.id):
            if instance.process is Process.LOCK:
                unit.save(instance.end(InstanceState.COMPLETED, at=unit.now))

    @staticmethod
    def _can_resume(
        unit: UnitOfWork, profile: MobileID, certificates: Sequence[Certificate]
    ) -> bool:
        return (
            profile.state is ProfileState.INACTIVE
            and not profile.holds
            and all(one.usable for one in genuine(certificates))
            and not profile.past_end(unit.now)
        )
