"""The codes of an enrolment: derived from one key, so that any server can show them and none stores them.

A token (256 bits, in the QR) and a typed code (80 bits, for fingers) are HMAC-SHA-256 over
kind ‖ enrolment id ‖ number. The database holds SHA-256 of each.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TYPED_LENGTH: Final = 16
_LOOK_ALIKES: Final = str.maketrans("ILO", "110")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


class Codes:
    """Makes the codes of enrolments from the deployment's enrolment key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Codes(***)"

    def token(self, enrolment_id: str, number: int) -> str:
        """Return the token of the QR code: 43 characters of base64url."""
        digest = self._derive("token", enrolment_id, number)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def typed(self, enrolment_id: str, number: int) -> str:
        """Return the code for fingers: 16 characters of Crockford's base 32 in groups of four."""
        value = int.from_bytes(self._derive("typed", enrolment_id, number)[:10])
        plain = "".join(_CROCKFORD[value >> shift & 31] for shift in range(75, -1, -5))
        return "-".join(plain[start : start + 4] for start in range(0, _TYPED_LENGTH, 4))

    def _derive(self, kind: str, enrolment_id: str, number: int) -> bytes:
        message = "\x00".join(("mobid-code-v1", kind, enrolment_id, str(number)))
        return hmac.digest(self._key, message.encode(), "sha256")


def link_of(public_url: str, token: str) -> str:
    """Return what a QR code says: an address of ours, with the token in its fragment only."""
    return f"{public_url}/e#1.{token}"


def code_hash(code: str) -> bytes | None:
    """Return the hash by which a token or a typed code is found, or none if it is neither.

    Typed codes are read as people type them: any case, with or without hyphens and spaces, and
    with the look-alikes I, L and O.
    """
    if _TOKEN.fullmatch(code):
        return hashlib.sha256(b"token\x00" + code.encode()).digest()
    plain = re.sub(r"[\s-]", "", code).upper().translate(_LOOK_ALIKES)
    if len(plain) == _TYPED_LENGTH and set(plain) <= set(_CROCKFORD):
        return hashlib.sha256(b"typed\x00" + plain.encode()).digest()
    return None
