"""A certificate in two voices: what we want of it, and what the CA last confirmed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from mobid.domain.errors import IllegalTransition
from mobid.domain.work import Work

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mobid.domain.options import Kind


class Wanted(StrEnum):
    """Our decision. It only tightens, except that a hold can be taken back; revoked is for good."""

    VALID = "valid"
    HELD = "held"
    REVOKED = "revoked"


class CAState(StrEnum):
    """The CA's last confirmed word. "Revoked in the CA" is never said before the CA said so."""

    REQUESTED = "requested"
    VALID = "valid"
    HELD = "held"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    ABSENT = "absent"
    """Nothing was ever sent, or `find` came back empty after the settle time."""


class RevocationReason(StrEnum):
    """Why we want a certificate revoked; connectors map it to RFC 5280, 5.3.1."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "key_compromise"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessation_of_operation"


AGREED: Final = frozenset(
    {
        (Wanted.VALID, CAState.VALID),
        (Wanted.HELD, CAState.HELD),
        (Wanted.REVOKED, CAState.REVOKED),
        (Wanted.REVOKED, CAState.ABSENT),
    }
)
GONE: Final = frozenset({CAState.REVOKED, CAState.ABSENT, CAState.EXPIRED})
"""What the CA must have said of every certificate before its mobile ID is `locked`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One order to one CA and, once the CA has answered and we have verified it, its certificate."""

    id: str
    mobile_id: str
    kind: Kind
    ca: str
    csr: bytes
    key_hash: bytes
    subject: bytes
    """DER of the subject name that we ordered."""
    san: str
    """The alternative names that we ordered, one a line."""
    not_before: datetime
    not_after: datetime
    profile_hash: str
    ordered_at: datetime
    wanted: Wanted = Wanted.VALID
    ca_state: CAState = CAState.REQUESTED
    quarantined: bool = False
    holdable: bool = True
    """Whether the CA can suspend; if not, a held one stays visibly valid there."""
    sent_at: datetime | None = None
    der: bytes | None = None
    chain: tuple[bytes, ...] = ()
    serial: str | None = None
    reason: RevocationReason = RevocationReason.UNSPECIFIED
    revoked_at: datetime | None = None
    asked_at: datetime | None = None
    given_up_at: datetime | None = None
    """When an operator declared its CA gone: the CA's last word stands, and is not the one we want."""
    work: Work = field(default_factory=Work)

    @property
    def settled(self) -> bool:
        """Whether the two voices agree, so that nothing is left to do."""
        return (
            (self.wanted, self.ca_state) in AGREED
            or self.ca_state is CAState.EXPIRED
            or self.held_here_only
            or self.given_up_at is not None
        )

    @property
    def held_here_only(self) -> bool:
        """Whether it is suspended here and visibly still valid in its CA, which cannot hold."""
        return not self.holdable and (self.wanted, self.ca_state) == (Wanted.HELD, CAState.VALID)

    @property
    def usable(self) -> bool:
        """Whether it is issued, verified, and valid here and in the CA."""
        return (
            self.wanted is Wanted.VALID
            and self.ca_state is CAState.VALID
            and not self.quarantined
            and self.der is not None
        )

    @property
    def gone(self) -> bool:
        """Whether the CA has confirmed that nobody can use it any more, or never will say anything."""
        return self.ca_state in GONE or self.given_up_at is not None

    def want(
        self,
        wanted: Wanted,
        *,
        at: datetime,
        reason: RevocationReason = RevocationReason.UNSPECIFIED,
    ) -> Certificate:
        """Change our decision. Revoked never goes back; a revoked one keeps its first reason and time."""
        if self.wanted is Wanted.REVOKED or wanted is self.wanted:
            return self
        if wanted is Wanted.REVOKED:
            return replace(self, wanted=wanted, reason=reason, revoked_at=at).nudged(at)
        return replace(self, wanted=wanted, ca_state=self._word_to_count_on()).nudged(at)

    def sent(self, at: datetime) -> Certificate:
        """The order is about to leave; from now on its outcome may be unknown."""
        return replace(self, sent_at=at)

    def issued(
        self, *, der: bytes, chain: tuple[bytes, ...], serial: str, at: datetime
    ) -> Certificate:
        """A certificate came back and was verified."""
        stored = replace(self, der=der, chain=chain, serial=serial)
        return stored.heard(CAState.VALID, at=at)

    def quarantine(self, *, der: bytes, serial: str | None, at: datetime) -> Certificate:
        """A certificate came back that is not what was ordered: nobody gets it, and it is revoked."""
        kept = replace(
            self,
            quarantined=True,
            der=der,
            serial=serial,
            ca_state=CAState.VALID,
            given_up_at=None,
        )
        if kept.wanted is Wanted.REVOKED:
            return kept.nudged(at)
        return kept.want(Wanted.REVOKED, at=at, reason=RevocationReason.CESSATION_OF_OPERATION)

    def heard(self, ca_state: CAState, *, at: datetime) -> Certificate:
        """The CA's own word, confirmed; the work goes on until it agrees with ours.

        News starts a fresh attempt at once. The same word again leaves the attempt to its back-off.
        """
        news = ca_state is not self.ca_state
        heard = replace(self, ca_state=ca_state, asked_at=at, given_up_at=None)
        waits = self.work.wanted and not heard.settled and not news
        return heard if waits else heard.nudged(at)

    def give_up(self, *, at: datetime) -> Certificate:
        """An operator has declared the CA gone: its revocation is never confirmed, and not asked for."""
        if self.wanted is not Wanted.REVOKED or self.settled:
            raise IllegalTransition(
                "Certificate",
                self.id,
                state=f"{self.wanted}/{self.ca_state}",
                event="give-up",
                right="is for one whose revocation its CA has not confirmed",
            )
        return replace(self, given_up_at=at, work=self.work.done())

    def nudged(self, at: datetime) -> Certificate:
        """Return it with work wanted, at a fresh attempt, exactly when the two voices differ."""
        if self.settled:
            return replace(self, work=self.work.done())
        return replace(self, work=self.work.want(at))

    def _word_to_count_on(self) -> CAState:
        """The CA's word, unless a hold or a release that is taken back may be on its way there.

        Then the CA is asked again: a hold that arrives after all must not go unnoticed.
        """
        on_its_way = self.ca_state in {CAState.VALID, CAState.HELD} and not self.settled
        return CAState.UNKNOWN if on_its_way else self.ca_state


def genuine(certificates: Iterable[Certificate]) -> list[Certificate]:
    """Return those that a mobile ID is made of: without quarantined and duplicate ones."""
    return [one for one in certificates if not one.quarantined]
