"""Our own rules, which a certificate must keep before the CA key signs its like."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from mobid.ca.builtin.lint import findings
from mobid.ca.builtin.profiles import KEY_USAGES, profiles_for
from mobid.domain.options import Kind
from mobid.processes.naming import subject_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Orders, StandingClock

    from mobid.ca.builtin import BuiltinCA

KEY = ec.generate_private_key(ec.SECP256R1())
PROFILE = profiles_for("http://pki.example.org/pki/x", ("1.2.3.4",))[Kind.AUTHENTICATION]


@pytest.fixture
def ca(builtin_ca: BuiltinCA) -> x509.Certificate:
    """The CA certificate."""
    return x509.load_der_x509_certificate(builtin_ca.chain()[0])


@pytest.fixture
def san(order_of: Orders) -> tuple[x509.GeneralName, ...]:
    """Alternative names of a user."""
    return order_of().san


@pytest.fixture
def build(
    ca: x509.Certificate, san: tuple[x509.GeneralName, ...], clock: StandingClock
) -> Callable[..., x509.Certificate]:
    """Return a builder of sound certificates in which a test replaces something."""
    identifier = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value

    def make(
        replaced: dict[type[x509.ExtensionType], tuple[x509.ExtensionType, bool] | None]
        | None = None,
        **fields: object,
    ) -> x509.Certificate:
        values = {
            "issuer_name": ca.subject,
            "subject_name": subject_for("Anna"),
            "public_key": KEY.public_key(),
            "serial_number": x509.random_serial_number() | 1 << 158,
            "not_valid_before": clock(),
            "not_valid_after": clock() + timedelta(days=9),
            **fields,
        }
        algorithm = values.pop("algorithm", hashes.SHA256())
        builder = x509.CertificateBuilder(**values)  # type: ignore[arg-type]  # as a test has them
        extensions = {
            type(extension): (extension, critical)
            for extension, critical in PROFILE.extensions(KEY.public_key(), identifier, san)
        }
        for found in ({**extensions, **(replaced or {})}).values():
            if found is not None:
                builder = builder.add_extension(found[0], critical=found[1])
        return builder.sign(KEY, algorithm)  # type: ignore[arg-type]  # likewise

    return make


def usage(*names: str) -> x509.KeyUsage:
    """Return a key usage."""
    return x509.KeyUsage(**{name: name in names for name in KEY_USAGES})


def test_a_sound_certificate_has_no_finding(
    build: Callable[..., x509.Certificate], ca: x509.Certificate
) -> None:
    """What the profile makes keeps all rules."""
    assert findings(build(), PROFILE, ca) == ()


@pytest.mark.parametrize(
    ("kind", "extension", "words"),
    [
        (x509.KeyUsage, (usage("digital_signature", "crl_sign"), True), "its key usage is not"),
        (x509.KeyUsage, (usage("digital_signature"), False), "2.5.29.15 has the wrong criticality"),
        (x509.KeyUsage, (usage("key_encipherment"), True), "its key usage is not"),
        (x509.KeyUsage, None, "extension 2.5.29.15 is missing"),
        (
            x509.ExtendedKeyUsage,
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False),
            "its extended key usage is not",
        ),
        (
            x509.BasicConstraints,
            (x509.BasicConstraints(ca=True, path_length=None), True),
            "it is a CA certificate",
        ),
        (
            x509.SubjectKeyIdentifier,
            (x509.SubjectKeyIdentifier(b"0" * 20), False),
            "its subject key identifier is not",
        ),
        (
            x509.AuthorityKeyIdentifier,
            (x509.AuthorityKeyIdentifier(b"0" * 20, None, None), False),
            "its authority key identifier is not",
        ),
        (x509.CertificatePolicies, None, "extension 2.5.29.32 is missing"),
        (x509.AuthorityInformationAccess, None, "extension 1.3.6.1.5.5.7.1.1 is missing"),
        (
            x509.OCSPNoCheck,
            (x509.OCSPNoCheck(), False),
            "is not in the profile authentication",
        ),
    ],
)
def test_an_extension_that_is_not_the_profiles_is_found(
    build: Callable[..., x509.Certificate],
    ca: x509.Certificate,
    kind: type[x509.ExtensionType],
    extension: tuple[x509.ExtensionType, bool] | None,
    words: str,
) -> None:
    """Each rule finds the certificate that breaks it."""
    found = findings(build({kind: extension}), PROFILE, ca)
    assert any(words in finding for finding in found), found


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("issuer_name", subject_for("Another CA"), "its issuer is not"),
        ("subject_name", x509.Name([]), "its subject has no common name"),
        ("serial_number", 4711, "its serial number is not"),
        ("algorithm", hashes.SHA384(), "its signature algorithm is not"),
    ],
)
def test_a_field_that_is_not_as_it_must_be_is_found(
    build: Callable[..., x509.Certificate],
    ca: x509.Certificate,
    field: str,
    value: object,
    words: str,
) -> None:
    """Issuer, subject, serial number and algorithm are looked at."""
    found = findings(build(**{field: value}), PROFILE, ca)
    assert len(found) == 1
    assert words in found[0]


def test_an_end_after_the_ca_is_found(
    build: Callable[..., x509.Certificate], ca: x509.Certificate
) -> None:
    """Nobody lives longer than the CA."""
    late = ca.not_valid_after_utc + timedelta(seconds=1)
    assert findings(build(not_valid_after=late), PROFILE, ca) == (
        "it ends after the CA certificate",
    )


def test_addresses_of_another_ca_are_found(
    build: Callable[..., x509.Certificate], ca: x509.Certificate
) -> None:
    """A revocation list under another address would never say anything about this certificate."""
    moved = replace(PROFILE, crl_url="http://other/crl", ocsp_url="http://other/ocsp")
    assert findings(build(), moved, ca) == (
        "its revocation list is not where the profile says",
        "its OCSP and issuer addresses are not those of the profile",
    )


def test_a_digest_changes_with_every_field() -> None:
    """The digest in the record tells two profiles apart."""
    changes: list[dict[str, object]] = [
        {"name": "x"},
        {"key_usage": ()},
        {"extended_key_usage": (ObjectIdentifier("1.2.3").dotted_string,)},
        {"policies": ()},
        {"crl_url": None},
        {"ocsp_url": None},
        {"chain_url": None},
        {"ocsp_no_check": True},
    ]
    assert len(changes) == len(PROFILE.__slots__)
    digests = {replace(PROFILE, **change).digest for change in changes}  # type: ignore[arg-type]  # one field each
    assert len(digests | {PROFILE.digest}) == len(changes) + 1
