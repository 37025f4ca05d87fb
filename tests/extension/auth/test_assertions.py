"""Assertions of front ends: one user, one minute, one use, one key, one address."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey
from werkzeug.datastructures import Headers

from mobid.auth.assertions import Assertions
from mobid.auth.errors import Unauthenticated
from mobid.auth.frontends import FrontEndRegistry
from mobid.domain.actors import SYSTEM, ActorKind
from mobid.storage.frontends import FrontEnds

if TYPE_CHECKING:
    from mobid.storage import SQLUnits, Transactions

PUBLIC_URL = "https://mobid.example.org"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below),
    max_leaves=5,
)


@pytest.fixture
def assertions(transactions: Transactions, units: SQLUnits) -> Assertions:
    """What takes the word of front ends."""
    return Assertions(FrontEnds(transactions), units, PUBLIC_URL)


def present(token: str) -> Headers:
    """Return the headers that present an assertion."""
    return Headers({"Authorization": f"Bearer {token}"})


def refusal(assertions: Assertions, token: str) -> str:
    """Return why an assertion is refused, as the log has it."""
    with pytest.raises(Unauthenticated) as caught:
        assertions.caller(present(token))
    return caught.value.reason


def part(value: object) -> str:
    """Return one part of a JWT."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt_of(header: bytes, claims: bytes) -> str:
    """Return something that is cut like a JWT."""
    return f"{part(header)}.{part(claims)}.x"


class TestCaller:
    """Who is calling."""

    def test_it_is_the_user(self, assertions: Assertions, front_end: Any, clock: Any) -> None:
        """With the time of their login, and the front end that vouches for them."""
        caller = assertions.caller(present(front_end.assertion("id-of-anne")))
        assert caller.user_id == "id-of-anne"
        assert (caller.actor.kind, caller.actor.id) == (ActorKind.USER, "id-of-anne")
        assert caller.authenticated_at == clock() - timedelta(seconds=60)
        assert caller.trail == {"front_end": "intranet"}

    def test_both_kinds_of_keys_work(
        self,
        assertions: Assertions,
        other_front_end: Any,
        transactions: Transactions,
        units: SQLUnits,
    ) -> None:
        """Ed25519 under its own name and under the older one (RFC 9864)."""
        FrontEndRegistry(FrontEnds(transactions), units).register(
            "kiosk", other_front_end.public_pem, by=SYSTEM
        )
        assert assertions.caller(present(other_front_end.assertion("anne"))).user_id == "anne"
        claims = json.dumps(other_front_end.claims("anne")).encode()
        signing = f"{part({'alg': 'EdDSA', 'typ': 'JWT'})}.{part(claims)}"
        signature = other_front_end.key.private_key.sign(signing.encode())
        older = f"{signing}.{part(signature)}"
        assert assertions.caller(present(older)).user_id == "anne"

    def test_a_login_in_the_near_future_is_one_of_now(
        self, assertions: Assertions, front_end: Any, clock: Any
    ) -> None:
        """A front end's clock may be ahead, but nobody gains from it."""
        soon = int(clock().timestamp()) + 20
        caller = assertions.caller(present(front_end.assertion("anne", auth_time=soon)))
        assert caller.authenticated_at == clock()


