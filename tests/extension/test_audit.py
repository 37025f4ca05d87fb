"""The audit log: one way to write an event, a chain that nobody can change unseen, and its verdict."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mobid.audit import (
    GENESIS,
    AuditEvent,
    Checkpoint,
    Head,
    InvalidEvent,
    Sealed,
    Verdict,
    checkpoint_due,
    key_id,
    seal,
    sign_checkpoint,
    verify,
)
from mobid.domain.actors import Actor, ActorKind

if TYPE_CHECKING:
    from collections.abc import Callable

NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
OUR_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(32))
ALICE: Final = Actor(ActorKind.USER, "u-1")

TEXT = st.text(min_size=1, max_size=20)
DETAILS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True),
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
)
EVENTS = st.builds(
    AuditEvent,
    at=st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - hypothesis adds the zone
    actor=st.builds(Actor, st.sampled_from(ActorKind), TEXT),
    action=TEXT,
    object_type=TEXT,
    object_id=TEXT,
    details=DETAILS,
)


def an_event(**given: Any) -> AuditEvent:
    """Return an event that fits, except for what is given."""
    usual: dict[str, Any] = {"at": NOON, "actor": ALICE, "action": "mobile_id.lock",
             "object_type": "mobile_id", "object_id": "m-1"}  # fmt: skip
    return AuditEvent(**(usual | given))


class TestRecord:
    """How an event is written."""

    def test_is_canonical_json(self) -> None:
        """Sorted names, no spaces, UTF-8, times in UTC (RFC 8785)."""
        event = an_event(
            at=datetime(2026, 11, 22, 13, 0, 0, 5, tzinfo=timezone(timedelta(hours=1))),
            details={"why": 'Zoë said "no"\n', "tries": 3, "late": False, "step": None},
        )
        assert event.record().decode() == (
            '{"action":"mobile_id.lock","actor":"user:u-1","at":"2026-11-22T12:00:00.000005Z",'
            '"details":{"late":false,"step":null,"tries":3,"why":"Zoë said \\"no\\"\\n"},'
            '"object_id":"m-1","object_type":"mobile_id"}'
        )

    @given(EVENTS)
    def test_loses_nothing(self, event: AuditEvent) -> None:
        """Whoever reads the record has the event."""
        read = json.loads(event.record())
        at = datetime.fromisoformat(read.pop("at"))
        assert (at, read.pop("actor")) == (event.at, str(event.actor))
        assert read.pop("details") == event.details
        assert read == {
            name: getattr(event, name) for name in ("action", "object_type", "object_id")
        }

    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("at", datetime(2026, 1, 1), "at is not recorded as it is; it must be a time with its"),  # noqa: DTZ001 - the case in point
            ("action", "", "action is not recorded as it is; it must be text, and not empty"),
            ("object_type", "", "object_type is not recorded"),
            ("object_id", "\ud800", "object_id is not recorded"),
            ("actor", Actor(ActorKind.USER, "\udfff"), "actor is not recorded"),
            ("details", {"Key": 1}, "the name of a detail is not recorded .* a word of a-z"),
            ("details", {"ratio": 0.5}, 'detail "ratio" is not recorded'),
            (
                "details",
                {"key": b"secret-7"},
                'detail "key" is not recorded as it is; it must be text, a',
            ),
            ("details", {"keys": ["secret-7"]}, 'detail "keys" is not recorded'),
            ("details", {"count": 2**53}, 'detail "count" is not recorded'),
            ("details", {"name": "secret-7\ud800"}, 'detail "name" is not recorded'),
        ],
    )
    def test_refuses_what_does_not_fit(self, field: str, value: object, message: str) -> None:
        """It is refused when it is made, before anything is written; the message shows no value."""
        with pytest.raises(InvalidEvent, match=message) as refused:
            an_event(**{field: value})
        assert "secret-7" not in str(refused.value)


class TestChain:
    """How records are sealed."""

    def test_binds_number_predecessor_and_record(self) -> None:
        """The formula, computed here by hand: each part behind its length of four bytes."""
        (sealed,) = seal([b"record"], Head(41, b"p" * 32))
        parts = [
            b"mobid-audit-v1",
            (42).to_bytes(8, "big"),
            b"p" * 32,
            hashlib.sha256(b"record").digest(),
        ]
        expected = hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts))
        assert sealed == Sealed(42, b"record", expected.digest())
        assert sealed.head == Head(42, expected.digest())

    @given(st.lists(st.binary(max_size=9), max_size=9), st.integers(0, 9))
    def test_is_the_same_however_it_is_cut(self, records: list[bytes], cut: int) -> None:
        """Sealing in two batches gives the chain of one batch, numbered from 1 without a gap."""
        whole = list(seal(records, GENESIS))
        first = list(seal(records[:cut], GENESIS))
        assert first + list(seal(records[cut:], first[-1].head if first else GENESIS)) == whole
        assert [row.seq for row in whole] == list(range(1, len(records) + 1))
        assert [row.record for row in whole] == records


class TestCheckpoints:
    """When and how the chain's head is signed."""

    def test_are_signed_and_chained(self) -> None:
        """Each names the one before it, and who signed it."""
        first = sign_checkpoint(Head(1, b"a" * 32), at=NOON, previous=None, key=OUR_KEY)
        second = sign_checkpoint(Head(2, b"b" * 32), at=NOON, previous=first, key=OUR_KEY)
        assert (first.previous, second.previous) == (bytes(32), first.hash)
        assert first.key_id == key_id(OUR_KEY.public_key()) == "56475aa75463474c"
        assert first.is_signed_by(OUR_KEY.public_key())
        assert not first.is_signed_by(OTHER_KEY.public_key())

    @pytest.mark.parametrize(
        ("seq", "seconds", "due"),
        [
            (500, 3600, False), (501, 59, False), (501, 60, True), (501, -1, True),
            (1499, 1, False), (1500, 1, True),
        ],
    )  # fmt: skip
    def test_are_due_every_thousand_events_or_minute(
        self, seq: int, seconds: int, due: bool
    ) -> None:
        """Nothing new, nothing to sign; a clock set back does not hold them up."""
        last = sign_checkpoint(Head(500, b"a" * 32), at=NOON, previous=None, key=OUR_KEY)
        at = NOON + timedelta(seconds=seconds)
        assert checkpoint_due(Head(seq, b"b" * 32), at=at, last=last) is due

    def test_the_first_is_due_with_the_first_event(self) -> None:
        """Without a checkpoint nothing vouches for the beginning."""
        assert checkpoint_due(Head(1, b"a" * 32), at=NOON, last=None)
        assert not checkpoint_due(GENESIS, at=NOON, last=None)


