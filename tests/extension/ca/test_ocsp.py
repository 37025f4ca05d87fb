"""The OCSP responder of the built-in CA (RFC 6960, RFC 9654)."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from mobid.ca import Reason
from mobid.ca.builtin import initialise, request_of_get
from mobid.ca.builtin.ocsp import MOST_REQUEST_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MemoryCAStore, Orders, StandingClock

    from mobid.ca.builtin import BuiltinCA

GOOD = ocsp.OCSPCertStatus.GOOD
REVOKED = ocsp.OCSPCertStatus.REVOKED
UNKNOWN = ocsp.OCSPCertStatus.UNKNOWN


def question(
    ca: BuiltinCA,
    certificate: bytes,
    *,
    algorithm: hashes.HashAlgorithm | None = None,
    nonce: bytes | None = None,
) -> bytes:
    """Return a request about one certificate."""
    issuer = x509.load_der_x509_certificate(ca.chain()[0])
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(certificate), issuer, algorithm or hashes.SHA256()
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def ask(ca: BuiltinCA, certificate: bytes) -> ocsp.OCSPResponse:
    """Ask and check the signature and the delegation."""
    answer = ocsp.load_der_ocsp_response(ca.ocsp(question(ca, certificate)))
    issuer = x509.load_der_x509_certificate(ca.chain()[0])
    (responder,) = answer.certificates
    responder.verify_directly_issued_by(issuer)
    key = responder.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
    return answer


def status_of(ca: BuiltinCA, request: bytes) -> ocsp.OCSPResponseStatus:
    """Return how the responder took the request itself."""
    return ocsp.load_der_ocsp_response(ca.ocsp(request)).response_status


class TestAnswer:
    """What is said of a certificate."""

    def test_follows_the_record_at_once(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """Good, on hold, good again, revoked: each seen by the very next question."""
        certificate = builtin_ca.issue(order_of()).certificate
        assert ask(builtin_ca, certificate).certificate_status is GOOD
        builtin_ca.hold(certificate, clock())
        held = ask(builtin_ca, certificate)
        assert held.certificate_status is REVOKED
        assert held.revocation_reason is x509.ReasonFlags.certificate_hold
        builtin_ca.release(certificate, clock())
        assert ask(builtin_ca, certificate).certificate_status is GOOD
        builtin_ca.revoke(certificate, Reason.KEY_COMPROMISE, clock())
        revoked = ask(builtin_ca, certificate)
        assert revoked.certificate_status is REVOKED
        assert revoked.revocation_reason is x509.ReasonFlags.key_compromise
        assert revoked.revocation_time_utc == clock()

    def test_leaves_unspecified_out(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """As in a list, no reason is better than unspecified."""
        certificate = builtin_ca.issue(order_of()).certificate
        builtin_ca.revoke(certificate, Reason.UNSPECIFIED, clock())
        assert ask(builtin_ca, certificate).revocation_reason is None

    def test_is_unknown_for_what_was_never_issued(
        self,
        builtin_ca: BuiltinCA,
        order_of: Orders,
        ca_store: MemoryCAStore,
    ) -> None:
        """Neither a serial number out of thin air nor a plan without a certificate is good."""
        certificate = builtin_ca.issue(order_of()).certificate
        entry = ca_store.by_serial(*_place(ca_store, certificate))
        assert entry is not None
        other = replace(
            entry.intent, order_key="planned", serial=entry.intent.serial ^ 1, key_hash=b"other"
        )
        builder = ocsp.OCSPRequestBuilder()
        parsed = ocsp.load_der_ocsp_request(question(builtin_ca, certificate))
        request = builder.add_certificate_by_hash(
            parsed.issuer_name_hash, parsed.issuer_key_hash, other.serial, hashes.SHA256()
        ).build()
        for _ in range(2):
            answer = builtin_ca.ocsp(request.public_bytes(Encoding.DER))
            assert ocsp.load_der_ocsp_response(answer).certificate_status is UNKNOWN
            ca_store.reserve(other)

    @pytest.mark.parametrize(
        "algorithm",
        [hashes.SHA1(), hashes.SHA256(), hashes.SHA384()],  # noqa: S303  # clients still send SHA-1
    )
    def test_repeats_the_hash_of_the_question(
        self, builtin_ca: BuiltinCA, order_of: Orders, algorithm: hashes.HashAlgorithm
    ) -> None:
        """A client finds its own CertID in the answer, SHA-1 or newer."""
        certificate = builtin_ca.issue(order_of()).certificate
        request = question(builtin_ca, certificate, algorithm=algorithm)
        answer = ocsp.load_der_ocsp_response(builtin_ca.ocsp(request))
        assert answer.certificate_status is GOOD
        assert answer.hash_algorithm.name == algorithm.name
        asked = ocsp.load_der_ocsp_request(request)
        assert answer.issuer_key_hash == asked.issuer_key_hash

    @pytest.mark.parametrize("octets", [1, 32, 128])
    def test_repeats_the_nonce(self, builtin_ca: BuiltinCA, order_of: Orders, octets: int) -> None:
        """RFC 9654: a nonce of 1 to 128 octets comes back as it is."""
        certificate = builtin_ca.issue(order_of()).certificate
        request = question(builtin_ca, certificate, nonce=b"n" * octets)
        answer = ocsp.load_der_ocsp_response(builtin_ca.ocsp(request))
        nonce = answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        assert nonce == b"n" * octets

    def test_has_no_nonce_unasked(self, builtin_ca: BuiltinCA, order_of: Orders) -> None:
        """Without a nonce in the question there is none in the answer."""
        answer = ask(builtin_ca, builtin_ca.issue(order_of()).certificate)
        assert list(answer.extensions) == []


class TestRefusal:
    """Requests that get no answer about a certificate, and are told why."""

    @pytest.mark.parametrize("octets", [0, 129])
    def test_a_nonce_of_a_wrong_length_is_malformed(
        self, builtin_ca: BuiltinCA, order_of: Orders, octets: int
    ) -> None:
        """RFC 9654, 2.1."""
        certificate = builtin_ca.issue(order_of()).certificate
        request = question(builtin_ca, certificate, nonce=b"n" * octets)
        assert status_of(builtin_ca, request) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST

    @pytest.mark.parametrize(
        "request_", [b"", b"\x30\x00", b"GET / HTTP/1.1", b"\x30" * (MOST_REQUEST_BYTES + 1)]
    )
    def test_what_is_no_request_is_malformed(self, builtin_ca: BuiltinCA, request_: bytes) -> None:
        """Anything may arrive; an error answer goes back."""
        assert status_of(builtin_ca, request_) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST

    def test_two_questions_at_once_are_malformed(
        self, builtin_ca: BuiltinCA, order_of: Orders
    ) -> None:
        """RFC 5019, 2.1.1: one question per request."""
        single = question(builtin_ca, builtin_ca.issue(order_of()).certificate)
        listed = single[6:]  # OCSPRequest, TBSRequest and requestList are each short: 2 octets
        assert single[:6:2] == b"\x30\x30\x30"
        double = listed * 2
        for _ in range(3):
            length = len(double)
            prefix = bytes((0x30, length)) if length < 128 else bytes((0x30, 0x81, length))
            double = prefix + double
        assert status_of(builtin_ca, double) is ocsp.OCSPResponseStatus.MALFORMED_REQUEST

    def test_a_question_about_another_ca_is_unauthorized(
        self,
        tmp_path: Path,
        builtin_ca: BuiltinCA,
        order_of: Orders,
        clock: StandingClock,
    ) -> None:
        """The responder speaks for its own CA key only."""
        other = initialise(tmp_path / "other", name="Example Mobile ID CA", now=clock())
        certificate = x509.load_der_x509_certificate(builtin_ca.issue(order_of()).certificate)
        request = (
            ocsp.OCSPRequestBuilder().add_certificate(certificate, other, hashes.SHA256()).build()
        )
        status = status_of(builtin_ca, request.public_bytes(Encoding.DER))
        assert status is ocsp.OCSPResponseStatus.UNAUTHORIZED

    @pytest.mark.parametrize("method", ["by_serial", "reserve", "record"])
    def test_without_a_record_try_later(
        self, builtin_ca: BuiltinCA, order_of: Orders, ca_store: MemoryCAStore, method: str
    ) -> None:
        """A database that is away makes nobody good and nobody unknown."""
        request = question(builtin_ca, builtin_ca.issue(order_of()).certificate)
        ca_store.away = {method}
        assert status_of(builtin_ca, request) is ocsp.OCSPResponseStatus.TRY_LATER
        ca_store.away = set()
        assert status_of(builtin_ca, request) is ocsp.OCSPResponseStatus.SUCCESSFUL


class TestResponder:
    """The delegated responder and its certificate."""

    def test_is_short_lived_and_never_checked(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """RFC 6960, 4.2.2.2: signed by the CA for OCSP only; nocheck, so it lives for days."""
        answer = ask(builtin_ca, builtin_ca.issue(order_of()).certificate)
        (responder,) = answer.certificates
        purposes = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(purposes) == [ExtendedKeyUsageOID.OCSP_SIGNING]
        assert responder.extensions.get_extension_for_class(x509.OCSPNoCheck)
        assert responder.not_valid_after_utc == clock() + timedelta(days=7)

    def test_is_renewed_before_its_end(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """One certificate serves for four days, then another one."""
        certificate = builtin_ca.issue(order_of()).certificate
        (first,) = ask(builtin_ca, certificate).certificates
        clock.pass_by(timedelta(days=3))
        assert ask(builtin_ca, certificate).certificates == [first]
        clock.pass_by(timedelta(days=1))
        assert ask(builtin_ca, certificate).certificates != [first]

    def test_is_on_record_like_everybody(
        self, builtin_ca: BuiltinCA, order_of: Orders, ca_store: MemoryCAStore
    ) -> None:
        """Every certificate that the CA key signed is in the record."""
        (responder,) = ask(builtin_ca, builtin_ca.issue(order_of()).certificate).certificates
        der = responder.public_bytes(Encoding.DER)
        entry = ca_store.by_serial(*_place(ca_store, der))
        assert entry is not None
        assert entry.certificate == der
        assert entry.intent.profile == "ocsp-responder"


class TestGet:
    """The request in the path of a GET (RFC 6960, A.1)."""

    @pytest.mark.parametrize("safe", ["", "/+="])
    def test_is_read_encoded_or_not(
        self, builtin_ca: BuiltinCA, order_of: Orders, safe: str
    ) -> None:
        """Base64 has slashes and plus signs; clients encode them, or not."""
        request = question(
            builtin_ca, builtin_ca.issue(order_of()).certificate, nonce=b"\xfb\xff\xfe" * 9
        )
        encoded = base64.b64encode(request).decode()
        assert "/" in encoded
        assert "+" in encoded
        assert request_of_get(quote(encoded, safe=safe)) == request

    @pytest.mark.parametrize("path", ["", "%%%", "no base64!", "ab\0"])
    def test_of_garbage_is_malformed(self, builtin_ca: BuiltinCA, path: str) -> None:
        """What is no base64 gets the answer for a malformed request."""
        status = status_of(builtin_ca, request_of_get(path))
        assert status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def _place(store: MemoryCAStore, certificate: bytes) -> tuple[str, int]:
    """Return issuer id and serial number of a certificate."""
    serial = x509.load_der_x509_certificate(certificate).serial_number
    (issuer,) = {issuer for issuer, known in store._entries if known == serial}  # noqa: SLF001
    return issuer, serial
