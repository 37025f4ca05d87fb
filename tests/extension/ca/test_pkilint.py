"""What a linter of RFC 5280 and RFC 6960 says of everything that the built-in CA signs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from mobid.ca import Reason, Surroundings
from mobid.ca.builtin import create
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.conftest import MemoryCAStore, Orders, StandingClock

    from mobid.ca.builtin import BuiltinCA

# The linter comes with the extra `conformance`.
loader = pytest.importorskip("pkilint.loader")
pkix = pytest.importorskip("pkilint.pkix")
lints = {
    part: pytest.importorskip(f"pkilint.pkix.{part}")
    for part in ("certificate", "crl", "ocsp", "name", "extension")
}
ATTRIBUTES = lints["name"].ATTRIBUTE_TYPE_MAPPINGS
EXTENSIONS = lints["extension"].EXTENSION_MAPPINGS

WORST = {"ERROR", "FATAL", "WARNING"}


class TestPkilint:
    """A linter of RFC 5280 and 6960."""

    @pytest.fixture
    def ca(
        self, builtin_ca: BuiltinCA, tmp_path: Path, ca_store: MemoryCAStore, clock: StandingClock
    ) -> BuiltinCA:
        """The CA of this module with every kind and setting."""
        del builtin_ca  # it made the key
        surroundings = Surroundings(
            clock=clock, key_folder=tmp_path / "ca", public_url="https://m", store=ca_store
        )
        settings = {
            "kinds": list(Kind),
            "pki_url": "http://pki.example.org/pki",
            "policies": ["1.3.6.1.4.1.99999.1.1", "1.3.6.1.4.1.99999.1.2"],
        }
        return create(settings, surroundings)

    @pytest.mark.parametrize("kind", Kind)
    def test_has_nothing_against_a_certificate(
        self, ca: BuiltinCA, order_of: Orders, kind: Kind
    ) -> None:
        """No finding above information for any kind."""
        assert lint_certificate(ca.issue(order_of(kind)).certificate) == []

    def test_has_nothing_against_the_ca_certificate(self, builtin_ca: BuiltinCA) -> None:
        """The self-signed certificate is sound."""
        assert lint_certificate(builtin_ca.chain()[0]) == []

    def test_has_nothing_against_the_lists(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """Neither against the empty list nor against one with every reason and a hold."""
        assert lint_crl(builtin_ca.crl()) == []
        for reason in Reason:
            certificate = builtin_ca.issue(order_of()).certificate
            builtin_ca.revoke(certificate, reason, clock() - timedelta(days=1))
        builtin_ca.hold(builtin_ca.issue(order_of()).certificate, clock())
        assert lint_crl(builtin_ca.crl()) == []

    def test_has_nothing_against_the_answers_and_the_responder(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """Good and revoked answers with a nonce, errors, and the responder's certificate."""
        certificate = builtin_ca.issue(order_of()).certificate
        issuer = x509.load_der_x509_certificate(builtin_ca.chain()[0])
        builder = ocsp.OCSPRequestBuilder().add_certificate(
            x509.load_der_x509_certificate(certificate), issuer, hashes.SHA256()
        )
        nonce = x509.OCSPNonce(b"n" * 32)
        request = builder.add_extension(nonce, critical=False).build()
        assert lint_ocsp(builtin_ca.ocsp(request.public_bytes(Encoding.DER))) == []
        builtin_ca.revoke(certificate, Reason.KEY_COMPROMISE, clock())
        answer = builtin_ca.ocsp(request.public_bytes(Encoding.DER))
        assert lint_ocsp(answer) == []
        assert lint_ocsp(builtin_ca.ocsp(b"")) == []
        (responder,) = ocsp.load_der_ocsp_response(answer).certificates
        assert lint_certificate(responder.public_bytes(Encoding.DER)) == []

    def test_would_find_something(self, builtin_ca: BuiltinCA, order_of: Orders) -> None:
        """It is awake: a certificate without an authority key identifier is an error."""
        parsed = x509.load_der_x509_certificate(builtin_ca.issue(order_of()).certificate)
        key = rsa.generate_private_key(65537, 2048)
        bad = (
            x509.CertificateBuilder(parsed.issuer, parsed.subject, key.public_key())
            .serial_number(1)
            .not_valid_before(parsed.not_valid_before_utc)
            .not_valid_after(parsed.not_valid_after_utc)
            .sign(key, hashes.SHA256())
        )
        assert lint_certificate(bad.public_bytes(Encoding.DER)) != []


def lint_certificate(der: bytes) -> list[str]:
    """Return what the linter holds against a certificate."""
    rules = lints["certificate"]
    validator = rules.create_pkix_certificate_validator_container(
        rules.create_decoding_validators(ATTRIBUTES, EXTENSIONS),
        [
            rules.create_issuer_validator_container([]),
            rules.create_validity_validator_container(),
            rules.create_subject_validator_container([]),
            rules.create_extensions_validator_container([]),
            rules.create_spki_validator_container([]),
        ],
    )
    return findings(validator.validate(loader.load_der_certificate(der).root))


def lint_crl(der: bytes) -> list[str]:
    """Return what the linter holds against a revocation list."""
    rules = lints["crl"]
    validator = rules.create_pkix_crl_validator_container(
        [pkix.create_attribute_decoder(ATTRIBUTES), pkix.create_extension_decoder(EXTENSIONS)],
        [
            rules.create_issuer_validator_container([]),
            rules.create_validity_validator_container([]),
            rules.create_extensions_validator_container([]),
        ],
    )
    return findings(validator.validate(loader.load_der_crl(der).root))


def lint_ocsp(der: bytes) -> list[str]:
    """Return what the linter holds against an OCSP response."""
    validator = lints["ocsp"].create_pkix_ocsp_response_validator_container(
        [
            lints["ocsp"].create_response_decoder(),
            pkix.create_attribute_decoder(ATTRIBUTES),
            pkix.create_extension_decoder(EXTENSIONS),
        ],
        [],
    )
    return findings(validator.validate(loader.load_der_ocsp_response(der).root))


def findings(results: Iterable[Any]) -> list[str]:
    """Return the findings above information, in words."""
    return [
        f"{found.finding.code} at {result.node.path}: {found.message}"
        for result in results
        for found in result.finding_descriptions
        if found.finding.severity.name in WORST
    ]
