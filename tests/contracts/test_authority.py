"""What every CA connector promises, whichever CA is behind it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from mobid.ca import Holds, Issued, Publisher, Reason, Rejected, Status, Unsupported
from mobid.processes.naming import san_for, subject_for
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


def verified(
    authority: Authority, order: Order, clock: StandingClock, answer: Issued | None = None
) -> VerifiedCertificate:
    """Place an order, or take an answer to it, and hold it against the order, as the core does."""
    return verify(
        order,
        answer or obtain(authority, order),
        issuers=[x509.load_der_x509_certificate(der) for der in authority.capabilities().issuers],
        now=clock(),
        serial_is_new=lambda _: True,
    )


@pytest.fixture
def kind(authority: Authority) -> Kind:
    """One of the kinds that the CA issues."""
    return min(authority.capabilities().kinds)


def found(authority: Authority, order: Order) -> set[bytes]:
    """Return the certificates that the CA finds for an order."""
    answers = authority.find(order)
    return {answer.certificate for answer in answers if isinstance(answer, Issued)}


def greedy_csr() -> bytes:
    """Return a request that wants to be somebody else, and a CA."""
    mallory = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Mallory")])
    names = [x509.DNSName("mallory.example"), x509.RFC822Name("mallory@example.org")]
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(mallory)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return request.public_bytes(Encoding.DER)


def look_alike(certificate: bytes) -> bytes:
    """Return a certificate that somebody else signed, under the same names and serial number."""
    key = ec.generate_private_key(ec.SECP256R1())
    copied = x509.load_der_x509_certificate(certificate)
    return (
        x509.CertificateBuilder(
            copied.issuer, copied.subject, key.public_key(), copied.serial_number
        )
        .not_valid_before(copied.not_valid_before_utc)
        .not_valid_after(copied.not_valid_after_utc)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


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

    def test_a_reason_can_be_given_always(self, authority: Authority) -> None:
        """A CA that knows no reasons still revokes: unspecified is the reason of the core then."""
        assert Reason.UNSPECIFIED in authority.capabilities().reasons


class TestIssue:
    """From an order to a certificate."""

    def test_every_kind_passes_the_verification_of_the_core(
        self, authority: Authority, order_of: Orders, clock: StandingClock
    ) -> None:
        """Key, subject, names, usages, validity and signature are those of the order."""
        for kind in authority.capabilities().kinds:
            order = order_of(kind)
            assert verified(authority, order, clock).key_hash == order.key_hash

    def test_the_request_gives_the_key_and_nothing_else(
        self, authority: Authority, order_of: Orders, clock: StandingClock
    ) -> None:
        """Names and extensions that a CSR asks for are not heard."""
        for kind in authority.capabilities().kinds:
            verified(authority, order_of(kind, csr=greedy_csr()), clock)

    @pytest.mark.parametrize(
        ("name", "principal"),
        [
            ('O\'Neill, Änne; +CN="x"', "änne,x;UTF8:*@corp.example.org"),
            ("anne@example.org", "a@b"),
            ("李明 * 株式会社", "李明@例え.jp"),
            ("x" * 64, "p" * 250 + "@a.io"),
        ],
    )
    def test_names_arrive_as_they_are(
        self,
        authority: Authority,
        order_of: Orders,
        clock: StandingClock,
        name: str,
        principal: str,
    ) -> None:
        """No character of a name means anything on its way to the CA."""
        for kind in authority.capabilities().kinds:
            order = replace(
                order_of(kind),
                subject=subject_for(name, unique_id="2819c223 '()+,-./:=?"),
                san=san_for(kind, "o'neill+{tag}=x!#$%&*/?^_`|~@example.org", principal),
            )
            verified(authority, order, clock)

    def test_a_subject_without_a_number_will_do(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """A common name alone is a subject."""
        verified(authority, replace(order_of(kind), subject=subject_for("Anne")), clock)

    def test_orders_side_by_side_do_not_mix(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """Eight orders at the same time, of the same name and the same end, give eight certificates."""
        orders = [order_of(kind) for _ in range(8)]
        with ThreadPoolExecutor(len(orders)) as together:
            certificates = list(
                together.map(lambda order: verified(authority, order, clock).der, orders)
            )
        assert len(set(certificates)) == len(orders)
        if authority.capabilities().find:
            for order, certificate in zip(orders, certificates, strict=True):
                assert found(authority, order) == {certificate}

    def test_one_order_side_by_side_hides_nothing(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """However many certificates come of one order that is placed eight times, all are found."""
        order = order_of(kind)
        with ThreadPoolExecutor(8) as together:
            answers = list(together.map(lambda _: obtain(authority, order).certificate, range(8)))
        if authority.capabilities().find:
            assert found(authority, order) == set(answers)

    def test_a_certificate_whose_answer_was_lost_is_found_and_good(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """What was issued can be looked up by its order, and passes the same verification."""
        order = order_of(kind)
        issued = obtain(authority, order)
        if authority.capabilities().find:
            (answer,) = authority.find(replace(order))
            assert isinstance(answer, Issued)
            assert verified(authority, order, clock, answer).der == issued.certificate

    def test_every_certificate_of_a_repeated_order_is_found(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """A CA may be asked twice; it may not hide what came of it."""
        order = order_of(kind)
        both = {obtain(authority, order).certificate, obtain(authority, order).certificate}
        if authority.capabilities().find:
            assert found(authority, order) == both

    def test_a_revoked_certificate_is_still_found(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """An order is not placed again because its certificate was revoked meanwhile."""
        order = order_of(kind)
        issued = obtain(authority, order)
        authority.revoke(issued.certificate, Reason.UNSPECIFIED, clock())
        if authority.capabilities().find:
            assert found(authority, order) == {issued.certificate}

    def test_an_order_that_was_never_placed_is_not_found(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """Empty means that nothing was issued, so that it is right to issue now."""
        obtain(authority, order_of(kind))
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

    def test_a_key_of_another_type_is_rejected(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """We issue for P-256 only, whatever the CA would take."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Anne")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        request = builder.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384())
        with pytest.raises(Rejected, match="P-256"):
            authority.issue(order_of(kind, csr=request.public_bytes(Encoding.DER)))

    def test_what_is_no_request_is_rejected(
        self, authority: Authority, order_of: Orders, kind: Kind
    ) -> None:
        """Bytes that are no PKCS#10 are refused before anything else."""
        with pytest.raises(Rejected):
            authority.issue(order_of(kind, csr=b"no request"))

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

    def test_a_reason_that_the_ca_does_not_have_is_refused(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """What cannot be kept is not dropped in silence, and nothing is revoked."""
        certificate = verified(authority, order_of(kind), clock).der
        for reason in set(Reason) - authority.capabilities().reasons:
            with pytest.raises(Unsupported):
                authority.revoke(certificate, reason, clock())
        assert authority.status(certificate) is Status.VALID

    def test_at_the_end_it_says_expired(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """A certificate past its end is no longer valid, though nobody revoked it."""
        certificate = verified(authority, order_of(kind), clock).der
        clock.pass_by(timedelta(days=366))
        assert authority.status(certificate) is Status.EXPIRED

    def test_a_look_alike_does_no_harm(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """A serial number is not enough: nobody gets a good certificate revoked with a false one."""
        certificate = verified(authority, order_of(kind), clock).der
        false = look_alike(certificate)
        assert authority.status(false) is Status.UNKNOWN
        with pytest.raises(Rejected):
            authority.revoke(false, Reason.UNSPECIFIED, clock())
        assert authority.status(certificate) is Status.VALID

    def test_what_is_no_certificate_is_unknown(
        self, authority: Authority, clock: StandingClock
    ) -> None:
        """Bytes that are no certificate are known to nobody, and cannot be revoked."""
        assert authority.status(b"no certificate") is Status.UNKNOWN
        with pytest.raises(Rejected):
            authority.revoke(b"no certificate", Reason.UNSPECIFIED, clock())

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


class TestNoHolds:
    """A CA that cannot suspend."""

    def test_it_does_not_pretend(
        self, authority: Authority, order_of: Orders, kind: Kind, clock: StandingClock
    ) -> None:
        """It has none of the verbs, not one that does nothing: what we suspend stays visibly valid there."""
        if isinstance(authority, Holds):
            pytest.skip("this CA can suspend")
        assert not hasattr(authority, "hold")
        assert not hasattr(authority, "release")
        certificate = verified(authority, order_of(kind), clock).der
        assert authority.status(certificate) is Status.VALID


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

    def test_the_chain_begins_with_an_issuer(
        self, authority: Authority, publisher: Publisher
    ) -> None:
        """What is handed out as the chain is what signs."""
        assert publisher.chain()[0] in authority.capabilities().issuers

    def test_the_addresses_are_those_in_the_certificates(
        self,
        authority: Authority,
        publisher: Publisher,
        order_of: Orders,
        kind: Kind,
        clock: StandingClock,
    ) -> None:
        """Who reads a certificate and who asks us look at the same places."""
        extensions = x509.load_der_x509_certificate(
            verified(authority, order_of(kind), clock).der
        ).extensions
        points = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        places = {one.access_method: one.access_location.value for one in access}
        told = publisher.addresses()
        assert [place.value for point in points for place in point.full_name or []] == [told.crl]
        assert places == {
            AuthorityInformationAccessOID.CA_ISSUERS: told.chain,
            AuthorityInformationAccessOID.OCSP: told.ocsp,
        }
