"""The effects on a certificate: call the CA until its own word agrees with ours.

What has no certificate yet is ordered (`mobid.processes.issuing`); about what has one the CA is told
and asked (`mobid.processes.agreeing`). Both call the CA outside any transaction, and both are safe
to repeat after a crash at any point.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mobid.processes.agreeing import Agreeing
from mobid.processes.authority import Unavailable
from mobid.processes.certificate_rows import CertificateRows
from mobid.processes.issuing import Issuing
from mobid.processes.not_yet import NotYet

if TYPE_CHECKING:
    from mobid.domain.certificates import Certificate
    from mobid.processes.authority import Authority
    from mobid.processes.ports import AuthorityDirectory, Units
    from mobid.processes.settlement import Settlement

LONGEST_CALL: Final = timedelta(seconds=60)
"""After this time no other thread can still be placing an order; see `Times.attempt_lost`."""


class CertificateWork:
    """Does the work that a certificate row wants. Every call is safe to repeat."""

    def __init__(
        self,
        units: Units,
        authorities: AuthorityDirectory,
        settlement: Settlement,
        *,
        longest_call: timedelta = LONGEST_CALL,
    ) -> None:
        self._authorities = authorities
        self._rows = CertificateRows(units)
        self._issuing = Issuing(units, self._rows, settlement, longest_call=longest_call)
        self._agreeing = Agreeing(self._rows, settlement, self._authority)

    def __call__(self, certificate_id: str) -> None:
        """Do the next thing for one certificate; raise what the CA raises, to be tried again.

        Raise `NotYet` if the CA has not yet said what we want to hear: the rest is a later attempt's.
        """
        certificate = self._rows.read(certificate_id)
        if certificate.settled:
            return
        if certificate.der is None:
            self._issuing.order(certificate, self._authority(certificate))
        else:
            self._agreeing.tell(certificate)
        one = self._rows.read(certificate_id)
        if not one.settled:
            raise NotYet(f"The CA {one.ca} says {one.ca_state}; wanted is {one.wanted}.")

    def ask(self, certificate_id: str) -> None:
        """Ask the CA for its own word on a certificate, and draw the consequences."""
        certificate = self._rows.read(certificate_id)
        if certificate.der is not None:
            self._agreeing.ask(certificate)

    def _authority(self, certificate: Certificate) -> Authority:
        """Return the CA of a certificate; one that is not in the settings any more is away."""
        try:
            return self._authorities[certificate.ca]
        except KeyError:
            raise Unavailable(
                f'The CA "{certificate.ca}" is not in the settings; put it back, or declare it gone '
                f"with: mobid ca declare-gone {certificate.ca}"
            ) from None
