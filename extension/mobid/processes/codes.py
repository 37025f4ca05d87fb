"""The codes of an enrolment: derived from one key, so that any server can show them and none stores them.

A token (256 bits, in the QR), a typed code (80 bits, for fingers) and a mail code (40 bits, beside a
code that went by mail) are HMAC-SHA-256 over kind ‖ enrolment id ‖ number. The database holds SHA-256
of each.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_TYPED_LENGTH: Final = 16
_MAIL_LENGTH: Final = 8
_BITS: Final = 5
"""Of one character of Crockford's base 32."""
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
        return _in_fours(self._derive("typed", enrolment_id, number), _TYPED_LENGTH)

    def mail_code(self, enrolment_id: str, number: int) -> str:
        """Return the second secret of a mailed code: 8 such characters in two groups."""
        return _in_fours(self._derive("mail", enrolment_id, number), _MAIL_LENGTH)

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
    plain = _plain(code)
    if len(plain) == _TYPED_LENGTH and set(plain) <= set(_CROCKFORD):
        return hashlib.sha256(b"typed\x00" + plain.encode()).digest()
    return None


def mail_code_hash(code: str) -> bytes:
    """Return the hash that a mail code is compared by, read as people type it like a typed code."""
    return hashlib.sha256(b"mail\x00" + _plain(code).encode("utf-8", "surrogatepass")).digest()


def _in_fours(digest: bytes, length: int) -> str:
    """Return the beginning of a digest as so many characters, in groups of four."""
    value = int.from_bytes(digest[: length * _BITS // 8])
    shifts = range((length - 1) * _BITS, -1, -_BITS)
    plain = "".join(_CROCKFORD[value >> shift & 31] for shift in shifts)
    return "-".join(plain[start : start + 4] for start in range(0, length, 4))


def _plain(typed: str) -> str:
    return re.sub(r"[\s-]", "", typed).upper().translate(_LOOK_ALIKES)
