"""Who signed: only ES256, only P-256, only this phone, only for this address."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, thumbprint

from mobid.api.device.base64url import encode as b64
from mobid.domain.mobile_ids import ProfileState

if TYPE_CHECKING:
    from tests.extension.api.device.conftest import OneEnrolment, Phone
    from werkzeug.test import TestResponse

HOST = "https://mobile-id.example.org"
TOKEN = "k7Qf3mXb2Zt9Yp4LcR8sVd1WnHaJuE6GoTiMq0BxKeU"
AFTER_CLAIM = ("keys", "result", "confirm", "status", "remove")


class TestSignatures:
    """Only ES256, by the right key, for this address."""

    @pytest.mark.parametrize("verb", ["claim", *AFTER_CLAIM])
    @pytest.mark.parametrize(
        "alg", ["none", "HS256", "ES384", "RS256", "es256", "", 5, None, ["ES256"]]
    )
    def test_other_algorithms_are_refused(self, claimed: Phone, verb: str, alg: object) -> None:
        """RFC 8725, 3.1: the algorithm is ours to choose, not the caller's."""
        answer = claimed.dressed(verb, claimed.header(verb) | {"alg": alg})
        claimed.assert_refused(answer, 400, "MALFORMED_REQUEST", "must be ES256")

    def test_the_public_key_is_no_hmac_secret(self, claimed: Phone) -> None:
        """A MAC with what everybody knows is not taken for a signature."""
        secret = OctKey.import_key(json.dumps(claimed.public).encode())
        header = claimed.header("status") | {"alg": "HS256"}
        registry = jws.JWSRegistry(algorithms=["HS256"], strict_check_header=False)
        signed = jws.serialize_json({"protected": header}, b"{}", secret, registry=registry)
        answer = claimed.post("status", json.dumps(signed).encode())
        claimed.assert_refused(answer, 400, "MALFORMED_REQUEST", "must be ES256")

    def test_es384_is_refused_although_the_signature_is_good(self, claimed: Phone) -> None:
        """P-256 and SHA-256 only, so that nobody has two keys of one thumbprint."""
        key = ECKey.generate_key("P-384", auto_kid=False)
        header = claimed.header("claim") | {"alg": "ES384", "jwk": key.as_dict(private=False)}
        registry = jws.JWSRegistry(algorithms=["ES384"], strict_check_header=False)
        signed = jws.serialize_json({"protected": header}, b"{}", key, registry=registry)
        answer = claimed.post("claim", json.dumps(signed).encode())
        claimed.assert_refused(answer, 400, "MALFORMED_REQUEST", "must be ES256")

    @pytest.mark.parametrize("verb", ["claim", *AFTER_CLAIM])
    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example.net/device/v1/{}",
            "http://mobile-id.example.org/device/v1/{}",
            "https://mobile-id.example.org/device/v1/{}/",
            "https://mobile-id.example.org/device/v1/other",
            "/device/v1/{}",
            "",
            7,
            None,
        ],
    )
    def test_a_request_for_another_address_is_refused(
        self, claimed: Phone, verb: str, url: object
    ) -> None:
        """What was signed for one address can not be carried to another."""
        signed_for = url.format(verb) if isinstance(url, str) else url
        answer = claimed.dressed(verb, claimed.header(verb) | {"url": signed_for})
        claimed.assert_refused(answer, 400, "MALFORMED_REQUEST", "url")

    @pytest.mark.parametrize("verb", AFTER_CLAIM)
    def test_another_phone_is_answered_like_an_unknown_code(
        self, claimed: Phone, enrolment: OneEnrolment, verb: str
    ) -> None:
        """Neither its answer nor its words tell whether the enrolment exists."""
        thief = claimed.another()
        foreign = thief.say(verb, {})
        unknown = thief.say(verb, {}, kid="enrolment-2")
        claimed.assert_refused(foreign, 410, "CODE_NOT_USABLE")
        assert (foreign.status_code, foreign.data) == (unknown.status_code, unknown.data)
        assert enrolment.state is ProfileState.PENDING

    @pytest.mark.parametrize("kid", ["", "x" * 65, "../1", "enrolment-1\n", "ä"])
    def test_an_impossible_kid_is_answered_alike(self, claimed: Phone, kid: str) -> None:
        """No such text comes near the database."""
        claimed.assert_refused(claimed.say("status", {}, kid=kid), 410, "CODE_NOT_USABLE")

    @pytest.mark.parametrize("kid", [1, None, ["enrolment-1"], {"a": 1}])
    def test_a_kid_is_a_text(self, claimed: Phone, kid: object) -> None:
        """Exact types, in the header as well."""
        answer = claimed.dressed("status", claimed.header("status") | {"kid": kid})
        claimed.assert_refused(answer, 400, "MALFORMED_REQUEST", "kid in the protected header")

    @pytest.mark.parametrize("part", ["protected", "payload", "signature"])
    def test_one_changed_bit_of_a_claim_is_seen(self, phone: Phone, part: str) -> None:
        """Header, payload and signature are covered."""
        payload = json.dumps({"code": TOKEN, "device": {"name": "a"}}).encode()
        signed = phone.flattened(phone.header("claim"), payload)
        raw = base64.urlsafe_b64decode(signed[part] + "==")
        place = raw.index(b"-id.") if part == "protected" else len(raw) // 2
        signed[part] = b64(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        answer = phone.post("claim", json.dumps(signed).encode())
        code = "MALFORMED_REQUEST" if part == "protected" else "BAD_SIGNATURE"
        phone.assert_refused(answer, 400, code)

    def test_a_claim_signed_by_another_key_than_its_own_is_refused(self, phone: Phone) -> None:
        """Nobody can claim in the name of a key that they do not have."""
        other = phone.another()
        answer = phone.say("claim", {}, jwk=other.public)
        phone.assert_refused(answer, 400, "BAD_SIGNATURE", "64 bytes")

    @pytest.mark.parametrize("raw", [b"", b"x" * 63, b"x" * 65, b"x" * 72])
    def test_a_signature_has_64_bytes(self, claimed: Phone, raw: bytes) -> None:
        """DER signatures and empty ones are refused by their form."""
        signed = claimed.flattened(claimed.header("status")) | {"signature": b64(raw)}
        answer = claimed.post("status", json.dumps(signed).encode())
        claimed.assert_refused(answer, 400, "MALFORMED_REQUEST", "64 bytes")

    @pytest.mark.parametrize("raw", [bytes(64), b"\xff" * 64, bytes(63) + b"\x01"])
    def test_degenerate_signatures_are_refused(self, phone: Phone, raw: bytes) -> None:
        """Zero and numbers above the order of the curve prove nothing (CVE-2022-21449)."""
        signed = phone.flattened(phone.header("claim")) | {"signature": b64(raw)}
        phone.assert_refused(phone.post("claim", json.dumps(signed).encode()), 400, "BAD_SIGNATURE")


class TestDeviceKeys:
    """The jwk of a claim: exactly a public P-256 key."""

    def changed(self, phone: Phone, **members: object) -> TestResponse:
        """Claim with other members in the jwk; None leaves one out."""
        jwk = {name: value for name, value in (phone.public | members).items() if value is not None}
        return phone.dressed("claim", phone.header("claim") | {"jwk": jwk})

    def test_a_private_part_is_refused(self, phone: Phone) -> None:
        """A private key that was sent is no longer one."""
        private = str(phone.key.as_dict(private=True)["d"])
        answer = self.changed(phone, d=private)
        phone.assert_refused(answer, 400, "MALFORMED_REQUEST", "exactly kty EC, crv P-256, x and y")
        assert private not in answer.text

    @pytest.mark.parametrize(
        "members",
        [
            {"kty": "RSA"},
            {"kty": "oct"},
            {"crv": "P-384"},
            {"crv": "secp256k1"},
            {"x": None},
            {"y": None},
            {"x": 5},
            {"x": ["a"]},
            {"kid": "mine"},
            {"use": "sig"},
            {"alg": "ES256"},
            {"jku": "https://evil.example.net/keys"},
        ],
    )
    def test_other_members_and_curves_are_refused(
        self, phone: Phone, members: dict[str, object]
    ) -> None:
        """Exactly kty, crv, x and y."""
        phone.assert_refused(self.changed(phone, **members), 400, "MALFORMED_REQUEST", "public JWK")

    @pytest.mark.parametrize(
        ("members", "text"),
        [
            ({"x": b64(bytes(32))}, "on the curve"),
            ({"x": b64(bytes(32)), "y": b64(bytes(32))}, "on the curve"),
            ({"x": b64(b"\xff" * 32)}, "on the curve"),
            ({"x": b64(bytes(31))}, "32 bytes"),
            ({"x": b64(bytes(33))}, "32 bytes"),
            ({"x": ""}, "32 bytes"),
            ({"x": "A" * 43 + "="}, "base64url"),
            ({"x": "A" * 42 + "+"}, "base64url"),
            ({"x": "A" * 42 + "B"}, "base64url"),
        ],
    )
    def test_a_point_is_on_the_curve_and_has_one_spelling(
        self, phone: Phone, members: dict[str, object], text: str
    ) -> None:
        """One key has one thumbprint."""
        phone.assert_refused(self.changed(phone, **members), 400, "MALFORMED_REQUEST", text)

    @pytest.mark.parametrize("jwk", [None, 1, "x", [], {}, [{"kty": "EC"}]])
    def test_a_jwk_is_an_object(self, phone: Phone, jwk: object) -> None:
        """Anything else is refused by its form."""
        answer = phone.dressed("claim", phone.header("claim") | {"jwk": jwk})
        phone.assert_refused(answer, 400, "MALFORMED_REQUEST", "public JWK")

    def test_the_thumbprint_is_that_of_rfc_7638(
        self, claimed: Phone, enrolment: OneEnrolment
    ) -> None:
        """The code is bound to it, so it must be everybody's."""
        assert enrolment.thumbprint == thumbprint(dict(claimed.public))
