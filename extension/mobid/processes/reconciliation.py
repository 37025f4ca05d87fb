"""Ask every CA for its own word: what it can do, and the status of every live certificate.

A revocation behind our back is found here, and a certificate that came back to life is revoked
again; nothing is believed because we once said it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from mobid.processes.authority import AuthorityError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mobid.processes.authority import Authority
    from mobid.processes.ports import Units

ASKED_EVERY: Final = timedelta(days=1)
BATCH: Final = 200

_log: Final = structlog.get_logger(__name__)


class Reconciliation:
    """Compares our record with the CAs'."""

    def __init__(
        self, units: Units, authorities: Mapping[str, Authority], ask: Callable[[str], None]
    ) -> None:
        self._units = units
        self._authorities = authorities
        self._ask = ask

    def probe(self) -> None:
        """Ask every CA what it can do, and store the answers; one that does not answer is logged."""
        for name, authority in self._authorities.items():
            try:
                capabilities = authority.capabilities()
            except AuthorityError as error:
                _log.warning("ca_does_not_answer", ca=name, error=str(error))
                continue
            with self._units() as unit:
                unit.authorities.record(name, capabilities)
                unit.commit()

    def overdue(self) -> int:
        """Ask for every live certificate that was not asked for in a day; return how many."""
        return self.run(older_than=ASKED_EVERY)

    def run(self, *, older_than: timedelta = timedelta(0)) -> int:
        """Ask for every live certificate not asked for since then; return how many were asked.

        A CA that does not answer is logged and left for the next time.
        """
        with self._units.reading() as unit:
            before = unit.now - older_than
        asked: set[str] = set()
        while True:
            with self._units.reading() as unit:
                due = [
                    one.id for one in unit.certificates.to_ask(before, BATCH) if one.id not in asked
                ]
            if not due:
                return len(asked)
            for certificate_id in due:
                asked.add(certificate_id)
                self._ask_one(certificate_id)

    def _ask_one(self, certificate_id: str) -> None:
        try:
            self._ask(certificate_id)
        except AuthorityError as error:
            _log.warning("ca_does_not_answer", certificate=certificate_id, error=str(error))
