"""Issuing in the built-in CA: one order, one certificate, whatever happens in between."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mobid.ca import OutcomeUnknown, Reason, Rejected, Status, Surroundings, Unavailable
from mobid.ca.builtin import create, initialise
from mobid.domain.options import Kind
from mobid.processes.naming import subject_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MemoryCAStore, Orders, StandingClock

    from mobid.ca import Order
    from mobid.ca.builtin import BuiltinCA


class TestOneOrder:
    """An order and everything that may be asked for under its key."""

    def test_gets_the_identical_certificate_again(
        self, builtin_ca: BuiltinCA, order_of: Orders
    ) -> None:
        """A repeated order is answered with the same bytes."""
        order = order_of()
        assert builtin_ca.issue(order) == builtin_ca.issue(order)

    def test_gets_one_certificate_from_sixteen_threads(
        self, builtin_ca: BuiltinCA, order_of: Orders
    ) -> None:
        """Workers that race for one order all come back with the same certificate."""
        order, start = order_of(), Barrier(16)

        def issue(_: int) -> bytes:
            start.wait(timeout=10)
            return builtin_ca.issue(order).certificate

        with ThreadPoolExecutor(16) as pool:
            assert len(set(pool.map(issue, range(16)))) == 1

    def test_is_its_meaning_not_the_bytes_of_its_csr(
        self, builtin_ca: BuiltinCA, order_of: Orders
    ) -> None:
        """A request signed again by the same key (another ECDSA nonce) is the same order."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        first, again = (
            builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER) for _ in range(2)
        )
        assert first != again
        order = order_of(csr=first)
        assert builtin_ca.issue(order) == builtin_ca.issue(replace(order, csr=again))

    @pytest.mark.parametrize("change", ["csr", "subject", "san", "not_after", "kind"])
    def test_cannot_become_another_one(
        self, builtin_ca: BuiltinCA, order_of: Orders, change: str
    ) -> None:
        """Another key, subject, name, validity or kind under the same order key is rejected."""
        order = order_of()
        builtin_ca.issue(order)
        other = {
            "csr": replace(order, csr=order_of.csr()),
            "subject": replace(order, subject=subject_for("Somebody Else")),
            "san": replace(order, san=order.san[:1]),
            "not_after": replace(order, not_after=order.not_after - timedelta(days=1)),
            "kind": replace(order, kind=Kind.SIGNATURE),
        }[change]
        with pytest.raises(Rejected, match="was placed before with another key, subject"):
            builtin_ca.issue(other)

    def test_owns_its_key(self, builtin_ca: BuiltinCA, order_of: Orders) -> None:
        """A public key that was certified, or only planned, is not certified for another order."""
        order = order_of()
        builtin_ca.issue(order)
        with pytest.raises(Rejected, match="belongs to another order already"):
            builtin_ca.issue(order_of(csr=order.csr))

    def test_gives_no_word_of_the_request_to_the_certificate(
        self, builtin_ca: BuiltinCA, order_of: Orders
    ) -> None:
        """A CSR that asks for a CA certificate with a foreign name gets neither."""
        builder = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(subject_for("Mallory"))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.RFC822Name("ceo@example.org")]), critical=False
            )
        )
        csr = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        order = order_of(csr=csr.public_bytes(Encoding.DER))
        certificate = x509.load_der_x509_certificate(builtin_ca.issue(order).certificate)
        assert certificate.subject == order.subject
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert tuple(san.value) == order.san
        assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca

    def test_stays_valid_for_the_time_that_was_ordered(
        self, builtin_ca: BuiltinCA, order_of: Orders
    ) -> None:
        """Parts of a second are cut off, since X.509 has none."""
        order = order_of()
        exact = replace(order, not_after=order.not_after + timedelta(microseconds=999_999))
        certificate = x509.load_der_x509_certificate(builtin_ca.issue(exact).certificate)
        assert certificate.not_valid_before_utc == order.not_before
        assert certificate.not_valid_after_utc == order.not_after


