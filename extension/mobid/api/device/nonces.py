"""Single-use nonces for phones: nothing is stored before a nonce is used.

A nonce is base64url(expiry ‖ random ‖ HMAC-SHA-256): any server recognises one that any other has
given out, and the database remembers only those that came back under a good signature.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from mobid.api.device import base64url
from mobid.api.device.errors import BadNonce

if TYPE_CHECKING:
    from mobid.processes.ports import Clock, Units

LIFETIME: Final = timedelta(minutes=5)

_EXPIRY: Final = 8  # bytes, seconds since 1970
_RANDOM: Final = 16  # bytes
_MAC: Final = 32  # bytes


class Nonces:
    """Gives nonces out, and takes each back once. The key may serve other purposes, too."""

    def __init__(self, key: bytes, clock: Clock, units: Units) -> None:
        self._key, self._clock, self._units = key, clock, units

    def fresh(self) -> str:
        """Return a new nonce, good for one request within `LIFETIME`."""
        expiry = int((self._clock() + LIFETIME).timestamp()).to_bytes(_EXPIRY)
        body = expiry + secrets.token_bytes(_RANDOM)
        return base64url.encode(body + self._mac(body))

    def check(self, nonce: str) -> datetime:
        """Return when a nonce of ours expires, without asking the database; raise `BadNonce`."""
        try:
            data = base64url.decode(nonce)
        except ValueError:
            raise BadNonce from None
        body, mac = data[:-_MAC], data[-_MAC:]
        if len(data) != _EXPIRY + _RANDOM + _MAC or not hmac.compare_digest(mac, self._mac(body)):
            raise BadNonce
        expires_at = datetime.fromtimestamp(int.from_bytes(body[:_EXPIRY]), UTC)
        if expires_at <= self._clock():
            raise BadNonce
        return expires_at

    def spend(self, nonce: str) -> None:
        """Use a nonce up, for good; raise `BadNonce` if it was used before.

        Called once the signature over it is verified, so that a stranger can write nothing.
        """
        expires_at = self.check(nonce)
        with self._units() as unit:
            first = unit.used.first_use(f"nonce:{nonce}", until=expires_at)
            unit.commit()
        if not first:
            raise BadNonce

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, b"mobid-nonce-v1\x00" + body, "sha256")