class Log:
    """A log as a database holds it, with ways to tamper with it."""

    def __init__(self, records: int, *, every: int, key: Ed25519PrivateKey = OUR_KEY) -> None:
        """Seal so many records, and sign every so manieth."""
        events = (an_event(object_id=f"m-{number}") for number in range(records))
        self.rows = list(seal([event.record() for event in events], GENESIS))
        self.checkpoints: list[Checkpoint] = []
        for row in self.rows[every - 1 :: every]:
            self.sign(row.head, key)

    def sign(self, head: Head, key: Ed25519PrivateKey) -> None:
        """Add a checkpoint."""
        previous = self.checkpoints[-1] if self.checkpoints else None
        self.checkpoints.append(sign_checkpoint(head, at=NOON, previous=previous, key=key))

    def verdict(self) -> tuple[Verdict, int | None, str]:
        """Verify as a stream: verdict, first bad number, reason."""
        report = verify(iter(self.rows), iter(self.checkpoints), OUR_KEY.public_key())
        return report.verdict, report.first_bad, report.reason

    def recompute(self, start: int) -> None:
        """Write all hashes from this index on anew, as the database's owner can."""
        head = self.rows[start - 1].head if start else GENESIS
        self.rows[start:] = seal([row.record for row in self.rows[start:]], head)


def flipped(data: bytes, dice: random.Random) -> bytes:
    """Return the bytes with one bit changed."""
    place = dice.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << dice.randrange(8)]) + data[place + 1 :]


def flip_record(log: Log, at: int, dice: random.Random) -> int:
    """Change one bit of a record."""
    log.rows[at] = replace(log.rows[at], record=flipped(log.rows[at].record, dice))
    return at + 1


def flip_hash(log: Log, at: int, dice: random.Random) -> int:
    """Change one bit of a hash."""
    log.rows[at] = replace(log.rows[at], hash=flipped(log.rows[at].hash, dice))
    return at + 1


