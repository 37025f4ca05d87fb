"""The rows of certificates, as effects work on them: read as they are now, changed with their user locked."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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
        with self.locked(self.read(certificate_id).mobile_id) as unit:
            change(unit, unit.certificates.get(certificate_id))
            unit.commit()

    @contextmanager
    def locked(self, mobile_id: str) -> Iterator[UnitOfWork]:
        """Begin a unit of work in which the owner of a profile is locked."""
        with self._units.reading() as unit:
            user_id = unit.mobile_ids.get(mobile_id).user_id
        with self._units() as unit:
            unit.users.lock(user_id)
            yield unit

    def now(self) -> datetime:
        """Return the time of the database."""
        with self._units.reading() as unit:
            return unit.now
