"""What a phone can do, from the claim of a code to the removal of its mobile ID."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mobid.crashpoints import CrashPoint
from mobid.domain.certificates import genuine
from mobid.domain.instances import SHOWS_CODE, InstanceState, StepName
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.domain.options import Kind
from mobid.processes.ending import fail_get
from mobid.processes.enrolment.answers import RETRY_AFTER, ResultPending, result_of
from mobid.processes.enrolment.binding import actor_of, claim_of, find, locked, of_caller, usable
from mobid.processes.enrolment.claiming import Claiming
from mobid.processes.enrolment.keys import checked
from mobid.processes.errors import (
    BadCertificateRequest,
    CodeNotUsable,
    KeyReused,
    KeyTypeNotAllowed,
    WrongConfirmation,
)
from mobid.processes.locking import lock_profile
from mobid.processes.notices import tell_outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mobid.config import Times
    from mobid.domain.certificates import Certificate
    from mobid.domain.enrolments import Enrolment
    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import Device
    from mobid.processes.enrolment.answers import Claimed, Result
    from mobid.processes.enrolment.binding import Caller
    from mobid.processes.ports import UnitOfWork, Units


class PhoneSide:
    """What phones can do."""

    def __init__(self, units: Units, times: Times) -> None:
        self._units = units
        self._times = times
        self._claiming = Claiming(units)

    def claim(
        self,
        code: str,
        *,
        thumbprint: str,
        jwk: Mapping[str, str],
        device: Device,
        mail_code: str | None = None,
    ) -> Claimed:
        """Bind a code to the first phone that comes; the same phone gets its answer again.

        A code that went by mail needs the mail code, too: raise `MailCodeRequired`, or
        `BadMailCode` after a try was counted.
        """
        return self._claiming.claim(
            code, thumbprint=thumbprint, jwk=jwk, device=device, mail_code=mail_code
        )

    def device_key(self, enrolment_id: str) -> Mapping[str, str]:
        """Return the public key (JWK) of the phone that claimed; raise `CodeNotUsable`."""
        with self._units.reading() as unit:
            return claim_of(find(unit, enrolment_id)).jwk

    def keys(
        self,
        phone: Caller,
        csrs: Mapping[Kind, bytes],
        transport_jwk: Mapping[str, str] | None,
    ) -> None:
        """Take all keys of a phone; the user is asked to approve them next.

        The same keys again are no error. Five bad requests burn the code.
        """
        with self._units() as unit:
            enrolment, instance = usable(unit, phone)
            if enrolment.keys:
                _must_be_the_same(enrolment, csrs, transport_jwk)
                return
            if instance.step not in SHOWS_CODE:
                raise CodeNotUsable
            try:
                keys = checked(unit, enrolment, instance, csrs, transport_jwk)
            except (BadCertificateRequest, KeyTypeNotAllowed, KeyReused):
                _count_bad_keys(unit, enrolment, instance)
                unit.commit()
                raise
            unit.save(enrolment.with_keys(keys, transport_jwk, at=unit.now))
            expires_at = unit.now + self._times.approve
            unit.save(
                instance.to(
                    StepName.APPROVE, InstanceState.WAITING_USER, expires_at=expires_at, at=unit.now
                )
            )
            unit.audit(actor_of(enrolment), "get.keys", "instance", instance.id)
            unit.commit()

    def result(self, phone: Caller) -> ResultPending | Result:
        """Return the certificates once every one is issued, verified and stored (T4)."""
        with self._units.reading() as unit:
            enrolment = of_caller(find(unit, phone.enrolment_id), phone)
            instance = unit.instances.get(enrolment.instance_id)
            if instance.state is InstanceState.COMPLETED:
                return result_of(unit.certificates.of_mobile_id(enrolment.mobile_id))
            if enrolment.closed or not instance.running:
                raise CodeNotUsable
            if (instance.step, instance.state) != (StepName.CREATING, InstanceState.WAITING_DEVICE):
                return ResultPending(RETRY_AFTER, instance.step)
            return result_of(unit.certificates.of_mobile_id(enrolment.mobile_id))

    def authentication_certificate(self, phone: Caller) -> bytes | None:
        """Return the DER of the new authentication certificate, if this mobile ID has one.

        Whatever became of it since: a phone whose answer was lost proves its key again.
        """
        with self._units.reading() as unit:
            enrolment = of_caller(find(unit, phone.enrolment_id), phone)
            certificates = unit.certificates.of_mobile_id(enrolment.mobile_id)
        ours = (
            one.der
            for one in certificates
            if one.kind is Kind.AUTHENTICATION and not one.quarantined
        )
        return next(ours, None)

    def confirm(self, phone: Caller, hashes: frozenset[bytes]) -> ProfileState:
        """T5: the phone has installed every certificate, so the mobile ID is active.

        The user's state is read again: an inactive user's Get fails here, and all is revoked.
        """
        with self._units() as unit:
            enrolment, instance = usable(unit, phone, completed=True)
            if instance.state is InstanceState.COMPLETED:
                return unit.mobile_ids.get(enrolment.mobile_id).state
            if (instance.step, instance.state) != (StepName.CREATING, InstanceState.WAITING_DEVICE):
                raise CodeNotUsable
            certificates = genuine(unit.certificates.of_mobile_id(enrolment.mobile_id))
            if hashes != {hashlib.sha256(one.der or b"").digest() for one in certificates}:
                raise WrongConfirmation
            state = _activate(unit, enrolment, instance, certificates)
            unit.commit()
            return state

    def status(self, phone: Caller) -> ProfileState:
        """Return the state of the mobile ID on this phone."""
        with self._units.reading() as unit:
            enrolment = of_caller(find(unit, phone.enrolment_id), phone)
            return unit.mobile_ids.get(enrolment.mobile_id).as_of(unit.now).state

    def remove(self, phone: Caller) -> ProfileState:
        """Lock the mobile ID on this phone: its owner removed it in the app."""
        with self._units() as unit:
            enrolment = of_caller(locked(unit, phone.enrolment_id), phone)
            profile = unit.mobile_ids.get(enrolment.mobile_id)
            if not profile.live:
                return profile.state
            by = actor_of(enrolment)
            locking = lock_profile(unit, profile, by=by, reason=LockReason.REMOVED)
            unit.commit()
            return locking.state


def _must_be_the_same(
    enrolment: Enrolment, csrs: Mapping[Kind, bytes], transport_jwk: Mapping[str, str] | None
) -> None:
    stored = {key.kind: key.csr for key in enrolment.keys}
    if stored != dict(csrs) or enrolment.transport_jwk != transport_jwk:
        raise CodeNotUsable


def _count_bad_keys(unit: UnitOfWork, enrolment: Enrolment, instance: Instance) -> None:
    counted = enrolment.with_bad_keys()
    unit.save(counted)
    actor, burnt = actor_of(enrolment), counted.closed
    unit.audit(actor, "get.bad_keys", "instance", instance.id, count=counted.bad_keys, burnt=burnt)


def _activate(
    unit: UnitOfWork,
    enrolment: Enrolment,
    instance: Instance,
    certificates: Sequence[Certificate],
) -> ProfileState:
    actor = actor_of(enrolment)
    active = unit.users.get(enrolment.user_id).active
    if not (active and all(one.usable for one in certificates)):
        error = "CA_REJECTED" if active else "USER_NOT_ACTIVE"
        unit.save(fail_get(unit, instance, error, by=actor))
        return ProfileState.FAILED
    profile = unit.mobile_ids.get(enrolment.mobile_id)
    unit.save(profile.activate(device=claim_of(enrolment).device, at=unit.now))
    unit.save(enrolment.confirm(at=unit.now))
    completed = instance.end(InstanceState.COMPLETED, at=unit.now)
    unit.save(completed)
    tell_outcome(unit, completed)
    unit.audit(actor, "get.active", "mobile_id", profile.id, instance=instance.id)
    unit.passes(CrashPoint.GET_ACTIVE)
    return ProfileState.ACTIVE
