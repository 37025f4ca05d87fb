"""The OCSP responder (RFC 6960), bytes to bytes: it answers from the record, at once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from mobid.ca.builtin.issuing import Wish
from mobid.ca.builtin.profiles import OCSP_RESPONDER
from mobid.ca.builtin.store import Standing
from mobid.ca.errors import StoreError
from mobid.processes.authority import Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mobid.ca.builtin.issuing import Issuing
    from mobid.ca.builtin.keys import Issuer
    from mobid.ca.builtin.store import CAStore, Entry

MOST_REQUEST_BYTES: Final = 10_000
MOST_NONCE: Final = 128
"""RFC 9654, 2.1: 1 to 128 octets; anything else is a malformed request."""
ANSWER_LIFE: Final = timedelta(minutes=10)
RESPONDER_LIFE: Final = timedelta(days=7)
RESPONDER_RENEWAL: Final = timedelta(days=4)
"""At this age a responder certificate is replaced, long before its end."""
_CLOCK_SKEW: Final = timedelta(minutes=5)

REASON_FLAGS: Final = {
    Reason.UNSPECIFIED: None,
    Reason.KEY_COMPROMISE: x509.ReasonFlags.key_compromise,
    Reason.AFFILIATION_CHANGED: x509.ReasonFlags.affiliation_changed,
    Reason.SUPERSEDED: x509.ReasonFlags.superseded,
    Reason.CESSATION_OF_OPERATION: x509.ReasonFlags.cessation_of_operation,
    Reason.PRIVILEGE_WITHDRAWN: x509.ReasonFlags.privilege_withdrawn,
}
"""RFC 5280, 5.3.1: unspecified is said by leaving the reason out."""

_HASHES: Final = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)


class _Malformed(Exception):
    """The request is no OCSP request that we could answer."""


class _Unauthorized(Exception):
    """RFC 6960, 2.3: the question is about a CA that we do not speak for."""


@dataclass(frozen=True, slots=True)
class _Responder:
    """A delegated responder (RFC 6960, 4.2.2.2); its key lives in this process only."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate
    renew_at: datetime

    def serves(self, now: datetime) -> bool:
        """Whether its certificate is valid and need not be renewed yet."""
        return self.certificate.not_valid_before_utc <= now < self.renew_at


class OCSPResponder:
    """Answers for the certificates of one CA key."""

    def __init__(self, issuing: Issuing, store: CAStore, clock: Callable[[], datetime]) -> None:
        self._issuing = issuing
        self._store = store
        self._clock = clock
        self._responder: _Responder | None = None
        self._renewing = threading.Lock()

    def answer(self, request: bytes) -> bytes:
        """Return the DER of an OCSPResponse for the DER of an OCSPRequest. Never raises for input."""
        try:
            return self._answer(_parse(request))
        except _Malformed:
            status = ocsp.OCSPResponseStatus.MALFORMED_REQUEST
        except _Unauthorized:
            status = ocsp.OCSPResponseStatus.UNAUTHORIZED
        except StoreError:
            status = ocsp.OCSPResponseStatus.TRY_LATER
        return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)

    def _answer(self, request: ocsp.OCSPRequest) -> bytes:
        self._check_is_ours(request)
        nonce = _nonce(request)
        entry = self._store.by_serial(self._issuing.issuer.key_id, request.serial_number)
        responder = self._current_responder()
        builder = _with_status(request, entry, self._clock().replace(microsecond=0))
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        builder = builder.certificates([responder.certificate])
        if nonce is not None:
            builder = builder.add_extension(nonce, critical=False)
        return builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)

    def _check_is_ours(self, request: ocsp.OCSPRequest) -> None:
        try:
            algorithm = request.hash_algorithm
        except UnsupportedAlgorithm:
            raise _Unauthorized from None
        if not isinstance(algorithm, _HASHES):
            raise _Unauthorized
        asked = (request.issuer_name_hash, request.issuer_key_hash)
        if asked != _issuer_hashes(self._issuing.issuer, algorithm.name):
            raise _Unauthorized

    def _current_responder(self) -> _Responder:
        with self._renewing:
            now = self._clock()
            current = self._responder
            if current is None or not current.serves(now):
                current = self._responder = self._new_responder(now)
            return current

    def _new_responder(self, now: datetime) -> _Responder:
        """Issue a certificate to a new key, in the same record as all others."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.NameAttribute(NameOID.COMMON_NAME, "OCSP responder")
        public_key = key.public_key()
        info = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ca_end = self._issuing.issuer.certificate.not_valid_after_utc
        wish = Wish(
            order_key=f"ocsp-responder/{hashlib.sha256(info).hexdigest()}",
            profile=OCSP_RESPONDER,
            subject=x509.Name([name]),
            san=(),
            key=public_key,
            not_before=now - _CLOCK_SKEW,
            not_after=min(now + RESPONDER_LIFE, ca_end),
        )
        intent = self._issuing.plan(wish).intent
        certificate = self._issuing.sign(intent)
        self._store.record(intent.issuer, intent.serial, certificate)
        renew_at = min(now + RESPONDER_RENEWAL, wish.not_after)
        return _Responder(key, x509.load_der_x509_certificate(certificate), renew_at)


def request_of_get(path: str) -> bytes:
    """Return the request in the path of a GET, which may be percent-encoded (RFC 6960, A.1).

    What is no base64 comes back as an empty, malformed request, so that the answer says so.
    """
    encoded = unquote_to_bytes(path)
    try:
        return base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        return b""


def _parse(request: bytes) -> ocsp.OCSPRequest:
    """Read a request with one question; RFC 5019, 2.1.1 allows no more, and nobody asks more."""
    if len(request) > MOST_REQUEST_BYTES:
        raise _Malformed
    try:
        return ocsp.load_der_ocsp_request(request)
    except (ValueError, NotImplementedError):
        raise _Malformed from None


def _nonce(request: ocsp.OCSPRequest) -> x509.OCSPNonce | None:
    try:
        nonce = request.extensions.get_extension_for_class(x509.OCSPNonce).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension):
        raise _Malformed from None
    if not 1 <= len(nonce.nonce) <= MOST_NONCE:
        raise _Malformed
    return nonce


def _issuer_hashes(issuer: Issuer, algorithm: str) -> tuple[bytes, bytes]:
    """Return the hashes of the CA's name and of its key bits (RFC 6960, 4.1.1)."""
    name = issuer.certificate.subject.public_bytes()
    point = issuer.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return hashlib.new(algorithm, name).digest(), hashlib.new(algorithm, point).digest()


def _with_status(
    request: ocsp.OCSPRequest, entry: Entry | None, now: datetime
) -> ocsp.OCSPResponseBuilder:
    """Return an answer about one serial number; one that was never recorded is unknown."""
    status, since, reason = ocsp.OCSPCertStatus.GOOD, None, None
    if entry is not None and entry.standing is not Standing.VALID:
        status, since = ocsp.OCSPCertStatus.REVOKED, entry.revoked_at
        reason = _reason(entry)
    elif entry is None or entry.certificate is None:
        status = ocsp.OCSPCertStatus.UNKNOWN
    return ocsp.OCSPResponseBuilder().add_response_by_hash(
        request.issuer_name_hash,
        request.issuer_key_hash,
        request.serial_number,
        request.hash_algorithm,
        status,
        now,
        now + ANSWER_LIFE,
        since,
        reason,
    )


def _reason(entry: Entry) -> x509.ReasonFlags | None:
    if entry.standing is Standing.HELD:
        return x509.ReasonFlags.certificate_hold
    return None if entry.reason is None else REASON_FLAGS[entry.reason]
