"""Real mail servers: aiosmtpd with STARTTLS, AUTH and a CA of its own, and lines that misbehave."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typing_extensions import override

from mobid.config import MailSecurity, MailSettings, Secret
from mobid.domain.mails import MailEvent
from mobid.processes.mailing import Enclosed, Letter
from mobid.qr import png

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

USER: Final = "mobid"
PASSWORD: Final = "correct horse battery"
LINK: Final = "https://mobid.example.org/e#1.k7Qf3mXb2Zt9Yp4LcR8sVd1WnHaJuE6GoTiMq0BxKeU"
NOW: Final = datetime.now(UTC)


SIGNS_CERTIFICATES: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class MailCA:
    """A CA for mail servers, which can issue what should never be believed, too."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        own = self._certificate(self._name, self._key, ca=True)
        self.file.write_bytes(own.public_bytes(Encoding.PEM))

    def server(self, *names: str, until: datetime = NOW + timedelta(days=1)) -> ssl.SSLContext:
        """Return what a server shows that is known under these names until then."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mx")])
        return self._shown(key, self._certificate(subject, key, names=names, until=until))

    def expired(self, *names: str) -> ssl.SSLContext:
        """Return the same from yesterday."""
        return self.server(*names, until=NOW - timedelta(days=1))

    def self_signed(self) -> ssl.SSLContext:
        """Return what this CA itself would show as a server."""
        own = self._certificate(self._name, self._key, names=("localhost",))
        return self._shown(self._key, own)

    def _shown(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> ssl.SSLContext:
        file = self._folder / f"{certificate.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _certificate(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        ca: bool = False,
        names: tuple[str, ...] = (),
        until: datetime = NOW + timedelta(days=1),
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder(self._name, subject, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=2))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if ca:
            builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
        if names:
            alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass(frozen=True)
class Received:
    """A message as the server got it."""

    raw: bytes = field(repr=False)
    sender: str
    recipients: list[str]
    over_tls: bool
    login: bool


class Postbox:
    """What the server does with a message; a test says what it answers instead of taking it."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.to_recipient: str | None = None
        self.to_data: str | None = None

    def check(
        self, _server: Any, _session: Any, _envelope: Any, _how: str, data: Any
    ) -> AuthResult:
        """Take the one user with the one password."""
        right = LoginPassword(USER.encode(), PASSWORD.encode())
        return AuthResult(success=data == right, handled=False)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Take every recipient."""
        if self.to_recipient is not None:
            return self.to_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep every message."""
        if self.to_data is not None:
            return self.to_data
        self.received.append(
            Received(
                raw=envelope.original_content,
                sender=envelope.mail_from,
                recipients=list(envelope.rcpt_tos),
                over_tls=session.ssl is not None,
                login=bool(session.authenticated),
            )
        )
        return "250 OK"


class MailServer(Controller):
    """A server on a free port of this machine."""

    def __init__(
        self, box: Postbox, tls: ssl.SSLContext | None, *, implicit: bool = False, **options: Any
    ) -> None:
        self.box = box
        starttls = tls if tls is not None and not implicit else None
        self._options = {
            "hostname": "mx.test",
            "tls_context": starttls,
            "require_starttls": starttls is not None,
            "authenticator": box.check,
            "auth_required": tls is not None,
            "auth_require_tls": tls is not None and not implicit,
            "enable_SMTPUTF8": True,
        } | options
        super().__init__(box, hostname="127.0.0.1", port=0, ssl_context=tls if implicit else None)

    @override
    def factory(self) -> SMTP:
        return SMTP(self.handler, **self._options)

    @override
    def _trigger_server(self) -> None:
        """Learn the port that was free, which aiosmtpd would have to be told."""
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd's own


@pytest.fixture(scope="session")
def mail_ca(tmp_path_factory: pytest.TempPathFactory) -> MailCA:
    """The CA that our settings name."""
    return MailCA(tmp_path_factory.mktemp("mail-ca"), "mail-ca")


@pytest.fixture(scope="session")
def other_ca(tmp_path_factory: pytest.TempPathFactory) -> MailCA:
    """One that nobody has named."""
    return MailCA(tmp_path_factory.mktemp("other-ca"), "other-ca")


@pytest.fixture(scope="session")
def server_tls(mail_ca: MailCA) -> ssl.SSLContext:
    """What a mail server on this machine shows that is as it must be."""
    return mail_ca.server("localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def start_server() -> Iterator[Callable[..., MailServer]]:
    """Start servers that stop when the module is through: tls, implicit, options of aiosmtpd."""
    with ExitStack() as running:

        def start(tls: ssl.SSLContext | None, **options: Any) -> MailServer:
            server = MailServer(Postbox(), tls, **options)
            server.start()
            running.callback(server.stop)
            return server

        yield start


@pytest.fixture(scope="module")
def shared_server(
    start_server: Callable[..., MailServer], server_tls: ssl.SSLContext
) -> MailServer:
    """STARTTLS, AUTH and SMTPUTF8, as a provider has them; one for all tests of a module."""
    return start_server(server_tls)


@pytest.fixture
def server(shared_server: MailServer) -> MailServer:
    """The same, with an empty postbox that takes everything."""
    shared_server.box.received.clear()
    shared_server.box.to_recipient = shared_server.box.to_data = None
    return shared_server


@pytest.fixture(scope="session")
def settings_for(mail_ca: MailCA) -> Callable[..., MailSettings]:
    """Return the settings for a port of this machine; what a test cares about, it says."""

    def make(port: int, **changes: Any) -> MailSettings:
        usual = MailSettings(
            host="localhost",
            port=port,
            sender="no-reply@mobid.example.org",
            sender_name="Mobile ID",
            security=MailSecurity.STARTTLS,
            username=USER,
            password=Secret(PASSWORD),
            ca_file=mail_ca.file,
            timeout=timedelta(seconds=5),
        )
        return replace(usual, **changes)

    return make


@pytest.fixture
def mail_settings(server: MailServer, settings_for: Callable[..., MailSettings]) -> MailSettings:
    """The settings for the server of the test."""
    return settings_for(server.port)


@pytest.fixture(scope="session")
def letter() -> Letter:
    """The letter that has everything: a QR code."""
    return Letter(
        id="0b5f9a52-6c0e-4b5c-8d53-7d1b1f3c2a11",
        event=MailEvent.QR_CODE,
        to="asa@example.org",
        values={
            "name": "Åsa Öberg",
            "at": NOW,
            "server_name": "Företaget",
            "profile_name": "MobileID Åsa",
            "url": "https://mobid.example.org/instances/1",
            "expires_at": NOW + timedelta(days=1),
        },
        enclosed=Enclosed(link=LINK, typed_code="MFZW-1Z3B-0N2G-K3T1", picture=png(LINK)),
    )


class Line:
    """A port that is answered by a test: one call of `answer` with each connection."""

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open = [self._listener]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                with suppress(OSError):
                    self._answer(connection)

    def close(self) -> None:
        """Hang up."""
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._thread.join(10)


@pytest.fixture
def line() -> Iterator[Callable[[Callable[[socket.socket], None]], Line]]:
    """Open lines that are hung up after the test."""
    with ExitStack() as lines:
        yield lambda answer: lines.enter_context(closing(Line(answer)))
