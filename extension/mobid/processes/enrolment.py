"""The phone's side of Get: claim the code, send keys, fetch certificates, confirm; later status and remove.

The caller (the device API) has checked the signature of the phone's device key; here is decided
what that phone may do. Unknown, used, expired and foreign codes are all refused alike.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

from mobid.crashpoints import CrashPoint
from mobid.domain.actors import Actor, ActorKind
from mobid.domain.certificates import genuine
from mobid.domain.enrolments import Claim, DeviceKey
from mobid.domain.instances import SHOWS_CODE, InstanceState, StepName
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.domain.options import Kind
from mobid.processes.codes import code_hash, mail_code_hash
from mobid.processes.csr import check_csr
from mobid.processes.ending import fail_get
from mobid.processes.errors import (
    BadCertificateRequest,
    BadMailCode,
    CodeNotUsable,
    KeyReused,
    KeyTypeNotAllowed,
    MailCodeRequired,
    WrongConfirmation,
)
from mobid.processes.locking import lock_profile
from mobid.processes.notices import tell_outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mobid.config import Times
    from mobid.domain.certificates import Certificate
    from mobid.domain.enrolments import Enrolment
    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import Device
    from mobid.processes.ports import UnitOfWork, Units

Point = tuple[str, str]
"""The coordinates x and y of an EC public key, base64url: what makes two keys the same key."""

BAD_KEYS_BURN_AT: Final = 5
RETRY_AFTER: Final = 2
"""How many seconds a phone waits before it asks for its certificates again."""
_NUMBERS: Final = range(10, 100)
_CHOICES: Final = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """The phone that a call comes from: proved by its device key, of which this is the thumbprint.

    A code may be renewed between that proof and the act; then another phone's claim stands there,
    and the caller is nobody any more.
    """

    enrolment_id: str
    thumbprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a phone learns when it has claimed a code."""

    enrolment_id: str
    number: int
    """What the phone shows, so that its owner can tell it from others."""
    server_name: str
    user_id: str
    profile_name: str
    properties: Mapping[str, str]
    kinds: tuple[Kind, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ResultPending:
    """The certificates are not there yet: ask again after `retry_after` seconds."""

    retry_after: int
    step: StepName


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """One certificate for the phone (DER), with the CA certificates above it."""

    kind: Kind
    serial: str
    der: bytes
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """Every certificate of the mobile ID; it may be fetched again until confirmed."""

    certificates: tuple[IssuedCertificate, ...]


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


class PhoneSide:
    """What phones can do."""

    def __init__(self, units: Units, times: Times) -> None:
        self._units = units
        self._times = times

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
        found = self._by_code(code)
        tried = self._try_mail_code(found, code, mail_code)
        with self._units() as unit:
            unit.users.lock(found.user_id)
            enrolment, instance = _running(unit, _find(unit, found.id))
            if enrolment.claim is None:
                claim = self._new_claim(thumbprint, jwk, device, at=unit.now)
                _must_be_claimable(unit, enrolment, instance, code)
                self._bind(unit, enrolment, claim, tried)
                unit.commit()
                enrolment = replace(enrolment, claim=claim)
            elif enrolment.claim.thumbprint != thumbprint:
                actor = _device_actor(enrolment)
                unit.audit(actor, "get.claimed_again", "instance", instance.id, device=device.name)
                unit.commit()
                raise CodeNotUsable
            return _claimed(unit, enrolment, instance)

    def _try_mail_code(self, found: Enrolment, code: str, mail_code: str | None) -> Tried | None:
        """Count a try of a mail code, and commit it, before anybody compares."""
        if not found.by_mail:
            return None
        with self._units() as unit:
            unit.users.lock(found.user_id)
            enrolment, instance = _running(unit, _find(unit, found.id))
            if enrolment.claim is not None:
                return None
            _must_be_claimable(unit, enrolment, instance, code)
            if mail_code is None:
                raise MailCodeRequired
            if not enrolment.mail_code_lives(unit.now):
                raise BadMailCode(0)
            unit.save(enrolment.tried())
            actor = _device_actor(enrolment)
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

    @staticmethod
    def _new_claim(
        thumbprint: str, jwk: Mapping[str, str], device: Device, *, at: datetime
    ) -> Claim:
        numbers = secrets.SystemRandom().sample(_NUMBERS, _CHOICES)
        return Claim(
            thumbprint=thumbprint,
            jwk=jwk,
            device=device,
            at=at,
            number=secrets.choice(numbers),
            numbers=tuple(numbers),
        )

    @staticmethod
    def _bind(unit: UnitOfWork, enrolment: Enrolment, claim: Claim, tried: Tried | None) -> None:
        """Link and mail code have to be right in the very UPDATE that binds."""
        right = None
        if enrolment.by_mail:
            if tried is None or not tried.fits(enrolment):
                raise BadMailCode(enrolment.tries_left)
            right = tried.mail_code_hash
        if not unit.enrolments.bind(enrolment, claim, mail_code_hash=right):
            raise CodeNotUsable
        actor = _device_actor(enrolment)
        instance_id = enrolment.instance_id
        unit.audit(actor, "get.claim", "instance", instance_id, device=claim.device.name)

    def device_key(self, enrolment_id: str) -> Mapping[str, str]:
        """Return the public key (JWK) of the phone that claimed; raise `CodeNotUsable`."""
        with self._units.reading() as unit:
            return _claim(_find(unit, enrolment_id)).jwk

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
            enrolment, instance = self._usable(unit, phone)
            if enrolment.keys:
                self._must_be_the_same(enrolment, csrs, transport_jwk)
                return
            if instance.step not in SHOWS_CODE:
                raise CodeNotUsable
            try:
                keys = self._checked(unit, instance, csrs)
                _must_have_one_job_each(enrolment, keys, transport_jwk)
            except (BadCertificateRequest, KeyTypeNotAllowed, KeyReused):
                self._count_bad_keys(unit, enrolment, instance)
                unit.commit()
                raise
            unit.save(enrolment.with_keys(keys, transport_jwk, at=unit.now))
            expires_at = unit.now + self._times.approve
            unit.save(
                instance.to(
                    StepName.APPROVE, InstanceState.WAITING_USER, expires_at=expires_at, at=unit.now
                )
            )
            unit.audit(_device_actor(enrolment), "get.keys", "instance", instance.id)
            unit.commit()

    @staticmethod
    def _must_be_the_same(
        enrolment: Enrolment, csrs: Mapping[Kind, bytes], transport_jwk: Mapping[str, str] | None
    ) -> None:
        stored = {key.kind: key.csr for key in enrolment.keys}
        if stored != dict(csrs) or enrolment.transport_jwk != transport_jwk:
            raise CodeNotUsable

    @staticmethod
    def _checked(
        unit: UnitOfWork, instance: Instance, csrs: Mapping[Kind, bytes]
    ) -> tuple[DeviceKey, ...]:
        _kinds_must_match(instance, csrs)
        keys: list[DeviceKey] = []
        for kind in instance.selected:
            request = check_csr(kind, csrs[kind])
            known = {key.key_hash for key in keys}
            if request.key_hash in known or unit.certificates.key_known(request.key_hash):
                raise KeyReused(kind)
            keys.append(DeviceKey(kind=kind, csr=csrs[kind], key_hash=request.key_hash))
        return tuple(keys)

    @staticmethod
    def _count_bad_keys(unit: UnitOfWork, enrolment: Enrolment, instance: Instance) -> None:
        counted = replace(enrolment, bad_keys=enrolment.bad_keys + 1)
        burnt = counted.bad_keys >= BAD_KEYS_BURN_AT
        unit.save(counted.close() if burnt else counted)
        actor = _device_actor(enrolment)
        unit.audit(
            actor, "get.bad_keys", "instance", instance.id, count=counted.bad_keys, burnt=burnt
        )

    def result(self, phone: Caller) -> ResultPending | Result:
        """Return the certificates once every one is issued, verified and stored (T4)."""
        with self._units.reading() as unit:
            enrolment = _of_caller(_find(unit, phone.enrolment_id), phone)
            instance = unit.instances.get(enrolment.instance_id)
            if instance.state is InstanceState.COMPLETED:
                return _result(unit.certificates.of_mobile_id(enrolment.mobile_id))
            if enrolment.closed or not instance.running:
                raise CodeNotUsable
            if (instance.step, instance.state) != (StepName.CREATING, InstanceState.WAITING_DEVICE):
                return ResultPending(RETRY_AFTER, instance.step)
            return _result(unit.certificates.of_mobile_id(enrolment.mobile_id))

    def authentication_certificate(self, phone: Caller) -> bytes | None:
        """Return the DER of the new authentication certificate, if this mobile ID has one.

        Whatever became of it since: a phone whose answer was lost proves its key again.
        """
        with self._units.reading() as unit:
            enrolment = _of_caller(_find(unit, phone.enrolment_id), phone)
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
            enrolment, instance = self._usable(unit, phone, completed=True)
            if instance.state is InstanceState.COMPLETED:
                return unit.mobile_ids.get(enrolment.mobile_id).state
            if (instance.step, instance.state) != (StepName.CREATING, InstanceState.WAITING_DEVICE):
                raise CodeNotUsable
            certificates = genuine(unit.certificates.of_mobile_id(enrolment.mobile_id))
            if hashes != {hashlib.sha256(one.der or b"").digest() for one in certificates}:
                raise WrongConfirmation
            state = self._activate(unit, enrolment, instance, certificates)
            unit.commit()
            return state

    @staticmethod
    def _activate(
        unit: UnitOfWork,
        enrolment: Enrolment,
        instance: Instance,
        certificates: Sequence[Certificate],
    ) -> ProfileState:
        actor = _device_actor(enrolment)
        active = unit.users.get(enrolment.user_id).active
        if not (active and all(one.usable for one in certificates)):
            error = "CA_REJECTED" if active else "USER_NOT_ACTIVE"
            unit.save(fail_get(unit, instance, error, by=actor))
            return ProfileState.FAILED
        profile = unit.mobile_ids.get(enrolment.mobile_id)
        unit.save(profile.activate(device=_claim(enrolment).device, at=unit.now))
        unit.save(enrolment.confirm(at=unit.now))
        completed = instance.end(InstanceState.COMPLETED, at=unit.now)
        unit.save(completed)
        tell_outcome(unit, completed)
        unit.audit(actor, "get.active", "mobile_id", profile.id, instance=instance.id)
        unit.passes(CrashPoint.GET_ACTIVE)
        return ProfileState.ACTIVE

    def status(self, phone: Caller) -> ProfileState:
        """Return the state of the mobile ID on this phone."""
        with self._units.reading() as unit:
            enrolment = _of_caller(_find(unit, phone.enrolment_id), phone)
            return unit.mobile_ids.get(enrolment.mobile_id).as_of(unit.now).state

    def remove(self, phone: Caller) -> ProfileState:
        """Lock the mobile ID on this phone: its owner removed it in the app."""
        with self._units() as unit:
            enrolment = _of_caller(_locked(unit, phone.enrolment_id), phone)
            profile = unit.mobile_ids.get(enrolment.mobile_id)
            if not profile.live:
                return profile.state
            by = _device_actor(enrolment)
            locked = lock_profile(unit, profile, by=by, reason=LockReason.REMOVED)
            unit.commit()
            return locked.state

    @staticmethod
    def _usable(
        unit: UnitOfWork, phone: Caller, *, completed: bool = False
    ) -> tuple[Enrolment, Instance]:
        """Return the enrolment of a phone whose Get still runs, with its user locked."""
        return _running(
            unit, _of_caller(_locked(unit, phone.enrolment_id), phone), completed=completed
        )


def _must_be_claimable(
    unit: UnitOfWork, enrolment: Enrolment, instance: Instance, code: str
) -> None:
    """Raise `CodeNotUsable` unless this code is the current one, lives, and is its active owner's."""
    current = code_hash(code) in {enrolment.token_hash, enrolment.typed_code_hash}
    waits = instance.step in SHOWS_CODE and unit.now < enrolment.code_expires_at
    if not (current and waits and unit.users.get(enrolment.user_id).active):
        raise CodeNotUsable


def _find(unit: UnitOfWork, enrolment_id: str) -> Enrolment:
    found = unit.enrolments.find(enrolment_id)
    if found is None:
        raise CodeNotUsable
    return found


def _locked(unit: UnitOfWork, enrolment_id: str) -> Enrolment:
    """Return an enrolment as it is once nobody else writes about its user."""
    unit.users.lock(_find(unit, enrolment_id).user_id)
    return _find(unit, enrolment_id)


def _of_caller(enrolment: Enrolment, phone: Caller) -> Enrolment:
    """Return the enrolment, if it is bound to the phone that calls."""
    if _claim(enrolment).thumbprint != phone.thumbprint:
        raise CodeNotUsable
    return enrolment


def _running(
    unit: UnitOfWork, enrolment: Enrolment, *, completed: bool = False
) -> tuple[Enrolment, Instance]:
    """Return the enrolment with its Get, which must still run (or be completed)."""
    instance = unit.instances.get(enrolment.instance_id)
    if completed and instance.state is InstanceState.COMPLETED:
        return enrolment, instance
    if enrolment.closed or not instance.running or instance.over(unit.now):
        raise CodeNotUsable
    return enrolment, instance


def _claim(enrolment: Enrolment) -> Claim:
    if enrolment.claim is None:
        raise CodeNotUsable
    return enrolment.claim


def _device_actor(enrolment: Enrolment) -> Actor:
    return Actor(ActorKind.DEVICE, enrolment.id)


def _claimed(unit: UnitOfWork, enrolment: Enrolment, instance: Instance) -> Claimed:
    profile = unit.mobile_ids.get(enrolment.mobile_id)
    return Claimed(
        enrolment_id=enrolment.id,
        number=_claim(enrolment).number,
        server_name=profile.server_name,
        user_id=profile.user_label,
        profile_name=profile.profile_name,
        properties=instance.options.properties if instance.options else {},
        kinds=instance.selected,
        expires_at=instance.expires_at or unit.now,
    )


def _must_have_one_job_each(
    enrolment: Enrolment, keys: Sequence[DeviceKey], transport_jwk: Mapping[str, str] | None
) -> None:
    """Raise `KeyReused` if a certificate's key is the device's or the transport's, or those are one.

    Otherwise the proof by the authentication key would prove nothing that the device key has not.
    """
    taken = {_point_of_jwk(_claim(enrolment).jwk)}
    if transport_jwk is not None:
        if _point_of_jwk(transport_jwk) in taken:
            raise KeyReused("transport")
        taken.add(_point_of_jwk(transport_jwk))
    for key in keys:
        if _point_of_csr(key.csr) in taken:
            raise KeyReused(key.kind)


def _point_of_jwk(jwk: Mapping[str, str]) -> Point:
    """Return the point of an EC key (RFC 7518, 6.2.1), as it stands there."""
    return jwk.get("x", ""), jwk.get("y", "")


def _point_of_csr(csr: bytes) -> Point:
    """Return the point of the key in a request that was checked, written as a JWK writes it."""
    jwk = ECKey.import_key(
        x509.load_der_x509_csr(csr)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ).as_dict(private=False)
    return str(jwk["x"]), str(jwk["y"])


def _kinds_must_match(instance: Instance, csrs: Mapping[Kind, bytes]) -> None:
    for kind in instance.selected:
        if kind not in csrs:
            raise BadCertificateRequest(kind, "is missing")
    for kind in csrs:
        if kind not in instance.selected:
            raise BadCertificateRequest(kind, "was not asked for")


def _result(certificates: Sequence[Certificate]) -> Result:
    return Result(
        tuple(
            IssuedCertificate(kind=one.kind, serial=one.serial or "", der=one.der, chain=one.chain)
            for one in certificates
            if one.der is not None and one.usable
        )
    )
