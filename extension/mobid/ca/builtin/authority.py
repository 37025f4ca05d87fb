"""The built-in CA: the five verbs, holds, and what it publishes, over one key and one record."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cryptography import x509

from mobid.ca.builtin.crl import RevocationList
from mobid.ca.builtin.issuing import Issuing, Wish
from mobid.ca.builtin.ocsp import OCSPResponder
from mobid.ca.builtin.profiles import profiles_for
from mobid.ca.builtin.store import Standing
from mobid.ca.errors import (
    AlreadyRevoked,
    KeyTaken,
    LintFailed,
    NotIssued,
    OtherCertificate,
    SerialTaken,
    StoreUnavailable,
)
from mobid.crashpoints import CrashPoint, crashpoint
from mobid.processes.authority import (
    Addresses,
    Capabilities,
    Issued,
    OutcomeUnknown,
    Reason,
    Rejected,
    Status,
    Unavailable,
)
from mobid.processes.csr import check_csr
from mobid.processes.errors import BadCertificateRequest, KeyTypeNotAllowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from mobid.ca.builtin.keys import Issuer
    from mobid.ca.builtin.settings import BuiltinSettings
    from mobid.ca.builtin.store import CAStore, Entry, Intent
    from mobid.processes.authority import Order

NAME_DIGITS: Final = 16
"""So much of the key id names the CA in its public addresses, which outlive the key."""


class BuiltinCA:
    """A CA of one P-256 key. Implements `Authority`, `Holds` and `Publisher`, and answers OCSP.

    Safe for any number of threads and processes on one record.
    """

    def __init__(
        self,
        *,
        issuer: Issuer,
        store: CAStore,
        clock: Callable[[], datetime],
        settings: BuiltinSettings,
        public_url: str,
    ) -> None:
        self.name = issuer.key_id[:NAME_DIGITS]
        self._issuer = issuer
        self._store = store
        self._clock = clock
        self._settings = settings
        self._url = f"{settings.pki_url or public_url + '/pki'}/{self.name}"
        self._profiles = profiles_for(self._url, settings.policies)
        self._issuing = Issuing(issuer, store, clock)
        self._crl = RevocationList(issuer, store, clock, settings.crl_life)
        self._ocsp = OCSPResponder(self._issuing, store, clock)

    def capabilities(self) -> Capabilities:
        """Return what this CA can do; raise `Unavailable` if its record does not answer."""
        with _asking():
            self._store.changes(self._issuer.key_id)
        return Capabilities(
            kinds=self._settings.kinds,
            reasons=frozenset(Reason),
            not_after=self._issuer.certificate.not_valid_after_utc,
            profile_hash={kind: self._profiles[kind].digest for kind in self._settings.kinds},
            issuers=(self._issuer.der,),
            holds=True,
        )

    def issue(self, order: Order) -> Issued:
        """Issue, or finish, or repeat: one order has one certificate, byte for byte.

        Raise `Rejected` for a bad order, another order under the same key, or a public key that
        another order has; `Unavailable` if the record is away; `OutcomeUnknown` if it went away
        after signing.
        """
        wish = self._wish(order)
        with _asking():
            entry = self._store.by_order(order.key) or self._plan(wish)
        if entry.intent.order_digest != wish.digest:
            raise Rejected(
                f"Order {order.key} was placed before with another key, subject, names or validity."
            )
        if entry.certificate is not None:
            return self._issued(entry.certificate)
        return self._issued(self._finish(entry.intent))

    def find(self, order: Order) -> Sequence[Issued]:
        """Return the recorded certificate of this order.

        A plan without a recorded certificate is no find: what was signed but not recorded was
        handed to nobody, and `issue` finishes it to the same bytes. So to find nothing always means
        that `issue` may be called, and to look never signs.
        """
        with _asking():
            entry = self._store.by_order(order.key)
        if entry is None or entry.certificate is None:
            return ()
        return (self._issued(entry.certificate),)

    def revoke(self, certificate: bytes, reason: Reason, at: datetime) -> None:
        """Revoke for good, as of now; CRL and OCSP tell it from now on.

        For a compromised key, `at` becomes the invalidity date (RFC 5280, 5.3.2). A revoked one
        keeps its first reason and time. Raise `Rejected` if the certificate is not of this CA.
        """
        now = self._clock().replace(microsecond=0)
        invalid_since = min(at, now) if reason is Reason.KEY_COMPROMISE else None
        intent = self._planned(certificate)
        with _asking():
            self._store.revoke(
                intent.issuer, intent.serial, at=now, reason=reason, invalid_since=invalid_since
            )

    def status(self, certificate: bytes) -> Status:
        """Return the record's word; `UNKNOWN` for what is not of this CA."""
        entry = self._entry(certificate)
        if entry is None:
            return Status.UNKNOWN
        if entry.standing is Standing.REVOKED:
            return Status.REVOKED
        if entry.intent.not_after <= self._clock():
            return Status.EXPIRED
        return Status.HELD if entry.standing is Standing.HELD else Status.VALID

    def hold(self, certificate: bytes, at: datetime) -> None:  # noqa: ARG002  # a hold counts from when the CA does it
        """Suspend, as of now. Raise `Rejected` for a revoked or foreign certificate."""
        intent = self._planned(certificate)
        with _asking():
            self._store.hold(intent.issuer, intent.serial, at=self._clock().replace(microsecond=0))

    def release(self, certificate: bytes, at: datetime) -> None:  # noqa: ARG002  # likewise
        """Take a hold back. Raise `Rejected` for a revoked or foreign certificate."""
        intent = self._planned(certificate)
        with _asking():
            self._store.release(intent.issuer, intent.serial)

    def chain(self) -> Sequence[bytes]:
        """Return the CA certificate (DER), alone: it is self-signed."""
        return (self._issuer.der,)

    def crl(self) -> bytes:
        """Return a revocation list (DER) that is at most 60 s old; raise `Unavailable`."""
        with _asking():
            return self._crl.newest()

    def addresses(self) -> Addresses:
        """Return the addresses in our certificates."""
        return Addresses(
            chain=f"{self._url}/chain", crl=f"{self._url}/crl", ocsp=f"{self._url}/ocsp"
        )

    def ocsp(self, request: bytes) -> bytes:
        """Return the DER of an OCSPResponse to the DER of an OCSPRequest, whatever it is."""
        return self._ocsp.answer(request)

    def _wish(self, order: Order) -> Wish:
        """Return the order, checked; raise `Rejected`."""
        if order.kind not in self._settings.kinds:
            kinds = ", ".join(sorted(self._settings.kinds))
            raise Rejected(f"This CA is set to issue {kinds}, not {order.kind}.")
        self._check_validity(order)
        try:
            check_csr(order.kind, order.csr)
        except (BadCertificateRequest, KeyTypeNotAllowed) as error:
            raise Rejected(str(error)) from error
        return Wish(
            order_key=order.key,
            profile=self._profiles[order.kind],
            subject=order.subject,
            san=order.san,
            key=x509.load_der_x509_csr(order.csr).public_key(),
            not_before=order.not_before,
            not_after=order.not_after,
        )

    def _check_validity(self, order: Order) -> None:
        if order.not_before.tzinfo is None or order.not_after.tzinfo is None:
            raise Rejected(f"Order {order.key} has a time without a time zone.")
        end = self._issuer.certificate.not_valid_after_utc
        if not order.not_before < order.not_after <= end:
            raise Rejected(
                f"Order {order.key} is for {order.not_before.isoformat()} to"
                f" {order.not_after.isoformat()}; this CA ends at {end.isoformat()}."
            )

    def _plan(self, wish: Wish) -> Entry:
        entry = self._issuing.plan(wish)
        crashpoint(CrashPoint.CA_INTENT)
        return entry

    def _finish(self, intent: Intent) -> bytes:
        """Sign what was committed, and record it before anybody sees it."""
        if intent.issuer != self._issuer.key_id:
            raise Rejected(
                f"Order {intent.order_key} was planned for the CA key {intent.issuer}, which is"
                " not the one of this CA. Place a new order."
            )
        certificate = self._issuing.sign(intent)
        crashpoint(CrashPoint.CA_SIGNED)
        try:
            with _asking():
                self._store.record(intent.issuer, intent.serial, certificate)
        except Unavailable as error:
            raise OutcomeUnknown(
                f"The certificate of order {intent.order_key} was signed; whether it was recorded"
                " is not known."
            ) from error
        return certificate

    def _issued(self, certificate: bytes) -> Issued:
        return Issued(certificate, tuple(self.chain()))

    def _planned(self, certificate: bytes) -> Intent:
        entry = self._entry(certificate)
        if entry is None:
            raise Rejected("This certificate was not issued by this CA.")
        return entry.intent

    def _entry(self, certificate: bytes) -> Entry | None:
        """Return the record of exactly this certificate, recorded as issued or only planned."""
        try:
            parsed = x509.load_der_x509_certificate(certificate)
        except ValueError:
            return None
        with _asking():
            entry = self._store.by_serial(self._issuer.key_id, parsed.serial_number)
        # A look-alike under a serial number of ours must not get a real one revoked.
        if entry is None or entry.intent.tbs != parsed.tbs_certificate_bytes:
            return None
        return entry


@contextmanager
def _asking() -> Iterator[None]:
    """Say what the record says in the words of the CA protocol."""
    try:
        yield
    except (StoreUnavailable, SerialTaken) as error:
        raise Unavailable(f"The record of the built-in CA does not answer: {error}") from error
    except (KeyTaken, LintFailed, NotIssued, AlreadyRevoked, OtherCertificate) as error:
        raise Rejected(str(error)) from error
