"""The proof in confirm: the phone really has the new authentication key, and uses it now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from mobid.api.device import base64url
from mobid.api.device.errors import MalformedRequest
from mobid.api.device.jws import json_from
from mobid.processes.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.api.device.jws import FlattenedJWS

PROOF_TYPE: Final = "mobid-confirm"
"""The `typ` of a proof: nothing else that this key ever signs has it (RFC 8725, 3.11)."""


def check(
    proof: FlattenedJWS | None,
    certificate: bytes | None,
    *,
    kid: str,
    hashes: Sequence[bytes],
    url: str,
) -> None:
    """Raise `InvalidInput` unless the proof fits the authentication certificate, if there is one.

    A proof is a flattened JWS with exactly alg, typ and url in the protected header, over the same
    enrolment id and hashes as the request around it.
    """
    if certificate is None:
        if proof is not None:
            raise InvalidInput(
                "proof", "must be left out: there is no authentication certificate to prove it with"
            )
        return
    if proof is None:
        raise InvalidInput("proof", "is missing: sign with the new authentication key, too")
    _check_form(proof, url)
    key = x509.load_der_x509_certificate(certificate).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not proof.signed_by(key):
        raise InvalidInput("proof", "is not signed by the new authentication key, with ES256")
    said = {"kid": kid, "hashes": [base64url.encode(digest) for digest in hashes]}
    if json_from(proof.unverified_payload, "payload of the proof") != said:
        raise InvalidInput("proof", "must be over the same kid and hashes as the request around it")


def _check_form(proof: FlattenedJWS, url: str) -> None:
    try:
        proof.check_form(members={"alg", "typ", "url"}, url=url)
    except MalformedRequest as error:
        raise InvalidInput("proof", f"is not as agreed: its {error.part} {error.right}") from None
    if proof.header["typ"] != PROOF_TYPE:
        raise InvalidInput("proof", f"must have the typ {PROOF_TYPE}")
