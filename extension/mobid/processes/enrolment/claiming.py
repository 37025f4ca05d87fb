"""Claiming a code: it is bound to the first phone that comes, by one conditional UPDATE."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from mobid.domain.enrolments import Claim
from mobid.domain.instances import SHOWS_CODE
from mobid.processes.codes import code_hash, mail_code_hash
from mobid.processes.enrolment.answers import claimed
from mobid.processes.enrolment.binding import actor_of, find, running
from mobid.processes.errors import BadMailCode, CodeNotUsable, MailCodeRequired

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid.domain.enrolments import Enrolment
    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import Device
    from mobid.processes.enrolment.answers import Claimed
    from mobid.processes.ports import UnitOfWork, Units

_NUMBERS: Final = range(10, 100)
_CHOICES: Final = 3


@dataclass(frozen=True, slots=True)
class Tried:
    """A mail code that somebody has sent, and which of an enrolment's mail codes it was counted for."""

    number: int
    mail_code_hash: bytes = field(repr=False)

    def fits(self, enrolment: Enrolment) -> bool:
        """Return whether it is right; how long that takes does not tell how nearly."""
        expected = enrolment.mail_code_hash or b""
        same = hmac.compare_digest(self.mail_code_hash, expected)
        return same and self.number == enrolment.mail_code_number


class Claiming:
    """Binds codes to phones."""

    def __init__(self, units: Units) -> None:
        self._units = units

    def claim(
        self,
        code: str,
        *,
        thumbprint: str,
        jwk: Mapping[str, str],
        device: Device,
        mail_code: str | None = None,
    ) -> Claimed:
        """Do what `PhoneSide.claim` promises."""
        found = self._by_code(code)
        tried = self._try_mail_code(found, code, mail_code)
        with self._units() as unit:
            unit.users.lock(found.user_id)
            enrolment, instance = running(unit, find(unit, found.id))
            if enrolment.claim is None:
                claim = _new_claim(thumbprint, jwk, device, at=unit.now)
                _must_be_claimable(unit, enrolment, instance, code)
                _bind(unit, enrolment, claim, tried)
                unit.commit()
                enrolment = replace(enrolment, claim=claim)
            elif enrolment.claim.thumbprint != thumbprint:
                actor = actor_of(enrolment)
                unit.audit(actor, "get.claimed_again", "instance", instance.id, device=device.name)
                unit.commit()
                raise CodeNotUsable
            return claimed(unit, enrolment, instance)

    def _try_mail_code(self, found: Enrolment, code: str, mail_code: str | None) -> Tried | None:
        """Count a try of a mail code, and commit it, before anybody compares."""
        if not found.by_mail:
            return None
        with self._units() as unit:
            unit.users.lock(found.user_id)
            enrolment, instance = running(unit, find(unit, found.id))
            if enrolment.claim is not None:
                return None
            _must_be_claimable(unit, enrolment, instance, code)
            if mail_code is None:
                raise MailCodeRequired
            if not enrolment.mail_code_lives(unit.now):
                raise BadMailCode(0)
            unit.save(enrolment.tried())
            actor = actor_of(enrolment)
            unit.audit(actor, "get.mail_code_try", "instance", instance.id, of=enrolment.tries_left)
            unit.commit()
        return Tried(enrolment.mail_code_number, mail_code_hash(mail_code))

    def _by_code(self, code: str) -> Enrolment:
        hashed = code_hash(code)
        with self._units.reading() as unit:
            found = None if hashed is None else unit.enrolments.by_code(hashed)
        if found is None:
            raise CodeNotUsable
        return found


def _new_claim(thumbprint: str, jwk: Mapping[str, str], device: Device, *, at: datetime) -> Claim:
    numbers = secrets.SystemRandom().sample(_NUMBERS, _CHOICES)
    return Claim(
        thumbprint=thumbprint,
        jwk=jwk,
        device=device,
        at=at,
        number=secrets.choice(numbers),
        numbers=tuple(numbers),
    )


def _bind(unit: UnitOfWork, enrolment: Enrolment, claim: Claim, tried: Tried | None) -> None:
    """Link and mail code have to be right in the very UPDATE that binds."""
    right = None
    if enrolment.by_mail:
        if tried is None or not tried.fits(enrolment):
            raise BadMailCode(enrolment.tries_left)
        right = tried.mail_code_hash
    if not unit.enrolments.bind(enrolment, claim, mail_code_hash=right):
        raise CodeNotUsable
    actor = actor_of(enrolment)
    instance_id = enrolment.instance_id
    unit.audit(actor, "get.claim", "instance", instance_id, device=claim.device.name)


def _must_be_claimable(
    unit: UnitOfWork, enrolment: Enrolment, instance: Instance, code: str
) -> None:
    """Raise `CodeNotUsable` unless this code is the current one, lives, and is its active owner's."""
    current = code_hash(code) in {enrolment.token_hash, enrolment.typed_code_hash}
    waits = instance.step in SHOWS_CODE and unit.now < enrolment.code_expires_at
    if not (current and waits and unit.users.get(enrolment.user_id).active):
        raise CodeNotUsable