def renumber(log: Log, at: int, dice: random.Random) -> int:
    """Give a record another number."""
    log.rows[at] = replace(log.rows[at], seq=log.rows[at].seq + dice.choice([-99, -1, 1, 2**62]))
    return at + 1


def delete(log: Log, at: int, dice: random.Random) -> int:
    """Take a record out; sometimes close the gap in the numbers."""
    del log.rows[at]
    if dice.random() < 0.5:
        log.rows[at:] = [replace(row, seq=row.seq - 1) for row in log.rows[at:]]
    return at + 1


def insert(log: Log, at: int, dice: random.Random) -> int:
    """Put a record in, a forged one or a copy, with the hash that lets it follow the one before."""
    record = dice.choice([an_event(object_id="m-forged").record(), log.rows[at].record])
    before = log.rows[at - 1].head if at else GENESIS
    (forged,) = seal([record], before)
    log.rows.insert(at, forged)
    is_signed_place = (at + 1) % 10 == 0
    return at + 2 if forged == log.rows[at + 1] or not is_signed_place else at - 8


def swap(log: Log, at: int, dice: random.Random) -> int:
    """Let two records change places, with their numbers or without."""
    one, two = log.rows[at], log.rows[(at + 1) % len(log.rows)]
    log.rows[one.seq - 1], log.rows[two.seq - 1] = two, one
    if dice.random() < 0.5:
        log.rows[one.seq - 1] = replace(two, seq=one.seq)
        log.rows[two.seq - 1] = replace(one, seq=two.seq)
    return min(one.seq, two.seq)


def truncate(log: Log, at: int, _dice: random.Random) -> int:
    """Cut off the end."""
    del log.rows[at:]
    return at + 1


def rewrite(log: Log, at: int, _dice: random.Random) -> int:
    """Replace a record, and compute all hashes after it anew, without the signing key."""
    log.rows[at] = replace(log.rows[at], record=an_event(object_id="m-forged").record())
    log.recompute(at)
    return at // 10 * 10 + 1


def rewrite_and_forge(log: Log, at: int, _dice: random.Random) -> int:
    """Do the same, and sign with a key of one's own in the name of ours."""
    place = rewrite(log, at, _dice)
    forged: list[Checkpoint] = []
    for old in log.checkpoints:
        head = log.rows[old.head.seq - 1].head
        new = sign_checkpoint(
            head, at=old.at, previous=forged[-1] if forged else None, key=OTHER_KEY
        )
        forged.append(replace(new, key_id=old.key_id))
    log.checkpoints = [old if old.head.seq <= at else new
                       for old, new in zip(log.checkpoints, forged, strict=True)]  # fmt: skip
    return place


def lose_a_checkpoint(log: Log, at: int, _dice: random.Random) -> int:
    """Delete a checkpoint that is not the last one."""
    index = at % (len(log.checkpoints) - 1)
    del log.checkpoints[index]
    return index * 10 + 1


def change_a_checkpoint(log: Log, at: int, dice: random.Random) -> int:
    """Change any field of a checkpoint but the key's name."""
    index = at % len(log.checkpoints)
    old = log.checkpoints[index]
    log.checkpoints[index] = dice.choice([
        replace(old, head=replace(old.head, seq=old.head.seq + dice.choice([-1, 1, 2**70, -(2**70)]))),
        replace(old, head=replace(old.head, hash=flipped(old.head.hash, dice))),
        replace(old, at=old.at + timedelta(microseconds=1)),
        replace(old, previous=flipped(old.previous, dice)),
        replace(old, signature=flipped(old.signature, dice)),
        replace(old, signature=old.signature[:-1]),
    ])  # fmt: skip
    return index * 10 + 1


def repeat_a_checkpoint(log: Log, at: int, _dice: random.Random) -> int:
    """Put an older checkpoint in the place of a newer one."""
    index = 1 + at % (len(log.checkpoints) - 1)
    log.checkpoints[index] = log.checkpoints[index - 1]
    return index * 10 + 1


TAMPERINGS: Final[list[Callable[[Log, int, random.Random], int]]] = [
    flip_record, flip_hash, renumber, delete, insert, swap, truncate, rewrite, rewrite_and_forge,
    lose_a_checkpoint, change_a_checkpoint, repeat_a_checkpoint,
]  # fmt: skip


