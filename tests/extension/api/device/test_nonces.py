"""Nonces: ours, fresh, and good for one request."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest

from mobid.api import device
from mobid.api.device.base64url import encode as b64
from mobid.domain.mobile_ids import ProfileState

if TYPE_CHECKING:
    from tests.conftest import StandingClock
    from tests.extension.api.device.conftest import OneEnrolment, Phone, Remembered

    from mobid.processes.ports import Units


class TestNonces:
    """A nonce is ours, fresh, and good for one request."""

    def test_a_request_can_not_be_replayed(self, claimed: Phone, enrolment: OneEnrolment) -> None:
        """The very same bytes are refused the second time, and say what to do."""
        body = json.dumps(claimed.flattened(claimed.header("remove"))).encode()
        assert claimed.post("remove", body).status_code == 200
        enrolment.state = ProfileState.ACTIVE
        claimed.assert_refused(claimed.post("remove", body), 400, "BAD_NONCE", "Replay-Nonce")
        assert enrolment.state is ProfileState.ACTIVE

    def test_the_nonce_of_a_refusal_is_good(self, claimed: Phone) -> None:
        """A phone that lost its nonce needs one round more, and nothing else."""
        claimed.assert_refused(claimed.say("status", {}, nonce="forgotten"), 400, "BAD_NONCE")
        assert claimed.say("status", {}).status_code == 200

    def test_every_answer_has_another_nonce(self, claimed: Phone) -> None:
        """Good and bad answers alike."""
        seen = {claimed.nonce}
        for verb in ("status", "keys", "result", "confirm"):
            claimed.say(verb, {})
            seen.add(claimed.nonce)
        assert len(seen) == 5

    def test_it_lives_five_minutes(self, claimed: Phone, clock: StandingClock) -> None:
        """A nonce that was overheard is worth little, soon nothing."""
        clock.pass_by(timedelta(minutes=4, seconds=59))
        assert claimed.say("status", {}).status_code == 200
        clock.pass_by(timedelta(minutes=5))
        claimed.assert_refused(claimed.say("status", {}), 400, "BAD_NONCE")

    @pytest.mark.parametrize("nonce", ["", "x", "A" * 75, "!", "A" * 5000])
    def test_what_is_not_ours_is_refused(self, claimed: Phone, nonce: str) -> None:
        """Nobody but our servers can make a nonce."""
        claimed.assert_refused(claimed.say("status", {}, nonce=nonce), 400, "BAD_NONCE")

    def test_a_nonce_under_another_key_is_refused(
        self, claimed: Phone, clock: StandingClock, remembered: Remembered
    ) -> None:
        """The HMAC is what makes it ours."""
        foreign = device.Nonces(b"o" * 32, clock, cast("Units", remembered)).fresh()
        claimed.assert_refused(claimed.say("status", {}, nonce=foreign), 400, "BAD_NONCE")

    def test_its_expiry_can_not_be_changed(self, claimed: Phone, clock: StandingClock) -> None:
        """The HMAC covers the expiry."""
        raw = bytearray(base64.urlsafe_b64decode(claimed.nonce + "=="))
        raw[5] += 1
        clock.pass_by(timedelta(minutes=6))
        claimed.assert_refused(claimed.say("status", {}, nonce=b64(bytes(raw))), 400, "BAD_NONCE")

    def test_a_stranger_can_not_use_it_up(self, claimed: Phone, remembered: Remembered) -> None:
        """Nothing is written before the signature is verified."""
        thief = claimed.another()
        claimed.assert_refused(thief.say("status", {}), 410, "CODE_NOT_USABLE")
        assert remembered.kept == set()

    @pytest.mark.parametrize("nonce", [1, None, [], {}])
    def test_it_is_a_text(self, claimed: Phone, nonce: object) -> None:
        """Exact types."""
        answer = claimed.dressed("status", claimed.header("status") | {"nonce": nonce})
        claimed.assert_refused(answer, 400, "MALFORMED_REQUEST", "nonce in the protected header")

    def test_a_claim_needs_none(self, phone: Phone) -> None:
        """It is bound to the code, which can be claimed once."""
        phone.assert_refused(
            phone.say("claim", {}, nonce="x"), 400, "MALFORMED_REQUEST", "alg, jwk, url"
        )
