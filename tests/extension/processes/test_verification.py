"""Certificates that are not what was ordered: each fault is found, and all faults together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from mobid.domain.options import Kind
from mobid.processes.authority import Issued, Order
from mobid.processes.naming import san_for, subject_for
from mobid.processes.verification import Fault, VerifiedCertificate, WrongCertificate, verify

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = NOON + timedelta(days=365)
USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
MAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION
ANY_PURPOSE = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
PHONE_KEY = ec.generate_private_key(ec.SECP256R1())
CA_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
WITH_SHA256 = "06082a8648ce3d040302"
WITH_SHA1 = "06072a8648ce3d0401"
CA_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Some CA")])


def ca_certificate(
    key: ec.EllipticCurvePrivateKey, *, name: x509.Name = CA_NAME, ca: bool = True, days: int = 999
) -> x509.Certificate:
    """Return a self-signed CA certificate of somebody else's making."""
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOON - timedelta(days=9))
        .not_valid_after(NOON + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


CA = ca_certificate(CA_KEY)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a CA makes of an order; a test changes one thing."""

    key: ec.EllipticCurvePrivateKey = PHONE_KEY
    subject: x509.Name = field(default_factory=lambda: subject_for("Anna Meier"))
    san: tuple[x509.GeneralName, ...] = san_for(Kind.AUTHENTICATION, "a@example.org", "a@corp")
    start: datetime = NOON
    end: datetime = END
    usage: tuple[str, ...] = ("digital_signature",)
    purposes: tuple[x509.ObjectIdentifier, ...] = (CLIENT,)
    ca: bool | None = False
    issuer: x509.Name = CA_NAME
    signer: ec.EllipticCurvePrivateKey = CA_KEY
    algorithm: Any = field(default_factory=hashes.SHA256)
    serial: int = 0x1234567890ABCDEF1234
    unknown_critical: bool = False

    def make(self) -> bytes:
        """Return the certificate."""
        builder = x509.CertificateBuilder(
            self.issuer, self.subject, self.key.public_key(), self.serial, self.start, self.end
        )
        if self.san:
            builder = builder.add_extension(x509.SubjectAlternativeName(self.san), critical=False)
        if self.usage:
            usage = x509.KeyUsage(**{name: name in self.usage for name in USAGES})
            builder = builder.add_extension(usage, critical=True)
        if self.purposes:
            builder = builder.add_extension(x509.ExtendedKeyUsage(self.purposes), critical=False)
        if self.ca is not None:
            constraints = x509.BasicConstraints(ca=self.ca, path_length=None)
            builder = builder.add_extension(constraints, critical=True)
        if self.unknown_critical:
            oid = x509.ObjectIdentifier("1.3.6.1.4.1.99999.7")
            builder = builder.add_extension(x509.UnrecognizedExtension(oid, b"\5\0"), critical=True)
        return builder.sign(self.signer, self.algorithm).public_bytes(Encoding.DER)


def an_order(kind: Kind = Kind.AUTHENTICATION) -> Order:
    """Return the order of one user."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return Order(
        key="o-1",
        csr=builder.sign(PHONE_KEY, hashes.SHA256()).public_bytes(Encoding.DER),
        kind=kind,
        subject=subject_for("Anna Meier"),
        san=san_for(Kind.AUTHENTICATION, "a@example.org", "a@corp"),
        not_before=NOON,
        not_after=END,
    )


def check(
    der: bytes,
    *,
    kind: Kind = Kind.AUTHENTICATION,
    chain: tuple[bytes, ...] = (),
    issuers: tuple[x509.Certificate, ...] = (CA,),
    now: datetime = NOON,
    serial_is_new: Callable[[x509.Certificate], bool] = lambda _: True,
) -> VerifiedCertificate:
    """Hold a certificate against the order."""
    return verify(
        an_order(kind), Issued(der, chain), issuers=issuers, now=now, serial_is_new=serial_is_new
    )


def faults(der: bytes, **how: Any) -> set[Fault]:
    """Return what is found."""
    with pytest.raises(WrongCertificate, match="order o-1 is not what was ordered") as caught:
        check(der, **how)
    return {finding.fault for finding in caught.value.findings}


