"""What the openssl of this system, as a relying party, says of what the built-in CA signs."""

from __future__ import annotations

import base64
import subprocess
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from typing_extensions import override

from mobid.ca import Reason
from mobid.ca.builtin import request_of_get
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Orders, StandingClock

    from mobid.ca.builtin import BuiltinCA


@pytest.fixture
def clock(clock: StandingClock) -> StandingClock:
    """The time of day, since openssl looks at its own clock."""
    clock.now = datetime.now(UTC).replace(microsecond=0)
    return clock


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSSL:
    """The openssl of this system."""
    return OpenSSL(tmp_path)


@pytest.fixture
def responder_url(builtin_ca: BuiltinCA) -> Iterator[str]:
    """The OCSP responder behind a web server on the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answer one question."""
            answer = builtin_ca.ocsp(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/ocsp-response")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join(timeout=10)


class OpenSSL:
    """Runs openssl on files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *arguments: str) -> str:
        """Return what it says on both outputs; a failure fails the test with these words."""
        done = subprocess.run(  # our own arguments
            ["openssl", *arguments],  # noqa: S607  # the one of this system
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def read(self, name: str) -> bytes:
        """Return a file that a run has made."""
        return (self._folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Put a file where the next run finds it."""
        (self._folder / name).write_bytes(content)


def pem(certificate: bytes) -> bytes:
    """Return a certificate as openssl likes it."""
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


class TestOpenSSL:
    """The system's openssl as a relying party."""

    @pytest.mark.parametrize(
        ("kind", "purpose"),
        [
            (Kind.AUTHENTICATION, "sslclient"),
            (Kind.SIGNATURE, "smimesign"),
            (Kind.ENCRYPTION, "any"),
        ],
    )
    def test_builds_the_chain_strictly(
        self, builtin_ca: BuiltinCA, order_of: Orders, openssl: OpenSSL, kind: Kind, purpose: str
    ) -> None:
        """Every kind is accepted for its purpose with all strict checks on."""
        openssl.write("ca.crt", pem(builtin_ca.chain()[0]))
        openssl.write("user.crt", pem(builtin_ca.issue(order_of(kind)).certificate))
        verify = ["verify", "-x509_strict", "-check_ss_sig", "-purpose", purpose]
        assert "user.crt: OK" in openssl(*verify, "-CAfile", "ca.crt", "user.crt")

    def test_reads_a_thousand_revocations(
        self,
        builtin_ca: BuiltinCA,
        order_of: Orders,
        openssl: OpenSSL,
        clock: StandingClock,
    ) -> None:
        """A list of a thousand lines has a good signature, every line, and catches a certificate."""
        reasons = [*Reason] * 167
        revoked = [builtin_ca.issue(order_of()).certificate for _ in reasons]
        held = builtin_ca.issue(order_of()).certificate
        good = builtin_ca.issue(order_of()).certificate
        for certificate, reason in zip(revoked, reasons, strict=True):
            builtin_ca.revoke(certificate, reason, clock())
        builtin_ca.hold(held, clock())
        openssl.write("ca.crt", pem(builtin_ca.chain()[0]))
        openssl.write("crl.der", builtin_ca.crl())
        openssl.write("good.crt", pem(good))
        openssl.write("bad.crt", pem(revoked[500]))
        text = openssl("crl", "-inform", "DER", "-in", "crl.der", "-CAfile", "ca.crt", "-text")
        assert "verify OK" in text
        assert text.count("Serial Number:") == len(reasons) + 1
        lines = Counter(line.strip() for line in text.splitlines())
        assert lines["Key Compromise"] == lines["Superseded"] == 167
        assert lines["Certificate Hold"] == 1
        assert lines["Unspecified"] == 0
        openssl("crl", "-inform", "DER", "-in", "crl.der", "-out", "crl.pem")
        check = ["verify", "-crl_check", "-CAfile", "ca.crt", "-CRLfile", "crl.pem"]
        assert "good.crt: OK" in openssl(*check, "good.crt")
        with pytest.raises(AssertionError, match="certificate revoked"):
            openssl(*check, "bad.crt")

    def test_asks_by_ocsp(
        self,
        builtin_ca: BuiltinCA,
        order_of: Orders,
        openssl: OpenSSL,
        responder_url: str,
        clock: StandingClock,
    ) -> None:
        """Its own question with its own nonce gets an answer that it verifies, good and revoked."""
        certificate = builtin_ca.issue(order_of()).certificate
        openssl.write("ca.crt", pem(builtin_ca.chain()[0]))
        openssl.write("user.crt", pem(certificate))
        ask = ["ocsp", "-url", responder_url, "-issuer", "ca.crt", "-CAfile", "ca.crt"]
        good = openssl(*ask, "-cert", "user.crt")
        assert "Response verify OK" in good
        assert "user.crt: good" in good
        assert "WARNING" not in good, "the nonce came back"
        builtin_ca.revoke(certificate, Reason.KEY_COMPROMISE, clock())
        revoked = openssl(*ask, "-sha256", "-cert", "user.crt")
        assert "Response verify OK" in revoked
        assert "user.crt: revoked" in revoked
        assert "Reason: keyCompromise" in revoked

    def test_sees_a_hold_come_and_go(
        self,
        builtin_ca: BuiltinCA,
        order_of: Orders,
        openssl: OpenSSL,
        responder_url: str,
        clock: StandingClock,
    ) -> None:
        """By OCSP and by the list alike: on hold it is refused, released it is good again."""
        certificate = builtin_ca.issue(order_of()).certificate
        openssl.write("ca.crt", pem(builtin_ca.chain()[0]))
        openssl.write("user.crt", pem(certificate))
        ask = ["ocsp", "-url", responder_url, "-issuer", "ca.crt", "-CAfile", "ca.crt"]
        builtin_ca.hold(certificate, clock())
        held = openssl(*ask, "-cert", "user.crt")
        assert "Response verify OK" in held
        assert "user.crt: revoked" in held
        assert "Reason: certificateHold" in held
        with pytest.raises(AssertionError, match="certificate revoked"):
            self.checked_by_list(builtin_ca, openssl)
        builtin_ca.release(certificate, clock())
        assert "user.crt: good" in openssl(*ask, "-cert", "user.crt")
        assert "user.crt: OK" in self.checked_by_list(builtin_ca, openssl)

    @staticmethod
    def checked_by_list(ca: BuiltinCA, openssl: OpenSSL) -> str:
        """Return what it says of a certificate with the newest list at hand."""
        openssl.write("crl.der", ca.crl())
        openssl("crl", "-inform", "DER", "-in", "crl.der", "-out", "crl.pem")
        return openssl(
            "verify", "-crl_check", "-CAfile", "ca.crt", "-CRLfile", "crl.pem", "user.crt"
        )

    def test_is_told_unknown_of_a_serial_number_out_of_thin_air(
        self, builtin_ca: BuiltinCA, openssl: OpenSSL, responder_url: str
    ) -> None:
        """Never good, in a signed answer."""
        openssl.write("ca.crt", pem(builtin_ca.chain()[0]))
        ask = ["ocsp", "-url", responder_url, "-issuer", "ca.crt", "-CAfile", "ca.crt"]
        answer = openssl(*ask, "-serial", "0x1234567890abcdef")
        assert "Response verify OK" in answer
        assert "0x1234567890abcdef: unknown" in answer

    @pytest.mark.parametrize("safe", ["", "/", "/+="], ids=["whole", "slashes", "nothing"])
    def test_verifies_the_answer_to_its_question_by_address(
        self, builtin_ca: BuiltinCA, order_of: Orders, openssl: OpenSSL, safe: str
    ) -> None:
        """RFC 6960, A.1: base64 in the path, however much of it a client encodes."""
        openssl.write("ca.crt", pem(builtin_ca.chain()[0]))
        openssl.write("user.crt", pem(builtin_ca.issue(order_of()).certificate))
        about = ["ocsp", "-issuer", "ca.crt", "-cert", "user.crt"]
        openssl(*about, "-reqout", "question.der")
        path = quote(base64.b64encode(openssl.read("question.der")).decode(), safe=safe)
        openssl.write("answer.der", builtin_ca.ocsp(request_of_get(path)))
        given = ["-no_nonce", "-respin", "answer.der", "-CAfile", "ca.crt"]
        answer = openssl(*about, *given)
        assert "Response verify OK" in answer
        assert "user.crt: good" in answer
