"""What our CAs publish: chain, revocation list (RFC 5280, 5) and OCSP (RFC 6960). Open to everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import serialize_certificates
from flask import Response, request
from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate

from mobid.api import bodies
from mobid.api.errors import NoSuchCA, UnsupportedMediaType
from mobid.ca.builtin import request_of_get

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.ca import Publisher

PREFIX: Final = "/pki"
OCSP_REQUEST: Final = "application/ocsp-request"
OCSP_RESPONSE: Final = "application/ocsp-response"
CRL: Final = "application/pkix-crl"
CHAIN: Final = "application/pem-certificate-chain"
CERTIFICATE: Final = "application/pkix-cert"
CERTIFICATES: Final = "application/pkcs7-mime"

_BINARY: Final = {"type": "string", "format": "binary"}


@runtime_checkable
class AnswersOCSP(Protocol):
    """A CA that tells the state of one certificate at once."""

    def ocsp(self, request: bytes) -> bytes:
        """Return the DER of an OCSPResponse to the DER of an OCSPRequest, whatever it is."""


class FormQuery(Schema):
    """In which form a chain or a revocation list is wanted."""

    format = fields.String(load_default="der", validate=validate.OneOf(["der", "pem"]))


class PKIBlueprint(Blueprint):
    """A blueprint whose query parameters are refused as bodies are."""

    ARGUMENTS_PARSER = bodies.Parser()


def blueprint(cas: Mapping[str, Publisher]) -> Blueprint:
    """Build the blueprint over the CAs by the names under which they publish."""
    pki = PKIBlueprint(
        "pki",
        __name__,
        url_prefix=PREFIX,
        description="What the CAs publish: chain, revocation list, OCSP.",
    )

    @pki.after_request
    def ask_again(response: Response) -> Response:
        # What was true a minute ago may be revoked now; a cache must not keep it alive.
        response.headers.setdefault("Cache-Control", "no-cache")
        return response

    _published_routes(pki, cas)
    _ocsp_routes(pki, cas)
    return pki


def _published_routes(pki: Blueprint, cas: Mapping[str, Publisher]) -> None:
    """Add what everybody gets alike."""

    def publisher(name: str, thing: str) -> Publisher:
        if name not in cas:
            raise NoSuchCA(name, thing)
        return cas[name]

    @pki.get("/<ca>/chain")
    @pki.arguments(FormQuery, location="query")
    @pki.response(200, _BINARY, content_type=CERTIFICATE)
    def chain(query: dict[str, str], ca: str) -> Response:
        """Hand out the CA certificates, the issuer first.

        In DER as caIssuers asks for it (RFC 5280, 4.2.2.1): one certificate, or a certs-only CMS of
        several; with `format=pem` all of them in PEM (RFC 8555, 9.1).
        """
        ders = publisher(ca, "chain").chain()
        certificates = [x509.load_der_x509_certificate(der) for der in ders]
        if query["format"] == "pem":
            pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
            return Response(pem, mimetype=CHAIN)
        if len(ders) == 1:
            return Response(ders[0], mimetype=CERTIFICATE)
        return Response(serialize_certificates(certificates, Encoding.DER), mimetype=CERTIFICATES)

    @pki.get("/<ca>/crl")
    @pki.arguments(FormQuery, location="query")
    @pki.response(200, _BINARY, content_type=CRL)
    def crl(query: dict[str, str], ca: str) -> Response:
        """Hand out the newest revocation list, in DER or with `format=pem` in PEM."""
        der = publisher(ca, "revocation list").crl()
        if query["format"] == "pem":
            pem = x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)
            return Response(pem, mimetype="application/x-pem-file")
        return Response(der, mimetype=CRL)


def _ocsp_routes(pki: Blueprint, cas: Mapping[str, Publisher]) -> None:
    """Add both ways of asking (RFC 6960, A.1)."""

    def responder(name: str) -> AnswersOCSP:
        found = cas.get(name)
        if not isinstance(found, AnswersOCSP):
            raise NoSuchCA(name, "OCSP responder")
        return found

    @pki.post("/<ca>/ocsp")
    @pki.doc(requestBody={"required": True, "content": {OCSP_REQUEST: {"schema": _BINARY}}})
    @pki.response(200, _BINARY, content_type=OCSP_RESPONSE)
    def ask(ca: str) -> Response:
        """Tell the state of a certificate."""
        authority = responder(ca)
        if request.mimetype != OCSP_REQUEST:
            raise UnsupportedMediaType(OCSP_REQUEST)
        return Response(authority.ocsp(bodies.read(request)), mimetype=OCSP_RESPONSE)

    @pki.get("/<ca>/ocsp/<path:question>", merge_slashes=False)
    @pki.response(200, _BINARY, content_type=OCSP_RESPONSE)
    def ask_by_address(ca: str, question: str) -> Response:
        """Tell the state of a certificate; the request is base64 in the path."""
        return Response(responder(ca).ocsp(request_of_get(question)), mimetype=OCSP_RESPONSE)