class TestVerify:
    """The verdict on a whole log."""

    def test_an_untouched_log_is_ok(self) -> None:
        """Its unsigned end is an unbroken chain, and is told apart."""
        log = Log(45, every=10)
        report = verify(log.rows, log.checkpoints, OUR_KEY.public_key())
        assert (report.verdict, report.records, report.signed) == (Verdict.OK, 45, 40)
        assert (report.first_bad, report.reason) == (
            None,
            "records 1 to 40 are as they were signed",
        )

    def test_ten_thousand_random_tamperings_are_all_found(self) -> None:
        """Each is found, at the very record or behind the last checkpoint that still vouches."""
        dice = random.Random(20261122)  # noqa: S311 - repeatable dice, no secret
        log = Log(40, every=10)
        rows, checkpoints = list(log.rows), list(log.checkpoints)
        done: Counter[str] = Counter()
        for _ in range(10_000):
            log.rows, log.checkpoints = list(rows), list(checkpoints)
            tamper, at = dice.choice(TAMPERINGS), dice.randrange(len(rows))
            expected = tamper(log, at, dice)
            verdict, first_bad, reason = log.verdict()
            assert (verdict, first_bad) == (Verdict.TAMPERED, expected), (
                tamper.__name__,
                at,
                reason,
            )
            done[tamper.__name__] += 1
        assert len(done) == len(TAMPERINGS)
        log.rows, log.checkpoints = rows, checkpoints
        assert log.verdict()[0] is Verdict.OK

    @pytest.mark.parametrize(
        ("tamper", "reason"),
        [
            (flip_record, "record 16, or its place in the chain, was changed"),
            (truncate, "the log ends here, although a checkpoint covers 20 records"),
            (rewrite, "records up to 20 were written anew: they do not lead to its checkpoint"),
            (change_a_checkpoint, "the checkpoint after record 30 was changed"),
            (lose_a_checkpoint, "a checkpoint after record 0 is missing, or in another's place"),
        ],
    )
    def test_the_report_says_what_was_done(
        self, tamper: Callable[[Log, int, random.Random], int], reason: str
    ) -> None:
        """An auditor reads where to look."""
        log = Log(40, every=10)
        tamper(log, 15, random.Random(1))  # noqa: S311 - repeatable dice, no secret
        assert log.verdict()[2] == reason

    def test_a_gap_names_the_record_that_is_missing(self) -> None:
        """The number that was expected, and the one that stands there."""
        log = Log(40, every=10)
        del log.rows[14]
        assert log.verdict() == (Verdict.TAMPERED, 15, "record 16 stands in the place of record 15")

    @pytest.mark.parametrize("records", [0, 5])
    def test_a_log_without_a_checkpoint_cannot_be_judged(self, records: int) -> None:
        """A chain alone proves nothing, since anybody can compute one."""
        assert Log(records, every=10).verdict() == (
            Verdict.CANNOT_TELL,
            None,
            "there is no checkpoint",
        )

    def test_a_log_signed_by_an_unknown_key_cannot_be_judged(self) -> None:
        """It may be an older key of ours, or a stranger's: never ok."""
        signer = key_id(OTHER_KEY.public_key())
        reason = f"the next checkpoint is signed by key {signer}, not by the key given"
        assert Log(20, every=10, key=OTHER_KEY).verdict() == (Verdict.CANNOT_TELL, 1, reason)
        log = Log(20, every=10)
        log.sign(log.rows[-1].head, OTHER_KEY)
        assert log.verdict() == (Verdict.CANNOT_TELL, 21, reason)

    def test_a_long_end_without_checkpoints_cannot_be_judged(self) -> None:
        """Somebody has thrown the last checkpoints away, or the sealer stands still."""
        log = Log(2001, every=1000)
        assert log.verdict()[0] is Verdict.OK
        del log.checkpoints[1:]
        assert log.verdict()[0] is Verdict.OK
        log = Log(3001, every=1000)
        del log.checkpoints[1:]
        reason = "record 1001 and those after it should have a checkpoint by now"
        assert log.verdict() == (Verdict.CANNOT_TELL, 1001, reason)

    def test_checkpoints_kept_elsewhere_show_what_was_cut_off(self) -> None:
        """Who owns the database can cut rows and checkpoints alike; an exported checkpoint tells."""
        log = Log(40, every=10)
        exported = list(log.checkpoints)
        del log.rows[20:], log.checkpoints[2:]
        assert log.verdict()[0] is Verdict.OK
        log.checkpoints = exported
        assert log.verdict()[:2] == (Verdict.TAMPERED, 21)
