"""The little of JOSE that a phone needs: base64url, public JWKs, and flattened JWS with ES256."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from collections.abc import Mapping

_SIZE: Final = 32  # bytes of a P-256 coordinate, and of each half of a signature


def encode(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of base64url without padding; raise `ValueError`."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Return the public half of a P-256 key as a JWK (RFC 7518, 6.2)."""
    numbers = key.public_key().public_numbers()
    x, y = (encode(number.to_bytes(_SIZE)) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def flattened(
    header: Mapping[str, object], payload: Mapping[str, object], key: ec.EllipticCurvePrivateKey
) -> dict[str, str]:
    """Sign with ES256 (RFC 7518, 3.4) and return a flattened JWS (RFC 7515, 7.2.2)."""
    protected = encode(json.dumps({"alg": "ES256"} | dict(header)).encode())
    body = encode(json.dumps(payload).encode())
    der = key.sign(f"{protected}.{body}".encode(), ec.ECDSA(SHA256()))
    raw = b"".join(number.to_bytes(_SIZE) for number in decode_dss_signature(der))
    return {"protected": protected, "payload": body, "signature": encode(raw)}
