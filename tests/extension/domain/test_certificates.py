"""A certificate in two voices: when they agree, and what follows when they do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mobid.domain.certificates import CAState, Certificate, RevocationReason, Wanted, genuine
from mobid.domain.errors import IllegalTransition
from mobid.domain.options import Kind

NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
SETTLED: Final = {
    ("valid", "valid"),
    ("held", "held"),
    ("revoked", "revoked"),
    ("revoked", "absent"),
    ("valid", "expired"),
    ("held", "expired"),
    ("revoked", "expired"),
}
"""The pairs of wanted and the CA's word that leave nothing to do, whatever the CA can do."""


def a_certificate(
    wanted: Wanted = Wanted.VALID,
    ca_state: CAState = CAState.REQUESTED,
    *,
    holdable: bool = True,
) -> Certificate:
    """Return a certificate, with work wanted exactly if the two voices differ."""
    return Certificate(
        id="c-1",
        mobile_id="m-1",
        kind=Kind.AUTHENTICATION,
        ca="builtin",
        csr=b"csr",
        key_hash=b"key",
        subject=b"subject",
        san="",
        not_before=NOON,
        not_after=NOON + timedelta(days=365),
        profile_hash="profile",
        ordered_at=NOON,
        wanted=wanted,
        ca_state=ca_state,
        holdable=holdable,
        revoked_at=NOON if wanted is Wanted.REVOKED else None,
    ).nudged(NOON)


class TestSettled:
    """Which pairs agree."""

    @pytest.mark.parametrize(
        ("wanted", "ca_state", "holdable"), list(product(Wanted, CAState, [True, False]))
    )
    def test_every_pair(self, wanted: Wanted, ca_state: CAState, holdable: bool) -> None:
        """Only the pairs of the table are settled; with a CA that cannot hold, held and valid, too."""
        one = a_certificate(wanted, ca_state, holdable=holdable)
        visibly_valid = (wanted, ca_state, holdable) == (Wanted.HELD, CAState.VALID, False)
        assert one.settled == ((wanted.value, ca_state.value) in SETTLED or visibly_valid)
        assert one.work.wanted != one.settled

    @pytest.mark.parametrize("ca_state", list(CAState))
    def test_what_must_have_been_said_before_a_mobile_id_is_locked(self, ca_state: CAState) -> None:
        """Revoked, absent, or past its end: nothing else counts as gone."""
        gone = a_certificate(Wanted.REVOKED, ca_state).gone
        assert gone == (ca_state in {"revoked", "absent", "expired"})

    @pytest.mark.parametrize(("wanted", "ca_state"), list(product(Wanted, CAState)))
    def test_usable_is_valid_here_and_there_and_verified(
        self, wanted: Wanted, ca_state: CAState
    ) -> None:
        """An order without its certificate is never usable, nor a quarantined one."""
        one = a_certificate(wanted, ca_state)
        both_valid = (wanted, ca_state) == (Wanted.VALID, CAState.VALID)
        assert not one.usable
        issued = one.issued(der=b"der", chain=(), serial="1", at=NOON)
        assert issued.heard(ca_state, at=NOON).usable == both_valid
        assert not one.quarantine(der=b"der", serial=None, at=NOON).usable


class TestWanted:
    """Our decision."""

    def test_revoked_keeps_its_first_reason_and_time(self) -> None:
        """A later wish changes nothing, whatever it is."""
        first = a_certificate().want(
            Wanted.REVOKED, at=NOON, reason=RevocationReason.KEY_COMPROMISE
        )
        for wanted in Wanted:
            assert first.want(wanted, at=NOON + timedelta(hours=1)) is first
        assert (first.reason, first.revoked_at) == (RevocationReason.KEY_COMPROMISE, NOON)

    def test_a_hold_can_be_taken_back(self) -> None:
        """Valid, held, valid again: each a fresh attempt."""
        valid = a_certificate(Wanted.VALID, CAState.VALID)
        held = valid.want(Wanted.HELD, at=NOON).heard(CAState.HELD, at=NOON)
        released = held.want(Wanted.VALID, at=NOON)
        assert (released.wanted, released.ca_state) == (Wanted.VALID, CAState.HELD)
        assert released.work.wanted
        assert released.work.attempt > valid.work.attempt

    @pytest.mark.parametrize(
        ("first", "then", "word"),
        [
            (Wanted.HELD, Wanted.VALID, CAState.VALID),
            (Wanted.VALID, Wanted.HELD, CAState.HELD),
        ],
    )
    def test_what_is_taken_back_on_its_way_leaves_the_ca_to_be_asked(
        self, first: Wanted, then: Wanted, word: CAState
    ) -> None:
        """The hold may still arrive: nothing counts as agreed before the CA has been asked again."""
        changed = a_certificate(first, word).want(then, at=NOON)
        assert changed.ca_state is CAState.UNKNOWN
        assert changed.work.wanted

    def test_a_ca_that_cannot_hold_was_never_told(self) -> None:
        """Then the release is settled at once, as the hold was."""
        held = a_certificate(Wanted.HELD, CAState.VALID, holdable=False)
        released = held.want(Wanted.VALID, at=NOON)
        assert (released.ca_state, released.settled) == (CAState.VALID, True)


