"""The revocation list of the built-in CA (RFC 5280, 5)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from mobid.ca import Reason, Unavailable
from mobid.ca.builtin.crl import LONG
from mobid.ca.builtin.store import Intent

if TYPE_CHECKING:
    from tests.conftest import MemoryCAStore, Orders, StandingClock

    from mobid.ca.builtin import BuiltinCA

ORDINARY = [reason for reason in Reason if reason is not Reason.UNSPECIFIED]


def read(ca: BuiltinCA) -> x509.CertificateRevocationList:
    """Return the list after checking its signature."""
    found = x509.load_der_x509_crl(ca.crl())
    key = x509.load_der_x509_certificate(ca.chain()[0]).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert found.is_signature_valid(key)
    return found


def number(crl: x509.CertificateRevocationList) -> int:
    """Return the CRL number."""
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def entry_of(ca: BuiltinCA, certificate: bytes) -> x509.RevokedCertificate | None:
    """Return the line of one certificate."""
    serial = x509.load_der_x509_certificate(certificate).serial_number
    return read(ca).get_revoked_certificate_by_serial_number(serial)


class TestEntries:
    """The lines of the list."""

    def test_of_nobody_are_absent(self, builtin_ca: BuiltinCA) -> None:
        """A CA that revoked nothing publishes a list without lines, numbered 1."""
        crl = read(builtin_ca)
        assert len(crl) == 0
        assert number(crl) == 1

    @pytest.mark.parametrize("reason", ORDINARY)
    def test_carry_their_reason(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock, reason: Reason
    ) -> None:
        """The reason code is the number of the reason (5.3.1)."""
        certificate = builtin_ca.issue(order_of()).certificate
        builtin_ca.revoke(certificate, reason, clock())
        entry = entry_of(builtin_ca, certificate)
        assert entry is not None
        extension = entry.extensions.get_extension_for_class(x509.CRLReason)
        assert extension.value.public_bytes() == bytes((0x0A, 1, reason))
        assert not extension.critical

    def test_leave_unspecified_out(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """5.3.1: the reason code should be absent instead of saying unspecified."""
        certificate = builtin_ca.issue(order_of()).certificate
        builtin_ca.revoke(certificate, Reason.UNSPECIFIED, clock())
        entry = entry_of(builtin_ca, certificate)
        assert entry is not None
        assert list(entry.extensions) == []

    def test_of_a_compromised_key_say_since_when(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """Revoked is when the CA did it; invalid since is when the caller knew (5.3.2)."""
        certificate = builtin_ca.issue(order_of()).certificate
        lost_at = clock() - timedelta(days=2)
        builtin_ca.revoke(certificate, Reason.KEY_COMPROMISE, lost_at)
        entry = entry_of(builtin_ca, certificate)
        assert entry is not None
        assert entry.revocation_date_utc == clock()
        since = entry.extensions.get_extension_for_class(x509.InvalidityDate).value
        assert since.invalidity_date_utc == lost_at

    def test_come_and_go_with_a_hold(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """Held is listed as certificateHold; a release takes the line away."""
        certificate = builtin_ca.issue(order_of()).certificate
        builtin_ca.hold(certificate, clock())
        entry = entry_of(builtin_ca, certificate)
        assert entry is not None
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        assert reason is x509.ReasonFlags.certificate_hold
        builtin_ca.release(certificate, clock())
        assert entry_of(builtin_ca, certificate) is None

    def test_of_a_revoked_hold_keep_the_date_of_the_hold(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """X.509, 8.5.2.2: nothing that was signed during the hold becomes good again."""
        certificate = builtin_ca.issue(order_of()).certificate
        held_at = clock()
        builtin_ca.hold(certificate, held_at)
        clock.pass_by(timedelta(days=1))
        builtin_ca.revoke(certificate, Reason.SUPERSEDED, clock())
        entry = entry_of(builtin_ca, certificate)
        assert entry is not None
        assert entry.revocation_date_utc == held_at

    def test_outlive_the_certificate_by_one_list(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """3.3: a line goes only after a list that was made beyond the certificate's end."""
        certificate = builtin_ca.issue(order_of()).certificate
        builtin_ca.revoke(certificate, Reason.SUPERSEDED, clock())
        assert entry_of(builtin_ca, certificate) is not None
        clock.pass_by(timedelta(days=366))
        assert entry_of(builtin_ca, certificate) is not None
        clock.pass_by(timedelta(days=1))
        assert entry_of(builtin_ca, certificate) is None

    def test_beyond_2049_have_generalized_times(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """5.1.2.4 to 5.1.2.6: dates through 2049 are UTCTime, later ones are not."""
        certificate = builtin_ca.issue(order_of()).certificate
        clock.pass_by(timedelta(days=365 * 25))
        builtin_ca.revoke(certificate, Reason.SUPERSEDED, clock())
        crl = read(builtin_ca)
        assert crl.last_update_utc == clock()
        assert crl.last_update_utc.year == 2051


class TestFreshness:
    """How old a list may be."""

    def test_unchanged_lists_are_kept_for_a_minute(
        self, builtin_ca: BuiltinCA, clock: StandingClock
    ) -> None:
        """Within 60 s the kept list is handed out; after that a new one with a higher number."""
        first = read(builtin_ca)
        clock.pass_by(timedelta(seconds=59))
        assert read(builtin_ca) == first
        clock.pass_by(timedelta(seconds=1))
        assert number(read(builtin_ca)) > number(first)

    def test_a_revocation_is_listed_at_once(
        self, builtin_ca: BuiltinCA, order_of: Orders, clock: StandingClock
    ) -> None:
        """A short list is made anew after every change."""
        certificate = builtin_ca.issue(order_of()).certificate
        assert entry_of(builtin_ca, certificate) is None
        builtin_ca.revoke(certificate, Reason.SUPERSEDED, clock())
        assert entry_of(builtin_ca, certificate) is not None

    def test_numbers_rise_when_the_clock_goes_back(
        self, builtin_ca: BuiltinCA, clock: StandingClock
    ) -> None:
        """5.2.3: the number comes from the record, not from a clock."""
        first = number(read(builtin_ca))
        clock.pass_by(timedelta(days=-1))
        assert number(read(builtin_ca)) > first

    def test_the_next_one_is_announced_a_day_ahead(
        self, builtin_ca: BuiltinCA, clock: StandingClock
    ) -> None:
        """Lists overlap: a new one is there long before nextUpdate."""
        crl = read(builtin_ca)
        assert crl.last_update_utc == clock()
        assert crl.next_update_utc == clock() + timedelta(hours=24)

    def test_without_a_record_there_is_none(
        self, builtin_ca: BuiltinCA, ca_store: MemoryCAStore
    ) -> None:
        """An old list is not passed off as the newest."""
        builtin_ca.crl()
        ca_store.away = {"latest_crl"}
        with pytest.raises(Unavailable):
            builtin_ca.crl()

    def test_a_long_list_waits_half_a_minute_for_a_change(
        self, builtin_ca: BuiltinCA, ca_store: MemoryCAStore, clock: StandingClock
    ) -> None:
        """Over 10,000 lines, not every revocation costs everybody a new list."""
        builtin_ca.crl()
        issuer = next(iter(ca_store._lists))  # noqa: SLF001  # the id of the CA key
        for serial in range(1, LONG + 3):
            ca_store.reserve(an_intent(issuer, serial, clock))
        for serial in range(1, LONG + 2):
            ca_store.revoke(issuer, serial, at=clock(), reason=Reason.SUPERSEDED)
        assert len(read(builtin_ca)) == LONG + 1
        ca_store.revoke(issuer, LONG + 2, at=clock(), reason=Reason.SUPERSEDED)
        clock.pass_by(timedelta(seconds=29))
        assert len(read(builtin_ca)) == LONG + 1
        clock.pass_by(timedelta(seconds=1))
        assert len(read(builtin_ca)) == LONG + 2


def an_intent(issuer: str, serial: int, clock: StandingClock) -> Intent:
    """Return a plan with nothing in it but its numbers."""
    return Intent(
        order_key=f"bulk-{serial}",
        order_digest=b"",
        issuer=issuer,
        serial=serial,
        key_hash=serial.to_bytes(32, "big"),
        profile="authentication",
        profile_hash="",
        tbs=b"",
        not_after=clock() + timedelta(days=365),
        planned_at=clock(),
    )
