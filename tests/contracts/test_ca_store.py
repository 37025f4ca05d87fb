"""What every record of the built-in CA promises, whatever database is behind it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from mobid.ca.builtin.store import Intent, RevokedEntry, SavedCRL, Standing
from mobid.ca.errors import (
    AlreadyRevoked,
    KeyTaken,
    NotIssued,
    OtherCertificate,
    SerialTaken,
)
from mobid.processes.authority import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from mobid.ca.builtin.store import CAStore, Entry

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
ISSUER = "a" * 64
OTHER_ISSUER = "b" * 64
LONGEST_SERIAL = (1 << 159) - 1


def an_intent(number: int = 1, *, issuer: str = ISSUER, not_after: datetime = LATER) -> Intent:
    """Return a plan that differs from others in everything that must be unique."""
    return Intent(
        order_key=f"order-{number}",
        order_digest=b"\x00digest",
        issuer=issuer,
        serial=LONGEST_SERIAL - number,
        key_hash=number.to_bytes(32, "big"),
        profile="authentication",
        profile_hash="c" * 64,
        tbs=b"\x30\x00\xff",
        not_after=not_after,
        planned_at=NOON,
    )


def entry_of(store: CAStore, intent: Intent) -> Entry:
    """Return the entry of a plan, which both ways of looking find alike."""
    entry = store.by_serial(intent.issuer, intent.serial)
    assert entry is not None
    assert entry == store.by_order(intent.order_key)
    return entry


@pytest.fixture
def issued(store: CAStore) -> Intent:
    """A plan with a recorded certificate."""
    intent = an_intent()
    store.reserve(intent)
    store.record(intent.issuer, intent.serial, b"certificate")
    return intent


class TestReserve:
    """The plan is committed first, and once."""

    def test_keeps_every_field(self, store: CAStore) -> None:
        """What comes back is what was given: valid, without a certificate."""
        intent = an_intent()
        entry = store.reserve(intent)
        assert entry.intent == intent
        assert (entry.certificate, entry.standing, entry.revoked_at) == (None, Standing.VALID, None)
        assert entry_of(store, intent) == entry

    def test_returns_the_first_plan_of_an_order(self, store: CAStore) -> None:
        """A second plan under the same key is dropped, whatever is in it."""
        first = an_intent()
        store.reserve(first)
        second = replace(an_intent(2), order_key=first.order_key, order_digest=b"other")
        assert store.reserve(second).intent == first
        assert store.by_serial(ISSUER, second.serial) is None

    def test_lets_one_of_sixteen_threads_win(self, store: CAStore) -> None:
        """All racers get the one plan that was committed."""
        start = Barrier(16)

        def reserve(number: int) -> Entry:
            start.wait(timeout=20)
            return store.reserve(replace(an_intent(number), order_key="the-one"))

        with ThreadPoolExecutor(16) as pool:
            entries = list(pool.map(reserve, range(16)))
        assert {entry.intent for entry in entries} == {entries[0].intent}

    def test_gives_a_key_to_one_order(self, store: CAStore) -> None:
        """The same public key in another order is refused, for any issuer, and leaves no trace."""
        first = an_intent()
        store.reserve(first)
        for issuer in (ISSUER, OTHER_ISSUER):
            thief = replace(an_intent(2, issuer=issuer), key_hash=first.key_hash)
            with pytest.raises(KeyTaken, match="of order order-2 belongs to another order"):
                store.reserve(thief)
            assert store.by_order("order-2") is None

    def test_gives_a_serial_number_to_one_plan_of_an_issuer(self, store: CAStore) -> None:
        """Two issuers may have the same number."""
        first = an_intent()
        store.reserve(first)
        twin = replace(an_intent(2), serial=first.serial)
        with pytest.raises(SerialTaken, match="is in use already"):
            store.reserve(twin)
        elsewhere = replace(twin, issuer=OTHER_ISSUER)
        assert store.reserve(elsewhere).intent == elsewhere

    def test_knows_nothing_that_was_not_reserved(self, store: CAStore) -> None:
        """None means that there is nothing."""
        assert store.by_order("order-1") is None
        assert store.by_serial(ISSUER, 1) is None


class TestRecord:
    """The certificate of a plan."""

    def test_may_be_repeated(self, store: CAStore, issued: Intent) -> None:
        """The same bytes again are no error; other bytes never get in."""
        store.record(issued.issuer, issued.serial, b"certificate")
        with pytest.raises(OtherCertificate, match="Another certificate is recorded"):
            store.record(issued.issuer, issued.serial, b"another")
        assert entry_of(store, issued).certificate == b"certificate"

    def test_needs_a_plan(self, store: CAStore) -> None:
        """Nothing is recorded that was not reserved."""
        with pytest.raises(NotIssued, match="has no certificate with the serial number 7"):
            store.record(ISSUER, 7, b"certificate")

    def test_leaves_the_standing_alone(self, store: CAStore) -> None:
        """A plan that was revoked before it was recorded stays revoked."""
        intent = an_intent()
        store.reserve(intent)
        store.revoke(intent.issuer, intent.serial, at=NOON, reason=Reason.SUPERSEDED)
        store.record(intent.issuer, intent.serial, b"certificate")
        entry = entry_of(store, intent)
        assert (entry.certificate, entry.standing) == (b"certificate", Standing.REVOKED)


class TestStanding:
    """Valid, held, revoked."""

    @pytest.mark.parametrize("reason", Reason)
    def test_revoked_has_time_reason_and_invalidity(
        self, store: CAStore, issued: Intent, reason: Reason
    ) -> None:
        """All that a list needs is kept."""
        since = NOON - timedelta(days=1)
        store.revoke(issued.issuer, issued.serial, at=NOON, reason=reason, invalid_since=since)
        entry = entry_of(store, issued)
        assert entry.standing is Standing.REVOKED
        assert (entry.revoked_at, entry.reason, entry.invalid_since) == (NOON, reason, since)

    def test_the_first_revocation_stands(self, store: CAStore, issued: Intent) -> None:
        """A repeated one is no error, changes nothing and does not count."""
        store.revoke(issued.issuer, issued.serial, at=NOON, reason=Reason.SUPERSEDED)
        before, mark = entry_of(store, issued), store.changes(issued.issuer)
        store.revoke(issued.issuer, issued.serial, at=LATER, reason=Reason.KEY_COMPROMISE)
        assert entry_of(store, issued) == before
        assert store.changes(issued.issuer) == mark

    def test_a_hold_can_be_taken_back(self, store: CAStore, issued: Intent) -> None:
        """Each verb may be repeated; a release leaves nothing of the hold."""
        before = entry_of(store, issued)
        for at in (NOON, LATER):
            store.hold(issued.issuer, issued.serial, at=at)
            held = entry_of(store, issued)
            assert (held.standing, held.revoked_at, held.reason) == (Standing.HELD, NOON, None)
        for _ in range(2):
            store.release(issued.issuer, issued.serial)
            assert entry_of(store, issued) == before

    def test_a_revocation_keeps_the_time_of_the_hold(self, store: CAStore, issued: Intent) -> None:
        """X.509, 8.5.2.2."""
        store.hold(issued.issuer, issued.serial, at=NOON)
        store.revoke(issued.issuer, issued.serial, at=LATER, reason=Reason.SUPERSEDED)
        entry = entry_of(store, issued)
        assert (entry.standing, entry.revoked_at) == (Standing.REVOKED, NOON)

    def test_revoked_is_for_good(self, store: CAStore, issued: Intent) -> None:
        """Neither held nor released afterwards."""
        store.revoke(issued.issuer, issued.serial, at=NOON, reason=Reason.UNSPECIFIED)
        before = entry_of(store, issued)
        with pytest.raises(AlreadyRevoked, match="is revoked for good"):
            store.hold(issued.issuer, issued.serial, at=LATER)
        with pytest.raises(AlreadyRevoked, match="is revoked for good"):
            store.release(issued.issuer, issued.serial)
        assert entry_of(store, issued) == before

    @pytest.mark.parametrize(
        "change",
        [
            lambda store: store.revoke(ISSUER, 7, at=NOON, reason=Reason.SUPERSEDED),
            lambda store: store.hold(ISSUER, 7, at=NOON),
            lambda store: store.release(ISSUER, 7),
        ],
        ids=["revoke", "hold", "release"],
    )
    def test_of_an_unknown_one_cannot_be_changed(
        self, store: CAStore, change: Callable[[CAStore], None]
    ) -> None:
        """Revoke never pretends."""
        with pytest.raises(NotIssued, match="has no certificate with the serial number 7"):
            change(store)

    def test_ends_revoked_whoever_races(self, store: CAStore) -> None:
        """Holds and releases at the same time as a revocation never undo it."""
        for number in range(5):
            intent = an_intent(number)
            store.reserve(intent)
            start = Barrier(3)

            def race(verb: str, intent: Intent = intent, start: Barrier = start) -> None:
                start.wait(timeout=20)
                try:
                    if verb == "revoke":
                        store.revoke(
                            intent.issuer, intent.serial, at=NOON, reason=Reason.SUPERSEDED
                        )
                    elif verb == "hold":
                        store.hold(intent.issuer, intent.serial, at=NOON)
                    else:
                        store.release(intent.issuer, intent.serial)
                except AlreadyRevoked:
                    return

            with ThreadPoolExecutor(3) as pool:
                list(pool.map(race, ["hold", "revoke", "release"]))
            assert entry_of(store, intent).standing is Standing.REVOKED


class TestLists:
    """What a revocation list is made of."""

    def test_the_mark_changes_with_every_change(self, store: CAStore, issued: Intent) -> None:
        """And with nothing else; each issuer has its own."""
        marks = [store.changes(ISSUER)]
        store.hold(ISSUER, issued.serial, at=NOON)
        marks.append(store.changes(ISSUER))
        store.release(ISSUER, issued.serial)
        marks.append(store.changes(ISSUER))
        store.revoke(ISSUER, issued.serial, at=NOON, reason=Reason.SUPERSEDED)
        marks.append(store.changes(ISSUER))
        assert len(set(marks)) == 4
        store.draft_crl(ISSUER, not_after_from=None)
        store.reserve(an_intent(2))
        assert store.changes(ISSUER) == marks[-1]
        assert store.changes(OTHER_ISSUER) == 0

    def test_a_draft_has_the_held_and_the_revoked(self, store: CAStore) -> None:
        """By serial number, with all a line needs; valid ones and other issuers' are not on it."""
        intents = [an_intent(number) for number in (3, 2, 1)]
        for intent in [*intents, an_intent(9, issuer=OTHER_ISSUER)]:
            store.reserve(intent)
        held, revoked, _ = intents
        store.hold(ISSUER, held.serial, at=NOON)
        store.revoke(
            ISSUER, revoked.serial, at=LATER, reason=Reason.KEY_COMPROMISE, invalid_since=NOON
        )
        store.revoke(OTHER_ISSUER, an_intent(9).serial, at=NOON, reason=Reason.SUPERSEDED)
        draft = store.draft_crl(ISSUER, not_after_from=None)
        assert list(draft.entries) == [
            RevokedEntry(held.serial, NOON, None, None),
            RevokedEntry(revoked.serial, LATER, Reason.KEY_COMPROMISE, NOON),
        ]
        assert draft.changes == store.changes(ISSUER)

    def test_a_draft_leaves_out_what_ended_before(self, store: CAStore) -> None:
        """An end at exactly that moment is still in."""
        for number, end in enumerate((NOON, NOON - timedelta(microseconds=1))):
            intent = an_intent(number, not_after=end)
            store.reserve(intent)
            store.revoke(ISSUER, intent.serial, at=NOON, reason=Reason.SUPERSEDED)
        assert len(store.draft_crl(ISSUER, not_after_from=None).entries) == 2
        (left,) = store.draft_crl(ISSUER, not_after_from=NOON).entries
        assert left.serial == an_intent(0).serial

    def test_numbers_rise_and_are_never_given_twice(self, store: CAStore) -> None:
        """RFC 5280, 5.2.3, also for makers at the same time; each issuer starts at 1."""
        with ThreadPoolExecutor(8) as pool:
            drafts = pool.map(lambda _: store.draft_crl(ISSUER, not_after_from=None), range(8))
            assert sorted(draft.number for draft in drafts) == list(range(1, 9))
        assert store.draft_crl(OTHER_ISSUER, not_after_from=None).number == 1

    def test_the_highest_number_is_kept(self, store: CAStore) -> None:
        """A maker that comes late does not put an older list back."""
        assert store.latest_crl(ISSUER) is None
        for number in (2, 1, 2):
            store.save_crl(a_list(number))
            kept = store.latest_crl(ISSUER)
            assert kept == a_list(2)
        store.save_crl(replace(a_list(2), der=b"another"))
        assert store.latest_crl(ISSUER) == a_list(2)
        store.save_crl(a_list(3))
        assert store.latest_crl(ISSUER) == a_list(3)
        assert store.latest_crl(OTHER_ISSUER) is None


def a_list(number: int) -> SavedCRL:
    """Return a list with nothing in it but its numbers."""
    return SavedCRL(
        issuer=ISSUER,
        number=number,
        changes=5,
        entry_count=7,
        this_update=NOON,
        next_update=LATER,
        der=b"list \x00" + bytes((number,)),
    )
