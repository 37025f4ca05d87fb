"""Flattened JWS (RFC 7515, 7.2.2) from a stranger: ES256 and P-256 keys, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import thumbprint

from mobid.api.bodies import MOST_BYTES
from mobid.api.device import base64url
from mobid.api.device.errors import MalformedRequest
from mobid_scim.errors import MalformedJSON
from mobid_scim.strict_json import Limits, loads

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIMITS: Final = Limits(size=MOST_BYTES, depth=8)
_ENVELOPE: Final = frozenset({"protected", "payload", "signature"})
_COORDINATE: Final = 32  # bytes (RFC 7518, 6.2.1.2)
_SIGNATURE: Final = 64  # bytes (RFC 7518, 3.4)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A P-256 public key: as JWK, with its thumbprint (RFC 7638), and ready to verify with."""

    jwk: Mapping[str, str]
    thumbprint: str
    key: ec.EllipticCurvePublicKey

    @classmethod
    def from_jwk(cls, jwk: object) -> Self:
        """Read exactly kty, crv, x and y of a point on the curve; raise `ValueError` for others."""
        match jwk:
            case {"kty": "EC", "crv": "P-256", "x": str(x), "y": str(y), **others} if not others:
                point = ec.EllipticCurvePublicNumbers(
                    _coordinate(x), _coordinate(y), ec.SECP256R1()
                )
            case _:
                raise ValueError(
                    "must be a public JWK with exactly kty EC, crv P-256, x and y (RFC 7518, 6.2)"
                )
        try:
            key = point.public_key()
        except ValueError:
            raise ValueError("must be a point on the curve P-256") from None
        members = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        return cls(members, thumbprint(members), key)


@dataclass(frozen=True, slots=True)
class FlattenedJWS:
    """A JWS whose form is right; who signed it is not yet known."""

    header: Mapping[str, object]
    signing_input: bytes
    signature: bytes
    unverified_payload: bytes

    @classmethod
    def read(cls, value: object) -> Self:
        """Take a decoded JSON value apart; raise `MalformedRequest`."""
        if (
            not isinstance(value, dict)
            or value.keys() != _ENVELOPE
            or not all(type(part) is str for part in value.values())
        ):
            raise MalformedRequest(
                "body", "must be an object with exactly the texts protected, payload and signature"
            )
        protected, payload = value["protected"], value["payload"]
        header = json_from(_decoded("protected", protected), "protected header")
        signature = _decoded("signature", value["signature"])
        if not isinstance(header, dict):
            raise MalformedRequest("protected header", "must be an object")
        signing_input = f"{protected}.{payload}".encode()
        return cls(header, signing_input, signature, _decoded("payload", payload))

    def check_form(self, *, members: set[str], url: str) -> None:
        """Refuse other header members, other algorithms than ES256, and another address."""
        if self.header.keys() != members:
            raise MalformedRequest(
                "protected header", "must have exactly the members " + ", ".join(sorted(members))
            )
        if self.header["alg"] != "ES256":
            raise MalformedRequest("alg in the protected header", "must be ES256")
        if self.header["url"] != url:
            raise MalformedRequest("url in the protected header", f"must be {url}")
        if len(self.signature) != _SIGNATURE:
            raise MalformedRequest("signature", "must be the 64 bytes r and s (RFC 7518, 3.4)")

    def signed_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        """Say whether this key made the signature, by ES256. Its form was checked before."""
        half = _SIGNATURE // 2
        r, s = (int.from_bytes(part) for part in (self.signature[:half], self.signature[half:]))
        try:
            key.verify(encode_dss_signature(r, s), self.signing_input, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def json_from(data: bytes, part: str) -> object:
    """Return the one JSON value in a part of a request; raise `MalformedRequest` naming the part."""
    try:
        return loads(data, limits=_LIMITS)
    except MalformedJSON as error:
        raise MalformedRequest(part, f"is no acceptable JSON: {error.reason}") from None


def _decoded(part: str, text: str) -> bytes:
    try:
        return base64url.decode(text)
    except ValueError as error:
        raise MalformedRequest(part, str(error)) from None


def _coordinate(text: str) -> int:
    data = base64url.decode(text)
    if len(data) != _COORDINATE:
        raise ValueError("must have coordinates of 32 bytes (RFC 7518, 6.2.1.2)")
    return int.from_bytes(data)
