"""What a phone is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobid.processes.enrolment.binding import claim_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mobid.domain.certificates import Certificate
    from mobid.domain.enrolments import Enrolment
    from mobid.domain.instances import Instance, StepName
    from mobid.domain.options import Kind
    from mobid.processes.ports import UnitOfWork

RETRY_AFTER: Final = 2
"""How many seconds a phone waits before it asks for its certificates again."""


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


def claimed(unit: UnitOfWork, enrolment: Enrolment, instance: Instance) -> Claimed:
    """Tell a phone what it has claimed."""
    profile = unit.mobile_ids.get(enrolment.mobile_id)
    return Claimed(
        enrolment_id=enrolment.id,
        number=claim_of(enrolment).number,
        server_name=profile.server_name,
        user_id=profile.user_label,
        profile_name=profile.profile_name,
        properties=instance.options.properties if instance.options else {},
        kinds=instance.selected,
        expires_at=instance.expires_at or unit.now,
    )


def result_of(certificates: Sequence[Certificate]) -> Result:
    """Hand out the certificates that can be used."""
    return Result(
        tuple(
            IssuedCertificate(kind=one.kind, serial=one.serial or "", der=one.der, chain=one.chain)
            for one in certificates
            if one.der is not None and one.usable
        )
    )