class TestRefusal:
    """What is refused before anything is committed."""

    def test_of_a_kind_that_is_not_set(
        self, tmp_path: Path, clock: StandingClock, ca_store: MemoryCAStore, order_of: Orders
    ) -> None:
        """By default encryption is not issued, and the refusal says what is."""
        initialise(tmp_path / "ca", name="Example CA", now=clock())
        surroundings = Surroundings(
            clock=clock, key_folder=tmp_path / "ca", public_url="http://x", store=ca_store
        )
        with pytest.raises(
            Rejected, match="is set to issue authentication, signature, not encryption"
        ):
            create({}, surroundings).issue(order_of(Kind.ENCRYPTION))

    def test_of_a_time_without_a_zone(self, builtin_ca: BuiltinCA, order_of: Orders) -> None:
        """A naive time is never taken for UTC."""
        naive = datetime(2027, 1, 1)  # noqa: DTZ001  # that is the point
        with pytest.raises(Rejected, match="has a time without a time zone"):
            builtin_ca.issue(replace(order_of(), not_after=naive))

    def test_of_a_certificate_that_breaks_the_rules(
        self, builtin_ca: BuiltinCA, order_of: Orders, ca_store: MemoryCAStore
    ) -> None:
        """Lint runs before anything is committed or signed."""
        order = replace(order_of(), subject=x509.Name([]))
        with pytest.raises(Rejected, match="its subject has no common name"):
            builtin_ca.issue(order)
        assert ca_store.by_order(order.key) is None


class TestLostRecord:
    """The record goes away at the worst moments."""

    def test_nothing_is_sent_while_it_is_away(
        self, builtin_ca: BuiltinCA, order_of: Orders, ca_store: MemoryCAStore
    ) -> None:
        """Without a record there is no certificate, no answer and no health."""
        order = order_of()
        ca_store.away = {"reserve", "by_order", "changes"}
        with pytest.raises(Unavailable, match="does not answer"):
            builtin_ca.issue(order)
        with pytest.raises(Unavailable):
            builtin_ca.find(order)
        with pytest.raises(Unavailable):
            builtin_ca.capabilities()

    @pytest.mark.parametrize("lost", ["away", "mute"])
    def test_after_signing_the_same_certificate_comes_out(
        self, builtin_ca: BuiltinCA, order_of: Orders, ca_store: MemoryCAStore, lost: str
    ) -> None:
        """Signed and then lost: the outcome is unknown, and the next try ends at the same bytes."""
        order = order_of()
        setattr(ca_store, lost, {"record"})
        with pytest.raises(OutcomeUnknown, match="whether it was recorded is not known"):
            builtin_ca.issue(order)
        setattr(ca_store, lost, set())
        planned = ca_store.by_order(order.key)
        assert planned is not None
        assert len(builtin_ca.find(order)) == (1 if lost == "mute" else 0)
        certificate = x509.load_der_x509_certificate(builtin_ca.issue(order).certificate)
        assert certificate.tbs_certificate_bytes == planned.intent.tbs
        assert [found.certificate for found in builtin_ca.find(order)] == [
            certificate.public_bytes(Encoding.DER)
        ]

    def test_another_process_finishes_to_identical_bytes(
        self,
        tmp_path: Path,
        clock: StandingClock,
        builtin_ca: BuiltinCA,
        order_of: Orders,
        ca_store: MemoryCAStore,
    ) -> None:
        """Two processes that both sign one plan make one certificate, so either may record it."""
        order = order_of()
        signed = builtin_ca.issue(order).certificate
        entry = ca_store.by_order(order.key)
        assert entry is not None
        # What a crash after the commit leaves: the plan, in a record that another process opens.
        restarted = type(ca_store)()
        restarted.reserve(entry.intent)
        other = create(
            {"kinds": list(Kind), "policies": []},
            Surroundings(
                clock=clock,
                key_folder=tmp_path / "ca",
                public_url="http://moved.example.org",
                store=restarted,
            ),
        )
        assert list(other.find(order)) == []
        assert other.issue(order).certificate == signed

    def test_a_lost_reservation_is_repeated(
        self, builtin_ca: BuiltinCA, order_of: Orders, ca_store: MemoryCAStore
    ) -> None:
        """When the intent was committed and its answer lost, the next try signs that intent."""
        order = order_of()
        ca_store.mute = {"reserve"}
        with pytest.raises(Unavailable):
            builtin_ca.issue(order)
        ca_store.mute = set()
        entry = ca_store.by_order(order.key)
        assert entry is not None
        assert entry.certificate is None
        issued = x509.load_der_x509_certificate(builtin_ca.issue(order).certificate)
        assert issued.serial_number == entry.intent.serial

    def test_a_plan_of_another_ca_key_is_not_signed(
        self,
        tmp_path: Path,
        clock: StandingClock,
        builtin_ca: BuiltinCA,
        order_of: Orders,
        ca_store: MemoryCAStore,
    ) -> None:
        """After a change of the CA key, an unfinished plan of the old one is refused."""
        order = order_of()
        ca_store.away = {"record"}
        with pytest.raises(OutcomeUnknown):
            builtin_ca.issue(order)
        ca_store.away = set()
        initialise(tmp_path / "new", name="Example Mobile ID CA", now=clock())
        surroundings = Surroundings(
            clock=clock, key_folder=tmp_path / "new", public_url="http://x", store=ca_store
        )
        with pytest.raises(Rejected, match="which is not the one of this CA"):
            create({}, surroundings).issue(order)


