"""Signed checkpoints: what the chain was at a moment, which no owner of the database can forge."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature

from mobid.audit.chain import GENESIS, Head, framed, number

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

EVERY_EVENTS: Final = 1000
EVERY: Final = timedelta(seconds=60)

_DOMAIN: Final = b"mobid-audit-checkpoint-v1"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A signed statement: at this time, the chain's head was this, and the checkpoint before was that."""

    head: Head
    at: datetime
    previous: bytes
    """The hash of the checkpoint before, or zeros for the first."""
    key_id: str
    signature: bytes

    @property
    def hash(self) -> bytes:
        """What the next checkpoint names as its previous one."""
        return hashlib.sha256(self.message).digest()

    @property
    def message(self) -> bytes:
        """The bytes that are signed; raise OverflowError for numbers that no database holds."""
        return _message(self.head, self.at, self.previous, self.key_id)

    def is_signed_by(self, key: Ed25519PublicKey) -> bool:
        """Tell whether the signature is right, and made by this key."""
        try:
            key.verify(self.signature, self.message)
        except (InvalidSignature, OverflowError):
            return False
        return self.key_id == key_id(key)


def key_id(key: Ed25519PublicKey) -> str:
    """Return the short name of a key: the start of its hash, in hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def sign_checkpoint(
    head: Head, *, at: datetime, previous: Checkpoint | None, key: Ed25519PrivateKey
) -> Checkpoint:
    """Return the checkpoint of `head` that follows `previous`, or the first one."""
    before = previous.hash if previous else GENESIS.hash
    signer = key_id(key.public_key())
    return Checkpoint(
        head=head,
        at=at,
        previous=before,
        key_id=signer,
        signature=key.sign(_message(head, at, before, signer)),
    )


def checkpoint_due(head: Head, *, at: datetime, last: Checkpoint | None) -> bool:
    """Tell whether it is time: something is new, and it is many events, or a minute has passed.

    A clock that was set back counts as a minute, so that it cannot hold checkpoints up.
    """
    if last is None:
        return head.seq > GENESIS.seq
    new = head.seq - last.head.seq
    return new >= EVERY_EVENTS or (new > 0 and not timedelta(0) <= at - last.at < EVERY)


def _message(head: Head, at: datetime, previous: bytes, signer: str) -> bytes:
    microseconds = (at - _EPOCH) // timedelta(microseconds=1)
    return framed(
        _DOMAIN, number(head.seq), head.hash, number(microseconds), previous, signer.encode()
    )
