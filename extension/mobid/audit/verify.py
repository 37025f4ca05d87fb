"""Reads a log again from its first record on, and says whether anybody has touched it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from mobid.audit.chain import GENESIS, Head, Sealed, link
from mobid.audit.checkpoints import EVERY_EVENTS, Checkpoint, key_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LONGEST_TAIL: Final = 2 * EVERY_EVENTS
"""How many records may be without a checkpoint: a full interval, and one batch of the sealer."""


class Verdict(StrEnum):
    """What the log looks like."""

    OK = "ok"
    TAMPERED = "tampered"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict, how much of the log was read for it, and why."""

    verdict: Verdict
    records: int
    """How many records, from the first on, are an unbroken chain."""
    signed: int
    """How many of these a checkpoint vouches for."""
    first_bad: int | None
    """The first number at which the log does not go on as it did; None if there is none."""
    reason: str


class _Tampered(Exception):
    """What was found, and at which number."""

    def __init__(self, seq: int, reason: str) -> None:
        self.seq = seq
        self.reason = reason
        super().__init__(reason)


@dataclass(slots=True)
class _Walk:
    """How far the reading has come."""

    checkpoints: Iterator[Checkpoint]
    head: Head = GENESIS
    signed: int = 0

    def through(self, rows: Iterable[Sealed]) -> None:
        """Follow the chain and the checkpoints side by side; raise `_Tampered`."""
        mark = next(self.checkpoints, None)
        for row in rows:
            self._take(row)
            if mark is not None and mark.head.seq == self.head.seq:
                self._compare(mark)
                mark = next(self.checkpoints, None)
        if mark is not None:
            reason = f"the log ends here, although a checkpoint covers {mark.head.seq} records"
            raise _Tampered(self.head.seq + 1, reason)

    def _take(self, row: Sealed) -> None:
        wanted = self.head.seq + 1
        if row.seq != wanted:
            raise _Tampered(wanted, f"record {row.seq} stands in the place of record {wanted}")
        if row.hash != link(self.head, row.record):
            raise _Tampered(wanted, f"record {wanted}, or its place in the chain, was changed")
        self.head = row.head

    def _compare(self, mark: Checkpoint) -> None:
        if mark.head.hash != self.head.hash:
            reason = f"records up to {mark.head.seq} were written anew: they do not lead to its checkpoint"
            raise _Tampered(self.signed + 1, reason)
        self.signed = mark.head.seq

    def report(self, verdict: Verdict, reason: str, first_bad: int | None) -> Report:
        return Report(
            verdict=verdict,
            records=self.head.seq,
            signed=self.signed,
            first_bad=first_bad,
            reason=reason,
        )


def verify(
    rows: Iterable[Sealed], checkpoints: Iterable[Checkpoint], public_key: Ed25519PublicKey
) -> Report:
    """Read rows and checkpoints, each in the order of their numbers, once and as a stream.

    `ok`: everything up to the last checkpoint is as it was signed, and what follows is an unbroken
    chain of at most `LONGEST_TAIL` records. `tampered`: it is not.
    `cannot_tell`: nothing signed by this key says what the log was. Checkpoints that were kept away
    from the database show what a person with all rights in it has cut off or written anew.
    """
    unknown: list[str] = []
    walk = _Walk(_trusted(checkpoints, public_key, unknown))
    try:
        walk.through(rows)
    except _Tampered as found:
        return walk.report(Verdict.TAMPERED, found.reason, found.seq)
    return _judged(walk, unknown)


def _judged(walk: _Walk, unknown: list[str]) -> Report:
    """Judge a chain without a break by how much of it is vouched for."""
    beyond = walk.signed + 1
    if unknown:
        reason = f"the next checkpoint is signed by key {unknown[0]}, not by the key given"
        return walk.report(Verdict.CANNOT_TELL, reason, beyond)
    if not walk.signed:
        return walk.report(Verdict.CANNOT_TELL, "there is no checkpoint", None)
    if walk.head.seq - walk.signed > LONGEST_TAIL:
        reason = f"record {beyond} and those after it should have a checkpoint by now"
        return walk.report(Verdict.CANNOT_TELL, reason, beyond)
    return walk.report(Verdict.OK, f"records 1 to {walk.signed} are as they were signed", None)


def _trusted(
    checkpoints: Iterable[Checkpoint], key: Ed25519PublicKey, unknown: list[str]
) -> Iterator[Checkpoint]:
    """Yield what the key has signed, in its order; stop at another key's, and note that key's id."""
    seq, before = GENESIS.seq, GENESIS.hash
    for found in checkpoints:
        if found.key_id != key_id(key):
            unknown.append(found.key_id)
            return
        if not found.is_signed_by(key):
            raise _Tampered(seq + 1, f"the checkpoint after record {seq} was changed")
        if found.previous != before or found.head.seq <= seq:
            raise _Tampered(
                seq + 1, f"a checkpoint after record {seq} is missing, or in another's place"
            )
        yield found
        seq, before = found.head.seq, found.hash
