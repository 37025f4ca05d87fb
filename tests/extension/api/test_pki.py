"""What the built-in CA publishes, read as relying parties read it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates
from cryptography.x509 import ocsp
from flask import Flask

from mobid.api import Problems, pki, register
from mobid.app.errors import meaning_of
from mobid.ca import Addresses, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from mobid.ca.builtin import BuiltinCA

OCSP = "application/ocsp-request"


@pytest.fixture
def client(builtin_ca: BuiltinCA) -> FlaskClient:
    """A relying party, of a deployment with the built-in CA and one without OCSP."""
    app = Flask(__name__)
    register(
        app,
        [pki.blueprint({builtin_ca.name: builtin_ca, "old": NoOCSP(builtin_ca.chain()[0])})],
        problems=Problems(meaning_of),
        elsewhere=lambda error: error,
        version="0",
    )
    return app.test_client()


class NoOCSP:
    """A CA below another one, that publishes its chain and nothing else."""

    def __init__(self, certificate: bytes) -> None:
        self._certificate = certificate

    def chain(self) -> Sequence[bytes]:
        """Return two certificates."""
        return (self._certificate, self._certificate)

    def crl(self) -> bytes:
        """Return nothing."""
        return b""

    def addresses(self) -> Addresses:
        """Return none: it publishes elsewhere."""
        return Addresses(chain=None, crl=None, ocsp=None)


@pytest.fixture
def certificate(builtin_ca: BuiltinCA, order_of: Any) -> x509.Certificate:
    """A certificate of the CA."""
    return x509.load_der_x509_certificate(builtin_ca.issue(order_of()).certificate)


@pytest.fixture
def question(builtin_ca: BuiltinCA, certificate: x509.Certificate) -> bytes:
    """An OCSP request about it."""
    issuer = x509.load_der_x509_certificate(builtin_ca.chain()[0])
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, SHA1())  # noqa: S303  # what clients send
    return builder.build().public_bytes(Encoding.DER)


def status(answer: TestResponse) -> ocsp.OCSPCertStatus:
    """Return what an OCSP response says."""
    assert (answer.status_code, answer.mimetype) == (200, "application/ocsp-response")
    return ocsp.load_der_ocsp_response(answer.data).certificate_status


def test_the_issuer_is_one_certificate_in_der(client: FlaskClient, builtin_ca: BuiltinCA) -> None:
    """As caIssuers wants it (RFC 5280, 4.2.2.1)."""
    answer = client.get(f"/pki/{builtin_ca.name}/chain")
    assert answer.mimetype == "application/pkix-cert"
    assert [answer.data] == list(builtin_ca.chain())


def test_several_certificates_are_a_certs_only_cms(client: FlaskClient) -> None:
    """The other form that RFC 5280, 4.2.2.1 knows."""
    answer = client.get("/pki/old/chain")
    assert answer.mimetype == "application/pkcs7-mime"
    assert len(load_der_pkcs7_certificates(answer.data)) == 2


def test_the_chain_in_pem(client: FlaskClient, builtin_ca: BuiltinCA) -> None:
    """As RFC 8555, 9.1 has it."""
    answer = client.get(f"/pki/{builtin_ca.name}/chain?format=pem")
    assert answer.mimetype == "application/pem-certificate-chain"
    chain = x509.load_pem_x509_certificates(answer.data)
    assert [one.public_bytes(Encoding.DER) for one in chain] == list(builtin_ca.chain())


def test_the_crl_tells_of_a_revocation(
    client: FlaskClient, builtin_ca: BuiltinCA, certificate: x509.Certificate, clock: Any
) -> None:
    """In both forms."""
    builtin_ca.revoke(certificate.public_bytes(Encoding.DER), Reason.SUPERSEDED, clock())
    der = client.get(f"/pki/{builtin_ca.name}/crl")
    pem = client.get(f"/pki/{builtin_ca.name}/crl?format=pem")
    assert (der.mimetype, der.headers["Cache-Control"]) == ("application/pkix-crl", "no-cache")
    for crl in (x509.load_der_x509_crl(der.data), x509.load_pem_x509_crl(pem.data)):
        assert crl.get_revoked_certificate_by_serial_number(certificate.serial_number)


def test_another_form_is_refused(client: FlaskClient, builtin_ca: BuiltinCA) -> None:
    """The problem names the ones that there are."""
    answer = client.get(f"/pki/{builtin_ca.name}/crl?format=text")
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == {"query.format": ["Must be one of: der, pem."]}


def test_ocsp_tells_at_once(
    client: FlaskClient,
    builtin_ca: BuiltinCA,
    certificate: x509.Certificate,
    question: bytes,
    clock: Any,
) -> None:
    """Good before, revoked right after."""
    path = f"/pki/{builtin_ca.name}/ocsp"
    assert status(client.post(path, data=question, content_type=OCSP)) is ocsp.OCSPCertStatus.GOOD
    builtin_ca.revoke(certificate.public_bytes(Encoding.DER), Reason.SUPERSEDED, clock())
    answer = client.post(path, data=question, content_type=OCSP)
    assert status(answer) is ocsp.OCSPCertStatus.REVOKED


@pytest.mark.parametrize("safe", ["", "/+="])
def test_ocsp_by_address(
    client: FlaskClient, builtin_ca: BuiltinCA, question: bytes, safe: str
) -> None:
    """Percent-encoded as RFC 6960, A.1 wants it, and as some clients send it."""
    encoded = quote(base64.b64encode(question).decode(), safe=safe)
    answer = client.get(f"/pki/{builtin_ca.name}/ocsp/{encoded}")
    assert status(answer) is ocsp.OCSPCertStatus.GOOD


def test_two_slashes_in_base64_are_part_of_it(client: FlaskClient, builtin_ca: BuiltinCA) -> None:
    """An address is not tidied up: a redirect would ask something else."""
    answer = client.get(f"/pki/{builtin_ca.name}/ocsp/MEIw//QDA")
    assert answer.status_code == 200
    response = ocsp.load_der_ocsp_response(answer.data)
    assert response.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize("data", [b"", b"x", b"0" * 5000])
def test_rubbish_gets_an_ocsp_answer(
    client: FlaskClient, builtin_ca: BuiltinCA, data: bytes
) -> None:
    """OCSP has its own way of saying so."""
    answer = client.post(f"/pki/{builtin_ca.name}/ocsp", data=data, content_type=OCSP)
    response = ocsp.load_der_ocsp_response(answer.data)
    assert response.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_other_media_types_are_refused(client: FlaskClient, builtin_ca: BuiltinCA) -> None:
    """The problem names the right one."""
    answer = client.post(f"/pki/{builtin_ca.name}/ocsp", data=b"x", content_type="text/plain")
    assert answer.status_code == 415
    assert OCSP in answer.get_json()["detail"]


def test_a_large_request_is_refused(client: FlaskClient, builtin_ca: BuiltinCA) -> None:
    """Before it is looked at."""
    path = f"/pki/{builtin_ca.name}/ocsp"
    answer = client.post(path, data=b"x" * 70_000, content_type=OCSP)
    assert (answer.status_code, answer.get_json()["code"]) == (413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("path", ["/pki/nope/chain", "/pki/nope/crl", "/pki/nope/ocsp/MEI"])
def test_another_ca_is_not_found(client: FlaskClient, path: str) -> None:
    """The problem names it."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert 'of a CA "nope"' in answer.get_json()["detail"]


def test_a_ca_without_ocsp(client: FlaskClient) -> None:
    """There is no such thing at its address."""
    answer = client.post("/pki/old/ocsp", data=b"x", content_type=OCSP)
    assert answer.status_code == 404
    assert "no OCSP responder" in answer.get_json()["detail"]


def test_a_record_that_is_away(client: FlaskClient, builtin_ca: BuiltinCA, ca_store: Any) -> None:
    """Come back later."""
    ca_store.away.update(("changes", "latest_crl", "draft_crl"))
    answer = client.get(f"/pki/{builtin_ca.name}/crl")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "CA_UNAVAILABLE")
    assert "record" not in answer.get_json()["detail"]
    assert answer.headers["Retry-After"]
