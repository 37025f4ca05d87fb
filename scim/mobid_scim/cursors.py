"""Cursors (RFC 9865): a place in a list, sealed so that a client can neither read nor make one.

A cursor holds where the next page begins, the size of pages, and when it expires; it is encrypted,
as that place may be somebody's name. It opens only for the client and the search that it was sealed
for, in every process that has the key.
"""

import base64
import binascii
import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mobid_scim.errors import ExpiredCursor, InvalidCursor
from mobid_scim.listing import Position

CallerT = TypeVar("CallerT")

_LEAST_KEY: Final = 32
_SALT: Final = 16
_LONGEST: Final = 16_384
# Each cursor has a key of its own, made from a random salt, so the nonce need not differ.
_NONCE: Final = bytes(12)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a page begins: the type of resource, and the place among them; None is their beginning."""

    scope: str
    position: Position | None
    count: int


class Cursors(Generic[CallerT]):
    """Seals and opens cursors.

    Each key has at least 32 bytes of randomness; the first one seals, all of them open, so that a key
    can be replaced. `client` tells whose a cursor is: another client cannot use it.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        client: Callable[[CallerT], str],
        lifetime: dt.timedelta,
        clock: Callable[[], dt.datetime],
    ) -> None:
        if not keys or min(map(len, keys)) < _LEAST_KEY:
            raise ValueError(f"Cursors need keys of at least {_LEAST_KEY} bytes.")
        if lifetime < dt.timedelta(seconds=1):
            raise ValueError("Cursors need a lifetime of at least one second.")
        self.lifetime = lifetime
        self._keys = keys
        self._client = client
        self._clock = clock

    def seal(self, mark: Mark, caller: CallerT, search: str) -> str:
        """Return the cursor for a place in a search; its characters are unreserved in URLs."""
        position = mark.position
        content = {
            "scope": mark.scope,
            "key": None if position is None else list(position.key),
            "backward": position is not None and position.backward,
            "count": mark.count,
            "until": (self._clock() + self.lifetime).timestamp(),
        }
        salt = os.urandom(_SALT)
        sealed = _cipher(self._keys[0], salt).encrypt(
            _NONCE, orjson.dumps(content), self._bound_to(caller, search)
        )
        return base64.urlsafe_b64encode(salt + sealed).rstrip(b"=").decode()

    def open(self, cursor: str, caller: CallerT, search: str) -> Mark:
        """Return the place, or raise InvalidCursor or ExpiredCursor."""
        content: Any = orjson.loads(self._opened(cursor, self._bound_to(caller, search)))
        if self._clock().timestamp() > content["until"]:
            raise ExpiredCursor(
                "The cursor has expired; begin again without one, and take the next page within"
                f" {self.lifetime.total_seconds():.0f} seconds (cursorTimeout)."
            )
        key = content["key"]
        position = None if key is None else Position(tuple(key), backward=content["backward"])
        return Mark(content["scope"], position, content["count"])

    def _opened(self, cursor: str, bound_to: bytes) -> bytes:
        raw = _decoded(cursor)
        for key in self._keys:
            try:
                return _cipher(key, raw[:_SALT]).decrypt(_NONCE, raw[_SALT:], bound_to)
            except InvalidTag:
                continue
        raise _invalid()

    def _bound_to(self, caller: CallerT, search: str) -> bytes:
        whole = json.dumps([self._client(caller), search])
        return hashlib.sha256(whole.encode()).digest()


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    derived = HKDF(hashes.SHA256(), length=32, salt=salt, info=b"mobid_scim cursor").derive(key)
    return AESGCM(derived)


def _decoded(cursor: str) -> bytes:
    """Return the bytes of a cursor, or raise InvalidCursor."""
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise _invalid()
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _invalid() from None
    return raw


def _invalid() -> InvalidCursor:
    return InvalidCursor(
        "The cursor is none of ours, or of another client or search; repeat the search as it was,"
        " with a nextCursor or previousCursor from its answer, or begin again with an empty cursor."
    )
