"""The rows of certificates, as effects work on them: read as they are now, changed with their user locked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.processes.owner_lock import owner_locked

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mobid.domain.certificates import Certificate
    from mobid.processes.ports import UnitOfWork, Units


class CertificateRows:
    """Reads and changes one certificate at a time, each in a unit of work of its own."""

    def __init__(self, units: Units) -> None:
        self._units = units

    def read(self, certificate_id: str) -> Certificate:
        """Return a certificate as it is now."""
        with self._units.reading() as unit:
            return unit.certificates.get(certificate_id)

    def change(
        self, certificate_id: str, change: Callable[[UnitOfWork, Certificate], None]
    ) -> None:
        """Commit a change of a certificate, which is read again once its user is locked."""
        with owner_locked(self._units, self.read(certificate_id).mobile_id) as unit:
            change(unit, unit.certificates.get(certificate_id))
            unit.commit()

    def now(self) -> datetime:
        """Return the time of the database."""
        with self._units.reading() as unit:
            return unit.now
