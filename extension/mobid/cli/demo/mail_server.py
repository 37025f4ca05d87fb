"""The demo's mail server: a real one, on this machine only, that keeps what it gets.

It is spoken to as any other: STARTTLS with a certificate that is checked, and a password. Both are
made when it starts.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import secrets
import ssl
import tempfile
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typing_extensions import override

from mobid.config import MailSettings, Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOST: Final = "127.0.0.1"
USER: Final = "demo"
SENDER: Final = "mobile-id@example.org"
MOST_KEPT: Final = 200
"""How many messages are kept: the newest."""
CERTIFICATE_FILE: Final = "mail-server.pem"
_LIFE: Final = timedelta(days=30)
_AIOSMTPD: Final = logging.getLogger("mail.log")


@dataclass(frozen=True, slots=True)
class Kept:
    """One message as it arrived."""

    number: int
    arrived_at: datetime
    raw: bytes = field(repr=False)


class Postbox:
    """The newest messages, in memory, and as files if there is a folder for them."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder: Final = folder
        self._kept: Final[deque[Kept]] = deque(maxlen=MOST_KEPT)
        self._arrived = 0
        self._lock: Final = Lock()

    def take(self, raw: bytes) -> None:
        """Keep one more; the oldest one makes room."""
        with self._lock:
            self._arrived += 1
            self._kept.append(Kept(self._arrived, datetime.now(UTC), raw))
            if self._folder is not None:
                file = self._folder / f"{self._arrived:04}.eml"
                draft = file.with_suffix(".draft")
                draft.write_bytes(raw)
                draft.replace(file)

    def newest_first(self) -> Sequence[Kept]:
        """Return what is kept."""
        with self._lock:
            return [*reversed(self._kept)]

    def get(self, number: int) -> Kept | None:
        """Return one by its number, if it is still kept."""
        return next((kept for kept in self.newest_first() if kept.number == number), None)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        """Answer aiosmtpd, for which this is the handler of messages."""
        self.take(envelope.original_content)
        return "250 OK"


@contextmanager
def mail_server(postbox: Postbox, home: Path) -> Iterator[MailSettings]:
    """Run a mail server for the block, and give the settings by which it is reached.

    Its certificate is written into the home, where the settings point to.
    """
    password = secrets.token_urlsafe(24)
    context, certificate = _identity()
    (home / CERTIFICATE_FILE).write_bytes(certificate)
    server = _Server(postbox, context, password)
    _AIOSMTPD.addFilter(_is_news)
    server.start()
    try:
        yield MailSettings(
            host=HOST,
            port=server.port,
            sender=SENDER,
            username=USER,
            password=Secret(password),
            ca_file=home / CERTIFICATE_FILE,
        )
    finally:
        server.stop()
        _AIOSMTPD.removeFilter(_is_news)


class _Server(Controller):
    """A server on a port that is free: nothing is taken before STARTTLS and a login."""

    def __init__(self, postbox: Postbox, context: ssl.SSLContext, password: str) -> None:
        super().__init__(postbox, hostname=HOST, port=0)
        self._context: Final = context
        self._password: Final = password.encode()

    @override
    def factory(self) -> SMTP:
        return SMTP(
            self.handler,
            hostname="demo.example.org",
            tls_context=self._context,
            require_starttls=True,
            authenticator=self._check,
            auth_required=True,
            enable_SMTPUTF8=True,
        )

    def _check(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, login: Any
    ) -> AuthResult:
        known = isinstance(login, LoginPassword) and login.login == USER.encode()
        right = known and hmac.compare_digest(login.password, self._password)
        return AuthResult(success=right, handled=False)

    @override
    def _trigger_server(self) -> None:
        """Learn the port that was free: aiosmtpd would try the one that it was told."""
        if isinstance(self.server, asyncio.Server):
            self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd's own


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether aiosmtpd says more than that it uses, at each login, what it has deprecated itself."""
    return "login_data is deprecated" not in record.getMessage()


def _identity() -> tuple[ssl.SSLContext, bytes]:
    """Return what the server shows, and the certificate (PEM) that it is checked with.

    A CA is made, used once, and forgotten. Neither key outlives the process.
    """
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = _name("mobid demo mail CA")
    ca = (
        _builder(ca_name, ca_name, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    own = (
        _builder(ca_name, _name("mobid demo mail server"), key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]),
            critical=False,
        )
        .sign(ca_key, hashes.SHA256())
    )
    return _shown(key, own), ca.public_bytes(Encoding.PEM)


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _shown(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
    """Load key and certificate, which the ssl module takes from a file only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="mobid-demo-mail-") as scratch:
        file = Path(scratch, "server.pem")
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(file)
    return context


_SIGNS_CERTIFICATES: Final = x509.KeyUsage(
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
