"""A server for the phone of the examples: the real device interface over TLS, one Get behind it."""

from __future__ import annotations

import hashlib
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from flask import Flask
from werkzeug.serving import make_server

from mobid import qr
from mobid.api import device
from mobid.api.problems import Problems
from mobid.app.errors import meaning_of
from mobid.domain.instances import StepName
from mobid.domain.mobile_ids import Device, ProfileState
from mobid.domain.options import Kind
from mobid.processes.enrolment import Caller, Claimed, IssuedCertificate, Result, ResultPending
from mobid.processes.errors import BadMailCode, CodeNotUsable, MailCodeRequired, WrongConfirmation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mobid.processes.ports import Units

TOKEN = "k7Qf3mXb2Zt9Yp4LcR8sVd1WnHaJuE6GoTiMq0BxKeU"
TYPED = "0123-4567-89AB-CDEF"
ACCEPTED = (TOKEN, TYPED)


class TestCA:
    """A CA with a name and a key, for the server's TLS and for the certificates."""

    __test__ = False

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of a test")])
        ca = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = self.issue(self.key.public_key(), self.name, ca)

    def issue(
        self, key: Any, subject: x509.Name, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        """Issue a certificate for a key."""
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
        for extension in extensions:
            critical = isinstance(extension, x509.BasicConstraints)
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class OneGet:
    """The phone's side of one Get, in memory."""

    ca: TestCA
    kinds: tuple[Kind, ...] = (Kind.AUTHENTICATION, Kind.SIGNATURE)
    polls: int = 0
    """How often the phone asks in vain before its owner has approved."""
    for_other_keys: bool = False
    lost: int = 0
    """How many answers to confirm do not reach the phone."""
    mail_code: str | None = None
    """What the page shows, if the code came by mail."""
    tries_left: int = 5
    jwk: Mapping[str, str] | None = None
    device: Device | None = None
    sent: list[Mapping[Kind, bytes]] = field(default_factory=list)
    certificates: tuple[IssuedCertificate, ...] = ()
    state: ProfileState = ProfileState.PENDING

    def claim(
        self,
        code: str,
        *,
        thumbprint: str,
        jwk: Mapping[str, str],
        device: Device,
        mail_code: str | None = None,
    ) -> Claimed:
        """Bind the code to the first phone."""
        if self.mail_code is not None and mail_code is None:
            raise MailCodeRequired
        if self.mail_code != mail_code:
            self.tries_left -= 1
            raise BadMailCode(self.tries_left)
        if code not in ACCEPTED or self.jwk not in (None, jwk) or not thumbprint:
            raise CodeNotUsable
        self.jwk, self.device = jwk, device
        return Claimed(
            enrolment_id="enrolment-1",
            number=42,
            server_name="Example",
            user_id="anna@example.org",
            profile_name="MobileID Anna",
            properties={},
            kinds=self.kinds,
            expires_at=datetime.now(UTC) + timedelta(minutes=10),
        )

    def device_key(self, enrolment_id: str) -> Mapping[str, str]:
        """Return the claiming phone's key."""
        if enrolment_id != "enrolment-1" or self.jwk is None:
            raise CodeNotUsable
        return self.jwk

    def keys(
        self, _phone: Caller, csrs: Mapping[Kind, bytes], transport_jwk: Mapping[str, str] | None
    ) -> None:
        """Take the keys; the same again are no error."""
        assert transport_jwk is not None
        assert set(csrs) == set(self.kinds)
        self.sent.append(csrs)
        if csrs != self.sent[0]:
            raise CodeNotUsable

    def result(self, _phone: Caller) -> ResultPending | Result:
        """Issue when the owner has approved."""
        if self.polls > 0:
            self.polls -= 1
            return ResultPending(1, StepName.APPROVE)
        if not self.certificates:
            self.certificates = tuple(self._issue(kind, csr) for kind, csr in self.sent[0].items())
        return Result(self.certificates)

    def _issue(self, kind: Kind, csr: bytes) -> IssuedCertificate:
        key: Any = x509.load_der_x509_csr(csr).public_key()
        if self.for_other_keys:
            key = ec.generate_private_key(ec.SECP256R1()).public_key()
        certificate = self.ca.issue(key, x509.Name([]))
        return IssuedCertificate(
            kind=kind,
            serial=f"{certificate.serial_number:x}",
            der=certificate.public_bytes(Encoding.DER),
            chain=(self.ca.certificate.public_bytes(Encoding.DER),),
        )

    def authentication_certificate(self, _phone: Caller) -> bytes | None:
        """Return the authentication certificate."""
        ours = (one.der for one in self.certificates if one.kind is Kind.AUTHENTICATION)
        return next(ours, None)

    def confirm(self, _phone: Caller, hashes: frozenset[bytes]) -> ProfileState:
        """Activate if every certificate is named."""
        if hashes != {hashlib.sha256(one.der).digest() for one in self.certificates}:
            raise WrongConfirmation
        self.state = ProfileState.ACTIVE
        if self.lost:
            self.lost -= 1
            raise CodeNotUsable
        return self.state

    def status(self, _phone: Caller) -> ProfileState:
        """Return the state."""
        return self.state

    def remove(self, _phone: Caller) -> ProfileState:
        """Lock."""
        self.state = ProfileState.LOCKING
        return self.state


class Once:
    """`Units` of which only `used` is there."""

    def __init__(self) -> None:
        self.used, self._seen = self, set[str]()

    @contextmanager
    def __call__(self) -> Iterator[Once]:
        """Begin a unit of work."""
        yield self

    def first_use(self, what: str, *, until: datetime) -> bool:
        """Remember a use, and say whether it was the first."""
        first = what not in self._seen and until > datetime.now(UTC)
        self._seen.add(what)
        return first

    def commit(self) -> None:
        """Nothing is ever taken back here."""


@dataclass(frozen=True)
class Place:
    """A running server: where it is, whom its TLS is under, and the Get behind it."""

    url: str
    ca_file: Path
    get: OneGet

    def picture(self, path: Path) -> Path:
        """Write the QR code of the Get."""
        path.write_bytes(qr.png(f"{self.url}/e#1.{TOKEN}"))
        return path


@pytest.fixture(scope="session")
def test_ca() -> TestCA:
    """Return the CA of these tests."""
    return TestCA()


@pytest.fixture
def server(test_ca: TestCA, tmp_path: Path) -> Iterator[Place]:
    """Run the device interface over TLS on a free port of this machine."""
    web = make_server(
        "localhost", 0, Flask("empty"), threaded=True, ssl_context=_tls(test_ca, tmp_path)
    )
    place = Place(f"https://localhost:{web.server_port}", tmp_path / "ca.pem", OneGet(test_ca))
    place.ca_file.write_bytes(test_ca.certificate.public_bytes(Encoding.PEM))
    web.app = _app(place)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield place
    web.shutdown()
    thread.join()
    web.server_close()


def _app(place: Place) -> Flask:
    app = Flask("server-of-a-test")
    nonces = device.Nonces(b"n" * 32, lambda: datetime.now(UTC), cast("Units", Once()))
    app.register_blueprint(
        device.blueprint(place.get, nonces, place.url, count_claim=list[str | None]().append)
    )
    app.register_error_handler(Exception, Problems(meaning_of))
    return app


def _tls(ca: TestCA, folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = ca.issue(key.public_key(), x509.Name([]), names)
    file = folder / "tls.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
