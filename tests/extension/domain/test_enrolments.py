"""The phone's side of a Get: what the user's Next approves, and what a new code does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from mobid.domain.enrolments import Claim, DeviceKey, Enrolment
from mobid.domain.mobile_ids import Device
from mobid.domain.options import Kind

NOON: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLAIM: Final = Claim(
    thumbprint="thumbprint",
    jwk={"kty": "EC"},
    device=Device(name="Änne's phone"),
    at=NOON,
    number=42,
    numbers=(17, 42, 99),
)
KEYS: Final = (
    DeviceKey(kind=Kind.AUTHENTICATION, csr=b"csr-a", key_hash=b"a"),
    DeviceKey(kind=Kind.SIGNATURE, csr=b"csr-s", key_hash=b"s"),
)
ENROLMENT: Final = Enrolment(
    id="e-1",
    instance_id="i-1",
    user_id="u-1",
    mobile_id="m-1",
    code_number=1,
    token_hash=b"token",
    typed_code_hash=b"typed",
    code_expires_at=NOON + timedelta(minutes=10),
)
CLAIMED: Final = replace(ENROLMENT, claim=CLAIM).with_keys(KEYS, {"kty": "EC", "x": "1"}, at=NOON)


class TestApproval:
    """Next approves exactly this phone and these keys."""

    def test_what_is_approved_is_stored(self) -> None:
        """The fingerprint at the moment of Next."""
        assert CLAIMED.approve().approved == CLAIMED.fingerprint

    def test_the_order_of_the_keys_says_nothing(self) -> None:
        """The same phone with the same keys is the same."""
        turned = CLAIMED.with_keys(KEYS[::-1], {"x": "1", "kty": "EC"}, at=NOON)
        assert turned.fingerprint == CLAIMED.fingerprint

    @pytest.mark.parametrize(
        "other",
        [
            replace(CLAIMED, claim=replace(CLAIM, thumbprint="another")),
            replace(CLAIMED, transport_jwk={"kty": "EC", "x": "2"}),
            replace(CLAIMED, transport_jwk=None),
            replace(CLAIMED, keys=KEYS[:1]),
            replace(CLAIMED, keys=(KEYS[0], replace(KEYS[1], csr=b"csr-t"))),
            replace(CLAIMED, keys=(KEYS[0], replace(KEYS[1], kind=Kind.ENCRYPTION))),
        ],
        ids=["device key", "transport key", "no transport key", "fewer", "csr", "kind"],
    )
    def test_anything_else_is_another_approval(self, other: Enrolment) -> None:
        """Device key, transport key, kinds and requests all count."""
        assert other.fingerprint != CLAIMED.fingerprint

    def test_parts_do_not_run_into_each_other(self) -> None:
        """What ends one part can not begin the next: lengths are hashed, too."""
        two = replace(CLAIMED, transport_jwk={"x": "1", "y": "2"})
        one = replace(CLAIMED, transport_jwk={"x": "1y=2"})
        assert two.fingerprint != one.fingerprint

    def test_without_a_phone_there_is_nothing_to_approve(self) -> None:
        """It says so, and names the enrolment."""
        with pytest.raises(ValueError, match="Enrolment e-1 is claimed by no phone"):
            ENROLMENT.approve()


class TestNewCode:
    """It burns the old one and whatever has claimed it."""

    def test_lets_the_phone_and_its_keys_go(self) -> None:
        """Nothing of the earlier phone is left, and its failures are forgotten."""
        renewed = replace(CLAIMED, bad_keys=3).renewed(
            number=2, token_hash=b"t2", typed_code_hash=b"c2", expires_at=NOON
        )
        assert renewed == replace(
            ENROLMENT,
            code_number=2,
            token_hash=b"t2",
            typed_code_hash=b"c2",
            code_expires_at=NOON,
        )

    def test_opens_what_was_burnt(self) -> None:
        """A burnt code is no burnt run: the next code can be claimed."""
        burnt = CLAIMED.close()
        assert burnt.closed
        renewed = burnt.renewed(number=2, token_hash=b"t2", typed_code_hash=b"c2", expires_at=NOON)
        assert not renewed.closed


class TestMailCode:
    """The second secret of a code that went by mail."""

    MAILED: Final = ENROLMENT.with_mail_code(
        number=1, mail_code_hash=b"m1", expires_at=NOON + timedelta(minutes=10)
    )

    def test_makes_the_code_one_that_went_by_mail(self) -> None:
        """A code of the page has none."""
        assert (ENROLMENT.by_mail, self.MAILED.by_mail) == (False, True)
        assert not ENROLMENT.mail_code_lives(NOON)

    def test_lives_until_its_end(self) -> None:
        """At its end it is dead."""
        assert self.MAILED.mail_code_lives(NOON + timedelta(minutes=9, seconds=59))
        assert not self.MAILED.mail_code_lives(NOON + timedelta(minutes=10))

    def test_dies_of_five_tries(self) -> None:
        """And never counts below none left."""
        tried = self.MAILED
        for left in (4, 3, 2, 1, 0, 0):
            assert tried.mail_code_lives(NOON) is (tried.tries_left > 0)
            tried = tried.tried()
            assert tried.tries_left == left
        assert not tried.mail_code_lives(NOON)

    def test_a_new_one_has_tries_of_its_own_and_lets_no_phone_go(self) -> None:
        """Only what is of the mail code changes."""
        claimed = replace(self.MAILED, claim=CLAIM, mail_code_tries=5)
        renewed = claimed.with_mail_code(number=2, mail_code_hash=b"m2", expires_at=NOON)
        assert renewed == replace(
            claimed,
            mail_code_number=2,
            mail_code_hash=b"m2",
            mail_code_expires_at=NOON,
            mail_code_tries=0,
        )

    def test_a_new_code_has_none_until_it_gets_one(self) -> None:
        """But the numbers go on, so that no mail code comes twice."""
        renewed = self.MAILED.tried().renewed(
            number=2, token_hash=b"t2", typed_code_hash=b"c2", expires_at=NOON
        )
        assert (renewed.by_mail, renewed.mail_code_expires_at) == (False, None)
        assert (renewed.mail_code_tries, renewed.mail_code_number) == (0, 1)
