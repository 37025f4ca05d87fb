"""The chain: every record is numbered and bound to all that stand before it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DOMAIN: Final = b"mobid-audit-v1"


@dataclass(frozen=True, slots=True)
class Head:
    """How far the chain goes: the number and the hash of its last record."""

    seq: int
    hash: bytes


GENESIS: Final = Head(0, bytes(hashlib.sha256().digest_size))
"""The head of an empty chain; the first record has number 1."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A record in its place in the chain."""

    seq: int
    record: bytes
    hash: bytes

    @property
    def head(self) -> Head:
        """The chain's head while this is its last record."""
        return Head(self.seq, self.hash)


def seal(records: Iterable[bytes], head: Head) -> Iterator[Sealed]:
    """Yield the records, in the order given, as what follows `head`, without a gap."""
    for record in records:
        sealed = Sealed(head.seq + 1, record, link(head, record))
        yield sealed
        head = sealed.head


def link(head: Head, record: bytes) -> bytes:
    """Return the hash of `record` in the place right after `head`."""
    seq = number(head.seq + 1)
    return hashlib.sha256(framed(_DOMAIN, seq, head.hash, hashlib.sha256(record).digest())).digest()


def number(value: int) -> bytes:
    """Return a number in the eight bytes that a database gives it; raise OverflowError beyond."""
    return value.to_bytes(8, "big", signed=True)


def framed(*parts: bytes) -> bytes:
    """Join byte strings, each behind its length, so that no two lists give the same bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