class TestRefusals:
    """What is not believed."""

    def test_a_second_use(self, assertions: Assertions, front_end: Any) -> None:
        """Who reads one on its way cannot use it again."""
        token = front_end.assertion("anne")
        assertions.caller(present(token))
        assert "jti was used before" in refusal(assertions, token)

    def test_a_refused_one_is_not_used_up(self, assertions: Assertions, front_end: Any) -> None:
        """Nobody can burn the numbers of a front end by forgeries."""
        claims = front_end.claims("anne")
        forger = ECKey.generate_key("P-256")
        forged = jws.serialize_compact(
            {"alg": "ES256"}, json.dumps(claims), forger, algorithms=["ES256"]
        )
        assert "BadSignatureError" in refusal(assertions, forged)
        assert assertions.caller(present(front_end.sign(claims))).user_id == "anne"

    def test_an_unknown_front_end(self, assertions: Assertions, other_front_end: Any) -> None:
        """Whoever signs well."""
        assert "unknown or revoked" in refusal(assertions, other_front_end.assertion("anne"))

    def test_a_revoked_front_end(
        self, assertions: Assertions, front_end: Any, transactions: Transactions, units: SQLUnits
    ) -> None:
        """At its next call."""
        FrontEndRegistry(FrontEnds(transactions), units).revoke(front_end.name, by=SYSTEM)
        assert "unknown or revoked" in refusal(assertions, front_end.assertion("anne"))

    def test_the_name_of_another_front_end(
        self, assertions: Assertions, front_end: Any, other_front_end: Any
    ) -> None:
        """The key is that of the name, whatever the header says."""
        claims = other_front_end.claims("anne", iss=front_end.name)
        assert "alg is not ES256" in refusal(assertions, other_front_end.sign(claims))

    @pytest.mark.parametrize("claim", ["iss", "sub", "aud", "iat", "exp", "jti", "auth_time"])
    def test_a_missing_claim(self, assertions: Assertions, front_end: Any, claim: str) -> None:
        """A front end without a user is nobody: there is no call without `sub`."""
        claims = front_end.claims("anne")
        del claims[claim]
        assert refusal(assertions, front_end.sign(claims)) == f"an assertion without {claim}"

    @pytest.mark.parametrize("claim", ["iss", "sub", "aud", "iat", "exp", "jti", "auth_time"])
    @pytest.mark.parametrize("value", [None, True, "", [], {}, ["x"], -1, "x" * 129])
    def test_a_claim_of_another_form(
        self, assertions: Assertions, front_end: Any, claim: str, value: object
    ) -> None:
        """Texts are texts, and times are numbers."""
        assert "whose" in refusal(assertions, front_end.assertion("anne", **{claim: value}))

    @pytest.mark.parametrize("aud", ["https://other.example.org", PUBLIC_URL + "/", "mobid"])
    def test_another_address(self, assertions: Assertions, front_end: Any, aud: str) -> None:
        """One for another service is no good here."""
        assert "aud is not" in refusal(assertions, front_end.assertion("anne", aud=aud))

    @pytest.mark.parametrize(
        ("iat", "exp", "auth_time", "reason"),
        [
            (0, 61, 0, "exp is not within 60 s"),
            (0, 0, 0, "exp is not within 60 s"),
            (10, 0, 0, "exp is not within 60 s"),
            (-90, -30, -90, "expired"),
            (31, 60, 0, "iat is in the future"),
            (0, 60, 31, "auth_time is in the future"),
        ],
    )
    def test_times_that_do_not_fit(
        self,
        assertions: Assertions,
        front_end: Any,
        clock: Any,
        *,
        iat: int,
        exp: int,
        auth_time: int,
        reason: str,
    ) -> None:
        """Half a minute of difference between two clocks is forgiven, no more."""
        now = int(clock().timestamp())
        token = front_end.assertion("anne", iat=now + iat, exp=now + exp, auth_time=now + auth_time)
        assert reason in refusal(assertions, token)

    @pytest.mark.parametrize(("nbf", "good"), [(-60, True), (30, True), (31, False)])
    def test_a_beginning_is_kept(
        self, assertions: Assertions, front_end: Any, clock: Any, *, nbf: int, good: bool
    ) -> None:
        """RFC 7519, 4.1.5: nobody has to name one, but who does is taken at their word."""
        token = front_end.assertion("anne", nbf=int(clock().timestamp()) + nbf)
        if good:
            assert assertions.caller(present(token)).user_id == "anne"
        else:
            assert "nbf is in the future" in refusal(assertions, token)

    @pytest.mark.parametrize("iat", [-89, 30])
    def test_clocks_may_differ_a_little(
        self, assertions: Assertions, front_end: Any, clock: Any, iat: int
    ) -> None:
        """By half a minute, either way."""
        issued = int(clock().timestamp()) + iat
        token = front_end.assertion("anne", iat=issued, exp=issued + 60, auth_time=issued)
        assert assertions.caller(present(token)).user_id == "anne"

    def test_no_signature_at_all(self, assertions: Assertions, front_end: Any) -> None:
        """`none` is no algorithm."""
        token = f"{part({'alg': 'none'})}.{part(front_end.claims('anne'))}."
        assert "alg is not ES256" in refusal(assertions, token)

    def test_the_public_key_as_a_shared_secret(
        self, assertions: Assertions, front_end: Any
    ) -> None:
        """The classic confusion of algorithms."""
        claims = json.dumps(front_end.claims("anne")).encode()
        signing = f"{part({'alg': 'HS256'})}.{part(claims)}"
        signature = hmac.digest(front_end.public_pem, signing.encode(), "sha256")
        assert "alg is not ES256" in refusal(assertions, f"{signing}.{part(signature)}")

    def test_a_changed_claim(self, assertions: Assertions, front_end: Any) -> None:
        """Nobody becomes somebody else."""
        header, _, signature = front_end.assertion("anne").split(".")
        token = f"{header}.{part(front_end.claims('bob'))}.{signature}"
        assert "BadSignatureError" in refusal(assertions, token)

    def test_critical_headers_that_we_do_not_know(
        self, assertions: Assertions, front_end: Any
    ) -> None:
        """RFC 7515, 4.1.11."""
        claims = json.dumps(front_end.claims("anne")).encode()
        signing = f"{part({'alg': 'ES256', 'crit': ['x'], 'x': 1})}.{part(claims)}"
        signature = jws.serialize_compact({"alg": "ES256"}, claims, front_end.key).split(".")[2]
        assert refusal(assertions, f"{signing}.{signature}")


class TestHostileText:
    """Whatever is sent is refused, and breaks nothing."""

    @pytest.mark.parametrize(
        "token",
        [
            "a",
            "a.b",
            "a.b.c.d",
            "..",
            "a.b.c",
            jwt_of(b"[" * 2000, b"{}"),
            jwt_of(b'{"alg": "ES256"}', b"[" * 2000),
            jwt_of(b"{}", b"[]"),
            jwt_of(b"{", b"{}"),
            jwt_of(b"{}", b"\xff"),
            jwt_of(b'{"alg": "ES256"}', b'{"iss": "a", "iss": "b"}'),
        ],
        ids=range(11),
    )
    def test_what_is_no_assertion(self, assertions: Assertions, token: str) -> None:
        """Nested too deep, said twice, cut in half."""
        assert refusal(assertions, token)

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(header=JSON, claims=JSON, signature=st.text("AZaz09-_", max_size=90))
    def test_any_json(
        self, assertions: Assertions, header: object, claims: object, signature: str
    ) -> None:
        """Refused, never an error of ours."""
        assert refusal(assertions, f"{part(header)}.{part(claims)}.{signature}")

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        name=st.sampled_from(["iss", "sub", "aud", "iat", "exp", "jti", "auth_time", "more"]),
        value=JSON,
    )
    def test_any_signed_claim(
        self, assertions: Assertions, front_end: Any, name: str, value: object
    ) -> None:
        """A caller or a refusal, whatever a registered front end signs."""
        token = jws.serialize_compact(
            {"alg": "ES256"}, json.dumps(front_end.claims("anne") | {name: value}), front_end.key
        )
        try:
            caller = assertions.caller(present(token))
        except Unauthenticated:
            return
        assert caller.user_id == (value if name == "sub" else "anne")
