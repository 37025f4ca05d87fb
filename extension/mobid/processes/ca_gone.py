"""A CA that will never answer again: an operator says so, and what waited for its word goes on without.

Nothing is said that the CA has not said. Its certificates keep its last word, and what is locked by
this is locked here, not confirmed by the CA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.processes.authority import AuthorityError
from mobid.processes.errors import CAStillAnswers, NotFound
from mobid.processes.owner_lock import owner_locked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mobid.domain.actors import Actor
    from mobid.processes.authority import Authority
    from mobid.processes.ports import Units
    from mobid.processes.settlement import Settlement


class LostAuthorities:
    """Gives up revocations that nobody can confirm any more."""

    def __init__(
        self, units: Units, authorities: Mapping[str, Authority], settlement: Settlement
    ) -> None:
        self._units = units
        self._authorities = authorities
        self._settlement = settlement

    def waiting(self, ca: str) -> Sequence[str]:
        """Return the certificates whose revocation a CA has not confirmed.

        Raise `CAStillAnswers`, or `NotFound` for a CA that is not in the settings and has none.
        """
        with self._units.reading() as unit:
            waiting = unit.certificates.unconfirmed(ca)
        if ca in self._authorities:
            self._must_not_answer(ca)
        elif not waiting:
            raise NotFound("CA with revocations to confirm", ca)
        return waiting

    def declare_gone(self, ca: str, *, by: Actor) -> int:
        """Give up all that wait for this CA, and lock what is only waiting for them; say how many.

        A mobile ID that is locked later waits again. If the CA ever answers after all, it is
        asked and told as before.
        """
        waiting = self.waiting(ca)
        with self._units() as unit:
            unit.audit(by, "ca.declared_gone", "ca", ca, certificates=len(waiting))
            unit.commit()
        return sum(self._give_up(certificate_id, by) for certificate_id in waiting)

    def _must_not_answer(self, ca: str) -> None:
        try:
            self._authorities[ca].capabilities()
        except AuthorityError:
            return
        raise CAStillAnswers(ca)

    def _give_up(self, certificate_id: str, by: Actor) -> bool:
        with self._units.reading() as reading:
            mobile_id = reading.certificates.get(certificate_id).mobile_id
        with owner_locked(self._units, mobile_id) as unit:
            one = unit.certificates.get(certificate_id)
            if one.settled:
                return False
            unit.save(one.give_up(at=unit.now))
            unit.save(unit.mobile_ids.get(mobile_id).touch(at=unit.now))
            unit.audit(by, "certificate.given_up", "certificate", one.id, ca_state=one.ca_state)
            self._settlement.settle(unit, mobile_id)
            unit.commit()
            return True
