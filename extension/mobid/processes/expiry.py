"""The end of a mobile ID: whoever meets it first draws the consequences, the sweep or a use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.domain.actors import SYSTEM
from mobid.domain.certificates import RevocationReason
from mobid.processes.locking import revoke_certificates

if TYPE_CHECKING:
    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.ports import UnitOfWork


def expire_if_over(unit: UnitOfWork, profile: MobileID) -> MobileID:
    """Return a mobile ID as the clock has it: one whose end is reached expires in this unit.

    What of its certificates is still valid is wanted revoked. The user must be locked already.
    """
    seen = profile.as_of(unit.now)
    if seen is not profile:
        unit.save(seen)
        unit.audit(SYSTEM, "mobile_id.expire", "mobile_id", profile.id)
        revoke_certificates(unit, profile.id, RevocationReason.CESSATION_OF_OPERATION)
    return seen
