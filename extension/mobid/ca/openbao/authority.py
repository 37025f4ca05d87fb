"""The five verbs over the PKI secrets engine of OpenBao, and what it publishes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mobid.ca.openbao.line import Line
from mobid.ca.openbao.roles import backdates, digest, faults
from mobid.ca.openbao.search import serials_like
from mobid.ca.openbao.wish import common_name, moment, wish_of
from mobid.processes.authority import (
    Addresses,
    Capabilities,
    Issued,
    Reason,
    Rejected,
    Status,
    Unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from mobid.ca.openbao.line import Calls
    from mobid.ca.openbao.settings import OpenBaoSettings
    from mobid.domain.options import Kind
    from mobid.processes.authority import Order

_log: Final = structlog.get_logger(__name__)


class OpenBaoCA:
    """A CA that OpenBao keeps. Implements `Authority` and `Publisher`; OpenBao knows no holds.

    It keeps nothing itself, and is safe for any number of threads and processes.
    """

    def __init__(self, settings: OpenBaoSettings, *, clock: Callable[[], datetime]) -> None:
        self._settings: Final = settings
        self._clock: Final = clock
        self._line: Final = Line(settings)

    def capabilities(self) -> Capabilities:
        """Return what this CA can do. A kind whose role would not make what we order is left out, and logged.

        Raise `Unavailable`.
        """
        with self._line.open() as calls:
            issuer = self._issuer(calls)
            roles = {kind: self._role(calls, kind) for kind in self._settings.roles}
        for kind, role in roles.items():
            if role.faults:
                _log.warning("openbao_role_does_not_fit", role=role.name, kind=kind, why=role.why)
        fitting = {kind: role for kind, role in roles.items() if not role.faults}
        return Capabilities(
            kinds=frozenset(fitting),
            reasons=frozenset({Reason.UNSPECIFIED}),
            not_after=issuer.not_after,
            profile_hash={
                kind: digest(role.data, self._settings.issuer) for kind, role in fitting.items()
            },
            issuers=(issuer.certificate,),
            holds=False,
            find=True,
            settle_seconds=float(self._settings.settle_seconds),
        )

    def issue(self, order: Order) -> Issued:
        """Have one certificate signed. OpenBao makes another one each time it is asked.

        Raise `Rejected` for an order that it refuses, cannot express or would shorten, and if the
        role does not fit; `Unavailable`, `OutcomeUnknown`.
        """
        wish = wish_of(order)
        with self._line.open() as calls:
            role = self._fitting_role(calls, order)
            issuer = self._issuer(calls)
            if order.not_after > issuer.not_after:
                raise Rejected(
                    f"Order {order.key} ends at {order.not_after.isoformat()}; this CA ends at"
                    f" {issuer.not_after.isoformat()}."
                )
            answer = calls.write(f"issuer/{self._settings.issuer}/sign/{role.name}", wish)
            return Issued(answer.certificate("certificate"), answer.certificates("ca_chain"))

    def find(self, order: Order) -> Sequence[Issued]:
        """Return every certificate of this order's key that OpenBao has stored; raise `Unavailable`.

        It has no index of keys: its list is read page by page, and what has the name and the end of
        the order is looked at.
        """
        try:
            name, end = common_name(order), moment(order.not_after)
        except Rejected:
            return ()  # what cannot be asked for was never made
        with self._line.open() as calls:
            found = [
                der
                for serial in serials_like(calls, name, end)
                if (der := self._stored(calls, serial)) and _key_hash(der) == order.key_hash
            ]
            chain = self._issuer(calls).chain if found else ()
        return [Issued(der, chain) for der in found]

    def revoke(self, certificate: bytes, reason: Reason, at: datetime) -> None:  # noqa: ARG002  # OpenBao dates it itself
        """Revoke for good, as of OpenBao's now. A revoked one stays as it is.

        Raise `Unsupported` for a reason, which OpenBao cannot keep; `Rejected` for a certificate that it
        has not issued or that has expired; `Unavailable`, `OutcomeUnknown`.
        """
        if reason is not Reason.UNSPECIFIED:
            raise Unsupported(f"OpenBao keeps no reasons; {reason.name} cannot be sent.")
        serial = _serial_of(certificate)
        with self._line.open() as calls:
            if serial is None or self._stored(calls, serial) != certificate:
                raise Rejected("This certificate was not issued by this CA.")
            answer = calls.write("revoke", {"serial_number": serial})
            if answer.data.get("state") != "revoked":
                raise Rejected(f"OpenBao does not revoke {serial}: {answer.words}")

    def status(self, certificate: bytes) -> Status:
        """Return OpenBao's word: its own record of exactly this certificate; raise `Unavailable`."""
        serial = _serial_of(certificate)
        if serial is None:
            return Status.UNKNOWN
        parsed = x509.load_der_x509_certificate(certificate)
        expired = parsed.not_valid_after_utc <= self._clock()
        with self._line.open() as calls:
            record = calls.read(f"cert/{serial}")
            if record is None:
                # What has expired is tidied away some day; only its signature still tells whose it was.
                theirs = expired and self._issuer(calls).has_signed(parsed)
                return Status.EXPIRED if theirs else Status.UNKNOWN
            if record.certificate("certificate") != certificate:
                return Status.UNKNOWN
            if record.number("revocation_time") > 0:
                return Status.REVOKED
        return Status.EXPIRED if expired else Status.VALID

    def chain(self) -> Sequence[bytes]:
        """Return the CA certificates (DER), issuer first; raise `Unavailable`."""
        with self._line.open() as calls:
            return self._issuer(calls).chain

    def crl(self) -> bytes:
        """Return OpenBao's newest revocation list (DER); raise `Unavailable`."""
        with self._line.open() as calls:
            return calls.must_read(f"issuer/{self._settings.issuer}/crl").crl("crl")

    def addresses(self) -> Addresses:
        """Return what OpenBao writes into its certificates; raise `Unavailable`."""
        with self._line.open() as calls:
            urls = calls.must_read("config/urls")
        return Addresses(
            chain=next(iter(urls.texts("issuing_certificates")), None),
            crl=next(iter(urls.texts("crl_distribution_points")), None),
            ocsp=next(iter(urls.texts("ocsp_servers")), None),
        )

    def _issuer(self, calls: Calls) -> _Issuer:
        answer = calls.must_read(f"issuer/{self._settings.issuer}/json")
        certificate = answer.certificate("certificate")
        return _Issuer(certificate, answer.certificates("ca_chain") or (certificate,))

    def _role(self, calls: Calls, kind: Kind) -> _Role:
        name = self._settings.roles[kind]
        answer = calls.read(f"roles/{name}")
        if answer is None:
            return _Role(name, {}, ("there is no such role",))
        return _Role(name, answer.data, tuple(faults(kind, answer.data)))

    def _fitting_role(self, calls: Calls, order: Order) -> _Role:
        """Return the role for an order; raise `Rejected` if what it makes would not be what is ordered."""
        if order.kind not in self._settings.roles:
            kinds = ", ".join(sorted(self._settings.roles))
            raise Rejected(f"This CA is set to issue {kinds}, not {order.kind}.")
        role = self._role(calls, order.kind)
        if role.faults:
            raise Rejected(f"The role {role.name} in OpenBao does not fit: {role.why}.")
        if self._clock() - backdates(role.data) < order.not_before:
            raise Rejected(
                f"The role {role.name} in OpenBao lets a certificate begin before its order does"
                f" ({order.not_before.isoformat()}): not_before_duration must be shorter."
            )
        return role

    @staticmethod
    def _stored(calls: Calls, serial: str) -> bytes | None:
        """Return the certificate (DER) that OpenBao has under a serial number."""
        record = calls.read(f"cert/{serial}")
        return None if record is None else record.certificate("certificate")