class TestRight:
    """Certificates that pass."""

    def test_comes_back_with_its_facts(self) -> None:
        """Serial, validity and key are read from the certificate itself."""
        verified = check(Plan().make(), chain=(CA.public_bytes(Encoding.DER),))
        assert verified.serial == Plan().serial
        assert (verified.not_before, verified.not_after) == (NOON, END)
        assert verified.key_hash == an_order().key_hash
        assert len(verified.fingerprint) == 32

    @pytest.mark.parametrize(
        ("kind", "usage", "purposes"),
        [
            (Kind.AUTHENTICATION, "digital_signature", (CLIENT,)),
            (
                Kind.AUTHENTICATION,
                "digital_signature",
                (ExtendedKeyUsageOID.SMARTCARD_LOGON, CLIENT),
            ),
            (Kind.SIGNATURE, "content_commitment", (MAIL,)),
            (Kind.SIGNATURE, "content_commitment", (x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36"),)),
            (Kind.ENCRYPTION, "key_agreement", (MAIL,)),
        ],
    )
    def test_has_the_usages_of_its_kind(
        self, kind: Kind, usage: str, purposes: tuple[x509.ObjectIdentifier, ...]
    ) -> None:
        """A CA may choose among purposes that fit the kind."""
        assert check(Plan(usage=(usage,), purposes=purposes).make(), kind=kind)

    def test_may_order_names_in_another_way(self) -> None:
        """Alternative names are a set."""
        assert check(Plan(san=Plan().san[::-1]).make())

    def test_may_leave_basic_constraints_out(self) -> None:
        """RFC 5280, 4.2.1.9: without them it is no CA."""
        assert check(Plan(ca=None).make())

    def test_may_start_later_and_end_a_little_earlier(self) -> None:
        """The validity lies inside the ordered one."""
        plan = Plan(start=NOON + timedelta(minutes=1), end=END - timedelta(hours=23))
        assert check(plan.make())


@pytest.mark.parametrize(
    ("plan", "fault"),
    [
        (Plan(key=OTHER_KEY), Fault.KEY),
        (Plan(subject=subject_for("Eve")), Fault.SUBJECT),
        (Plan(subject=subject_for("Anna Meier", unique_id="7")), Fault.SUBJECT),
        (Plan(san=()), Fault.SAN),
        (Plan(san=Plan().san[:1]), Fault.SAN),
        (Plan(san=(*Plan().san, x509.RFC822Name("eve@example.org"))), Fault.SAN),
        (Plan(san=(*Plan().san, Plan().san[0])), Fault.SAN),
        (Plan(usage=()), Fault.KEY_USAGE),
        (Plan(usage=("digital_signature", "key_agreement")), Fault.KEY_USAGE),
        (Plan(usage=("digital_signature", "key_cert_sign")), Fault.KEY_USAGE),
        (Plan(usage=("content_commitment",)), Fault.KEY_USAGE),
        (Plan(purposes=()), Fault.EXTENDED_KEY_USAGE),
        (Plan(purposes=(MAIL,)), Fault.EXTENDED_KEY_USAGE),
        (Plan(purposes=(CLIENT, ANY_PURPOSE)), Fault.EXTENDED_KEY_USAGE),
        (Plan(unknown_critical=True), Fault.EXTENSION),
        (Plan(ca=True), Fault.IS_CA),
        (Plan(start=NOON - timedelta(seconds=1)), Fault.VALIDITY),
        (Plan(end=END + timedelta(seconds=1)), Fault.VALIDITY),
        (Plan(end=END - timedelta(days=2)), Fault.VALIDITY),
        (Plan(end=NOON), Fault.VALIDITY),
        (Plan(issuer=subject_for("Another CA")), Fault.ISSUER),
        (Plan(signer=OTHER_KEY), Fault.SIGNATURE),
    ],
)
def test_one_thing_wrong_is_the_one_thing_found(plan: Plan, fault: Fault) -> None:
    """A certificate that differs from its order in one way fails for exactly that."""
    assert faults(plan.make()) == {fault}


def signed_anew(old: str, new: str, oid: str, algorithm: hashes.HashAlgorithm) -> bytes:
    """Return a certificate that no builder makes: bytes of a good one replaced, then signed again."""
    good = x509.load_der_x509_certificate(Plan().make())
    tbs = good.tbs_certificate_bytes.replace(bytes.fromhex(old), bytes.fromhex(new))
    assert tbs != good.tbs_certificate_bytes
    tbs = long_sequence(tbs[4:])
    identifier = bytes((0x30, len(oid) // 2)) + bytes.fromhex(oid)
    signature = b"\0" + CA_KEY.sign(tbs, ec.ECDSA(algorithm))
    return long_sequence(tbs + identifier + bytes((0x03, len(signature))) + signature)


def long_sequence(content: bytes) -> bytes:
    """Return a SEQUENCE with a length of two bytes."""
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


class TestWrong:
    """Faults that lie beside the certificate's own fields."""

    def test_a_serial_number_of_another_order(self) -> None:
        """Whether a number is new is known outside; the certificate is handed to the question."""
        seen: list[int] = []

        def is_new(certificate: x509.Certificate) -> bool:
            seen.append(certificate.serial_number)
            return False

        assert faults(Plan().make(), serial_is_new=is_new) == {Fault.SERIAL_REUSED}
        assert seen == [Plan().serial]

    def test_a_serial_number_of_21_octets(self) -> None:
        """RFC 5280, 4.1.2.2: at most 20 octets, and our columns hold no more."""
        serial = Plan().serial.to_bytes(10, "big").hex()
        der = signed_anew(f"020a{serial}", f"0215{'7f' * 21}", WITH_SHA256, hashes.SHA256())
        assert faults(der) == {Fault.SERIAL}

    def test_a_broken_hash(self) -> None:
        """A SHA-1 signature is none, although it is the issuer's own."""
        sha1 = hashes.SHA1()  # noqa: S303  # the fault
        der = signed_anew(f"300a{WITH_SHA256}", f"3009{WITH_SHA1}", WITH_SHA1, sha1)
        assert faults(der) == {Fault.SIGNATURE}

    @pytest.mark.parametrize("der", [b"", b"-----BEGIN CERTIFICATE-----", b"\x30\x03\x02\x01\x00"])
    def test_no_certificate(self, der: bytes) -> None:
        """HTML, PEM, an empty body: all the same."""
        assert faults(der) == {Fault.NOT_A_CERTIFICATE}

    def test_trailing_bytes(self) -> None:
        """DER has one end."""
        assert faults(Plan().make() + b"\0") == {Fault.NOT_A_CERTIFICATE}

    def test_a_changed_bit_in_the_signature(self) -> None:
        """The last byte belongs to the signature."""
        der = Plan().make()
        assert faults(der[:-1] + bytes([der[-1] ^ 1])) == {Fault.SIGNATURE}

    def test_expired_meanwhile(self) -> None:
        """An answer that comes a year late is of no use."""
        assert faults(Plan().make(), now=END) == {Fault.VALIDITY}

    def test_an_issuer_that_is_no_ca(self) -> None:
        """A signature by an end entity's key certifies nothing."""
        no_ca = ca_certificate(CA_KEY, ca=False)
        assert faults(Plan().make(), issuers=(no_ca,)) == {Fault.ISSUER}

    def test_an_expired_issuer(self) -> None:
        """The CA's own end is looked at."""
        expired = ca_certificate(CA_KEY, days=-1)
        assert faults(Plan().make(), issuers=(expired,)) == {Fault.ISSUER}

    def test_a_chain_of_somebody_else(self) -> None:
        """The chain that goes to the phone leads up from this certificate."""
        other = ca_certificate(OTHER_KEY).public_bytes(Encoding.DER)
        own = CA.public_bytes(Encoding.DER)
        assert faults(Plan().make(), chain=(other,)) == {Fault.CHAIN}
        assert faults(Plan().make(), chain=(own, other)) == {Fault.CHAIN}
        assert faults(Plan().make(), chain=(b"junk",)) == {Fault.CHAIN}

    def test_every_fault_is_listed(self) -> None:
        """An operator reads everything at once."""
        plan = Plan(key=OTHER_KEY, subject=subject_for("Eve"), san=(), ca=True, signer=OTHER_KEY)
        assert faults(plan.make()) == {
            Fault.KEY,
            Fault.SUBJECT,
            Fault.SAN,
            Fault.IS_CA,
            Fault.SIGNATURE,
        }

    def test_the_words_name_both_sides(self) -> None:
        """The message says what came and what was ordered."""
        with pytest.raises(WrongCertificate, match='its subject is "CN=Eve", ordered was "CN=Anna'):
            check(Plan(subject=subject_for("Eve")).make())

    def test_an_error_of_the_question_itself_is_not_swallowed(self) -> None:
        """A database that fails while it is asked is no fault of the certificate."""

        def broken(_: x509.Certificate) -> bool:
            raise ValueError("the database is away")

        with pytest.raises(ValueError, match="the database is away"):
            check(Plan().make(), serial_is_new=broken)

    def test_an_order_with_parts_of_a_second(self) -> None:
        """X.509 has whole seconds; the first one of the order is cut, not missed."""
        order = replace(an_order(), not_before=NOON + timedelta(microseconds=5))
        issued = Issued(Plan().make())
        assert verify(order, issued, issuers=[CA], now=NOON, serial_is_new=lambda _: True)