class TestHeard:
    """The CA's word."""

    def test_news_start_a_fresh_attempt(self) -> None:
        """What the CA says newly is acted on at once."""
        one = a_certificate(Wanted.REVOKED, CAState.VALID)
        assert one.heard(CAState.HELD, at=NOON).work.attempt == one.work.attempt + 1

    def test_the_same_word_again_leaves_the_attempt_to_its_back_off(self) -> None:
        """A CA that says the same each time is not asked in a circle."""
        one = a_certificate(Wanted.REVOKED, CAState.VALID)
        assert one.heard(CAState.VALID, at=NOON).work == one.work

    def test_agreement_leaves_nothing_to_do(self) -> None:
        """And the moment of the answer is kept."""
        later = NOON + timedelta(minutes=1)
        heard = a_certificate(Wanted.REVOKED, CAState.VALID).heard(CAState.REVOKED, at=later)
        assert (heard.work.wanted, heard.asked_at) == (False, later)


class TestQuarantine:
    """What is not what was ordered."""

    def test_is_wanted_revoked(self) -> None:
        """Nobody gets it, and the CA is told."""
        one = a_certificate().quarantine(der=b"der", serial=None, at=NOON)
        assert (one.quarantined, one.wanted) == (True, Wanted.REVOKED)
        assert one.work.wanted

    def test_is_work_even_where_the_order_was_given_up(self) -> None:
        """An order that is cancelled and then answered wrongly is revoked like any other."""
        given_up = a_certificate(Wanted.REVOKED, CAState.ABSENT)
        one = given_up.quarantine(der=b"der", serial=None, at=NOON)
        assert one.work.wanted
        assert one.work.attempt > given_up.work.attempt

    def test_belongs_to_no_mobile_id(self) -> None:
        """A mobile ID is made of the others."""
        good = a_certificate()
        assert genuine([good.quarantine(der=b"der", serial=None, at=NOON), good]) == [good]


class TestGivenUp:
    """The CA is gone, as an operator has said."""

    @pytest.mark.parametrize(("wanted", "ca_state"), list(product(Wanted, CAState)))
    def test_is_only_a_revocation_that_nobody_has_confirmed(
        self, wanted: Wanted, ca_state: CAState
    ) -> None:
        """The CA's last word stands, and nothing is left to do."""
        one = a_certificate(wanted, ca_state)
        if wanted is Wanted.REVOKED and not one.settled:
            given_up = one.give_up(at=NOON)
            assert (given_up.gone, given_up.settled, given_up.work.wanted) == (True, True, False)
            assert given_up.ca_state is ca_state
        else:
            with pytest.raises(
                IllegalTransition,
                match=f"Certificate c-1 is {wanted}/{ca_state}; give-up is for one whose revocation",
            ):
                one.give_up(at=NOON)

    def test_a_ca_that_speaks_again_is_told_again(self) -> None:
        """It was not gone after all."""
        given_up = a_certificate(Wanted.REVOKED, CAState.UNKNOWN).give_up(at=NOON)
        again = given_up.heard(CAState.VALID, at=NOON)
        assert (again.gone, again.work.wanted) == (False, True)
        found = given_up.quarantine(der=b"der", serial=None, at=NOON)
        assert (found.gone, found.work.wanted) == (False, True)


class CertificateLife(RuleBasedStateMachine):
    """Any decisions of ours and any words of the CA, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.one = a_certificate()
        self.now = NOON
        self.revoked: tuple[RevocationReason, datetime] | None = None

    @initialize(holdable=st.booleans())
    def ordered(self, holdable: bool) -> None:
        """Of a CA that can hold, or of one that cannot."""
        self.one = a_certificate(holdable=holdable)

    def becomes(self, one: Certificate) -> None:
        """Take the next value; attempts are only ever fresh."""
        assert one.work.attempt >= self.one.work.attempt
        self.one = one
        self.now += timedelta(seconds=1)

    @rule(wanted=st.sampled_from(Wanted), reason=st.sampled_from(RevocationReason))
    def we_decide(self, wanted: Wanted, reason: RevocationReason) -> None:
        """Anything."""
        if wanted is Wanted.REVOKED and self.revoked is None:
            self.revoked = (reason, self.now)
        self.becomes(self.one.want(wanted, at=self.now, reason=reason))

    @rule(ca_state=st.sampled_from(CAState))
    def the_ca_says(self, ca_state: CAState) -> None:
        """Anything."""
        self.becomes(self.one.heard(ca_state, at=self.now))
        assert self.one.ca_state is ca_state

    @rule()
    def its_ca_is_declared_gone(self) -> None:
        """Which counts where its revocation waits."""
        if self.one.wanted is Wanted.REVOKED and not self.one.settled:
            self.becomes(self.one.give_up(at=self.now))
            assert self.one.gone

    @rule()
    def the_order_leaves(self) -> None:
        """It may leave more than once."""
        self.becomes(self.one.sent(self.now))

    @rule()
    def it_comes_back(self) -> None:
        """What was ordered."""
        self.becomes(self.one.issued(der=b"der", chain=(), serial="1", at=self.now))

    @rule()
    def something_else_comes_back(self) -> None:
        """What was not ordered."""
        if self.revoked is None:
            self.revoked = (RevocationReason.CESSATION_OF_OPERATION, self.now)
        self.becomes(self.one.quarantine(der=b"der", serial=None, at=self.now))

    @invariant()
    def revoked_never_goes_back(self) -> None:
        """And keeps why and since when."""
        if self.revoked is not None:
            assert self.one.wanted is Wanted.REVOKED
            assert (self.one.reason, self.one.revoked_at) == self.revoked

    @invariant()
    def work_is_wanted_exactly_where_the_voices_differ(self) -> None:
        """Nothing that differs is forgotten, and nothing that agrees is tried again."""
        assert self.one.work.wanted != self.one.settled


TestLife = CertificateLife.TestCase
TestLife.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