@dataclass(frozen=True, slots=True)
class _Role:
    """A role as it is in OpenBao, and what is wrong with it."""

    name: str
    data: Mapping[str, object]
    faults: tuple[str, ...]

    @property
    def why(self) -> str:
        """All that is wrong."""
        return "; ".join(self.faults)


@dataclass(frozen=True, slots=True)
class _Issuer:
    """The issuing CA's certificate (DER), and its chain, itself first."""

    certificate: bytes
    chain: tuple[bytes, ...]

    @property
    def not_after(self) -> datetime:
        """The first end in the chain: nothing that is signed can be valid longer."""
        return min(x509.load_der_x509_certificate(der).not_valid_after_utc for der in self.chain)

    def has_signed(self, certificate: x509.Certificate) -> bool:
        """Tell whether this issuer signed a certificate."""
        try:
            certificate.verify_directly_issued_by(x509.load_der_x509_certificate(self.certificate))
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            return False
        return True


def _serial_of(certificate: bytes) -> str | None:
    """Return a serial number as OpenBao writes it; none if this is no certificate."""
    try:
        number = x509.load_der_x509_certificate(certificate).serial_number
    except ValueError:
        return None
    return number.to_bytes((number.bit_length() + 7) // 8 or 1).hex(":") if number >= 0 else None


def _key_hash(certificate: bytes) -> bytes:
    """Return SHA-256 of the SubjectPublicKeyInfo; nothing if the key is of a type that we do not order."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return b""
    info = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(info).digest()
