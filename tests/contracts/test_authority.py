"""What every CA connector promises, whichever CA is behind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mobid.ca import Holds, Issued, Publisher, Rejected, Status
from mobid.processes.verification import verify

if TYPE_CHECKING:
    from tests.conftest import Orders, StandingClock

    from mobid.ca import Authority, Order
    from mobid.domain.options import Kind
    from mobid.processes.verification import VerifiedCertificate


def obtain(authority: Authority, order: Order) -> Issued:
    """Place an order; a CA that answers later is asked again, a bounded number of times."""
    answer = authority.issue(order)
    for _ in range(100):
        if isinstance(answer, Issued):
            return answer
        (answer,) = authority.find(order)
    pytest.fail("the CA never finished the order")


def verified(authority: Authority, order: Order, clock: StandingClock) -> VerifiedCertificate:
    """Place an order and hold the answer against it, as the core does."""
    return verify(
        order,
        obtain(authority, order),
        issuers=[x509.load_der_x509_certificate(der) for der in authority.capabilities().issuers],
        now=clock(),
        serial_is_new=lambda _: True,
    )


@pytest.fixture
def kind(authority: Authority) -> Kind:
    """One of the kinds that the CA issues."""
    return min(authority.capabilities().kinds)


@pytest.fixture
def foreign(clock: StandingClock) -> bytes:
    """A certificate that no CA under test has issued."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Somebody")])
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(clock())
        .not_valid_after(clock() + timedelta(days=9))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


class TestCapabilities:
    """What a CA says of itself."""

    def test_name_kinds_profiles_and_issuers(
        self, authority: Authority, clock: StandingClock
    ) -> None:
        """A CA says what it issues under which profile, until when, and who signs it."""
        able = authority.capabilities()
        assert able.kinds
        assert set(able.profile_hash) == able.kinds
        assert able.not_after > clock()
        for der in able.issuers:
            issuer = x509.load_der_x509_certificate(der)
            assert issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca

    def test_holds_is_said_by_word_and_by_type(self, authority: Authority) -> None:
        """Who says that it can suspend has the verbs for it, and the other way round."""
        assert authority.capabilities().holds == isinstance(authority, Holds)