class TestRevocation:
    """Revoking in the built-in CA's own record."""

    def test_of_a_signed_but_unrecorded_certificate_works(
        self,
        tmp_path: Path,
        clock: StandingClock,
        builtin_ca: BuiltinCA,
        order_of: Orders,
        ca_store: MemoryCAStore,
    ) -> None:
        """Whatever the CA key signed can be revoked, recorded or only planned."""
        order = order_of()
        certificate = builtin_ca.issue(order).certificate
        entry = ca_store.by_order(order.key)
        assert entry is not None
        planned_only = type(ca_store)()
        planned_only.reserve(entry.intent)
        surroundings = Surroundings(
            clock=clock, key_folder=tmp_path / "ca", public_url="http://x", store=planned_only
        )
        ca = create({}, surroundings)
        ca.revoke(certificate, Reason.SUPERSEDED, order.not_before)
        assert ca.status(certificate) is Status.REVOKED

    def test_of_a_look_alike_is_refused(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """A certificate of somebody else under a serial number of ours revokes nothing."""
        ours = builtin_ca.issue(order_of()).certificate
        parsed = x509.load_der_x509_certificate(ours)
        key = ec.generate_private_key(ec.SECP256R1())
        fake = (
            x509.CertificateBuilder(parsed.issuer, parsed.subject, key.public_key())
            .serial_number(parsed.serial_number)
            .not_valid_before(clock())
            .not_valid_after(clock() + timedelta(days=1))
            .sign(key, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )
        with pytest.raises(Rejected, match="was not issued by this CA"):
            builtin_ca.revoke(fake, Reason.KEY_COMPROMISE, clock())
        with pytest.raises(Rejected, match="was not issued by this CA"):
            builtin_ca.revoke(b"no certificate", Reason.KEY_COMPROMISE, clock())
        assert builtin_ca.status(ours) is Status.VALID

    def test_stays_what_it_was_first(
        self,
        builtin_ca: BuiltinCA,
        order_of: Orders,
        clock: StandingClock,
        ca_store: MemoryCAStore,
    ) -> None:
        """A second revocation changes neither reason nor time."""
        order = order_of()
        certificate = builtin_ca.issue(order).certificate
        builtin_ca.revoke(certificate, Reason.SUPERSEDED, clock())
        first = ca_store.by_order(order.key)
        clock.pass_by(timedelta(hours=1))
        builtin_ca.revoke(certificate, Reason.KEY_COMPROMISE, clock())
        assert ca_store.by_order(order.key) == first

    def test_after_the_end_leaves_expired_behind(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """An expired certificate says so; a revoked one stays revoked."""
        kept, revoked = (builtin_ca.issue(order_of()).certificate for _ in range(2))
        builtin_ca.revoke(revoked, Reason.UNSPECIFIED, clock())
        clock.pass_by(timedelta(days=366))
        assert builtin_ca.status(kept) is Status.EXPIRED
        assert builtin_ca.status(revoked) is Status.REVOKED


def test_serial_numbers_are_long_and_random(builtin_ca: BuiltinCA, order_of: Orders) -> None:
    """No two certificates share one, and none can be guessed from another."""
    orders: list[Order] = [order_of() for _ in range(20)]
    serials = {
        x509.load_der_x509_certificate(builtin_ca.issue(order).certificate).serial_number
        for order in orders
    }
    assert len(serials) == len(orders)
    assert min(serials).bit_length() > 64
