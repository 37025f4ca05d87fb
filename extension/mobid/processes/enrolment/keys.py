"""The keys that a phone sends: sound, new, one for each kind, and each with one job only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

from mobid.domain.enrolments import DeviceKey
from mobid.processes.csr import check_csr
from mobid.processes.enrolment.binding import claim_of
from mobid.processes.errors import BadCertificateRequest, KeyReused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mobid.domain.enrolments import Enrolment
    from mobid.domain.instances import Instance
    from mobid.domain.options import Kind
    from mobid.processes.ports import UnitOfWork

Point = tuple[str, str]
"""The coordinates x and y of an EC public key, base64url: what makes two keys the same key."""


def checked(
    unit: UnitOfWork,
    enrolment: Enrolment,
    instance: Instance,
    csrs: Mapping[Kind, bytes],
    transport_jwk: Mapping[str, str] | None,
) -> tuple[DeviceKey, ...]:
    """Return the keys of an enrolment, in the order in which their kinds were selected.

    Raise `BadCertificateRequest`, `KeyTypeNotAllowed` or `KeyReused` for the first one that cannot be.
    """
    _kinds_must_match(instance, csrs)
    keys: list[DeviceKey] = []
    for kind in instance.selected:
        request = check_csr(kind, csrs[kind])
        known = {key.key_hash for key in keys}
        if request.key_hash in known or unit.certificates.key_known(request.key_hash):
            raise KeyReused(kind)
        keys.append(DeviceKey(kind=kind, csr=csrs[kind], key_hash=request.key_hash))
    _must_have_one_job_each(enrolment, keys, transport_jwk)
    return tuple(keys)


def _kinds_must_match(instance: Instance, csrs: Mapping[Kind, bytes]) -> None:
    for kind in instance.selected:
        if kind not in csrs:
            raise BadCertificateRequest(kind, "is missing")
    for kind in csrs:
        if kind not in instance.selected:
            raise BadCertificateRequest(kind, "was not asked for")


def _must_have_one_job_each(
    enrolment: Enrolment, keys: Sequence[DeviceKey], transport_jwk: Mapping[str, str] | None
) -> None:
    """Raise `KeyReused` if a certificate's key is the device's or the transport's, or those are one.

    Otherwise the proof by the authentication key would prove nothing that the device key has not.
    """
    taken = {_point_of_jwk(claim_of(enrolment).jwk)}
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