class TestIssue:
    """From an order to a certificate."""

    def test_every_kind_passes_the_verification_of_the_core(
        self, authority: Authority, order_of: Orders, clock: StandingClock
    ) -> None:
        """Key, subject, names, usages, validity and signature are those of the order."""
        for kind in authority.capabilities().kinds:
            order = order_of(kind)
            assert verified(authority, order, clock).key_hash == order.key_hash

    def test_a_certificate_is_found_by_its_order(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """What was issued can be looked up again after its answer was lost."""
        order = order_of(kind)
        issued = obtain(authority, order)
        if authority.capabilities().find:
            found = [answer for answer in authority.find(order) if isinstance(answer, Issued)]
            assert issued.certificate in {answer.certificate for answer in found}

    def test_every_certificate_of_a_repeated_order_is_found(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """A CA may be asked twice; it may not hide what came of it."""
        order = order_of(kind)
        both = {obtain(authority, order).certificate, obtain(authority, order).certificate}
        if authority.capabilities().find:
            found = [answer for answer in authority.find(order) if isinstance(answer, Issued)]
            assert both <= {answer.certificate for answer in found}

    def test_an_order_that_was_never_placed_is_not_found(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """Empty means that nothing was issued, so that it is right to issue now."""
        if authority.capabilities().find:
            assert list(authority.find(order_of(kind))) == []

    def test_a_request_without_proof_of_possession_is_rejected(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """A CSR whose signature was changed gets no certificate."""
        order = order_of(kind)
        forged = order.csr[:-1] + bytes([order.csr[-1] ^ 1])
        with pytest.raises(Rejected):
            authority.issue(replace(order, csr=forged))

    def test_nothing_is_valid_longer_than_the_ca(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """An order past the end of the CA is rejected, not shortened in silence."""
        beyond = authority.capabilities().not_after + timedelta(days=2)
        with pytest.raises(Rejected):
            authority.issue(replace(order_of(kind), not_after=beyond))


class TestRevoke:
    """The end of a certificate."""

    def test_the_ca_itself_says_revoked(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """After revoke the CA's own word changes from valid to revoked, for every reason it has."""
        for reason in authority.capabilities().reasons:
            certificate = verified(authority, order_of(kind), clock).der
            assert authority.status(certificate) is Status.VALID
            authority.revoke(certificate, reason, clock())
            assert authority.status(certificate) is Status.REVOKED

    def test_twice_is_no_error(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """A revocation whose answer was lost can be sent again."""
        certificate = verified(authority, order_of(kind), clock).der
        reason = min(authority.capabilities().reasons)
        authority.revoke(certificate, reason, clock())
        authority.revoke(certificate, reason, clock())
        assert authority.status(certificate) is Status.REVOKED

    def test_a_foreign_certificate_is_unknown_and_cannot_be_revoked(
        self, authority: Authority, foreign: bytes, clock: StandingClock
    ) -> None:
        """Revoke never pretends."""
        assert authority.status(foreign) is Status.UNKNOWN
        with pytest.raises(Rejected):
            authority.revoke(foreign, min(authority.capabilities().reasons), clock())


class TestHolds:
    """Suspension, if the CA knows it."""

    @pytest.fixture
    def holding(self, authority: Authority) -> Holds:
        """The CA, if it can suspend."""
        if not isinstance(authority, Holds):
            pytest.skip("this CA cannot suspend")
        return authority

    def test_a_hold_can_be_taken_back(
        self,
        authority: Authority,
        holding: Holds,
        order_of: Orders,
        kind: Kind,
        clock: StandingClock,
    ) -> None:
        """Held and released are the CA's own word; each verb may be repeated."""
        certificate = verified(authority, order_of(kind), clock).der
        for _ in range(2):
            holding.hold(certificate, clock())
            assert authority.status(certificate) is Status.HELD
        for _ in range(2):
            holding.release(certificate, clock())
            assert authority.status(certificate) is Status.VALID

    def test_revoked_is_for_good(
        self,
        authority: Authority,
        holding: Holds,
        order_of: Orders,
        kind: Kind,
        clock: StandingClock,
    ) -> None:
        """A held one can be revoked; a revoked one can be neither held nor released."""
        certificate = verified(authority, order_of(kind), clock).der
        holding.hold(certificate, clock())
        authority.revoke(certificate, min(authority.capabilities().reasons), clock())
        with pytest.raises(Rejected):
            holding.hold(certificate, clock())
        with pytest.raises(Rejected):
            holding.release(certificate, clock())
        assert authority.status(certificate) is Status.REVOKED


class TestPublisher:
    """Chain and revocation list, if the CA publishes them."""

    @pytest.fixture
    def publisher(self, authority: Authority) -> Publisher:
        """The CA, if it publishes."""
        if not isinstance(authority, Publisher):
            pytest.skip("this CA does not publish")
        return authority

    def test_the_list_names_what_was_revoked(
        self,
        authority: Authority,
        publisher: Publisher,
        order_of: Orders,
        kind: Kind,
        clock: StandingClock,
    ) -> None:
        """The revocation list is signed by the issuer and holds the revoked serial number only."""
        good, bad = (verified(authority, order_of(kind), clock) for _ in range(2))
        authority.revoke(bad.der, min(authority.capabilities().reasons), clock())
        revoked = x509.load_der_x509_crl(publisher.crl())
        issuer = x509.load_der_x509_certificate(publisher.chain()[0])
        key = issuer.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert revoked.is_signature_valid(key)
        assert revoked.get_revoked_certificate_by_serial_number(bad.serial) is not None
        assert revoked.get_revoked_certificate_by_serial_number(good.serial) is None
