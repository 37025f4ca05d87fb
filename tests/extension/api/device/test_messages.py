"""The messages of the device interface: what each says, and which payloads are refused."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask_smorest import Api
from joserfc.jwk import ECKey

from mobid.api import device
from mobid.api.device.base64url import encode as b64
from mobid.domain.mobile_ids import Device, ProfileState
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from tests.extension.api.device.conftest import Claims, OneEnrolment, Phone

TOKEN = "k7Qf3mXb2Zt9Yp4LcR8sVd1WnHaJuE6GoTiMq0BxKeU"


def request_for(key: ECKey) -> bytes:
    """Return a PKCS#10 request in DER that proves possession of a key."""
    private = key.private_key
    assert private is not None
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)


class TestGet:
    """The four messages of a Get."""

    def test_a_claim_tells_what_to_show_and_which_keys_to_make(
        self, phone: Phone, enrolment: OneEnrolment
    ) -> None:
        """The answer has the id of the enrolment, the number, the profile and the kinds."""
        answer = phone.claim()
        assert answer.get_json() == {
            "kid": "enrolment-1",
            "number": 42,
            "expires_at": "2026-11-22T12:10:00+00:00",
            "profile": {
                "server_name": "Example",
                "user_id": "anna@example.org",
                "profile_name": "MobileID Anna",
                "properties": {"colour": "blue"},
            },
            "keys": [
                {"kind": "authentication", "key_types": ["EC P-256"]},
                {"kind": "signature", "key_types": ["EC P-256"]},
            ],
        }
        assert enrolment.jwk == phone.public
        assert enrolment.device == Device(name="Anna's phone", platform="ios", model="X")

    def test_a_claim_of_a_mailed_code_needs_the_mail_code(
        self, phone: Phone, enrolment: OneEnrolment
    ) -> None:
        """A missing one is asked for, a wrong one counted; the right one goes on as it was typed."""
        enrolment.mail_code = "abcd efgh"
        missing = phone.claim().get_json()
        assert (missing["status"], missing["code"]) == (422, "BAD_CODE")
        assert missing["mail_code"] == "required"
        assert "tries_left" not in missing
        assert missing["detail"].startswith("This link came by mail.")
        wrong = phone.claim(mail_code="ABCD-EFGJ").get_json()
        assert (wrong["status"], wrong["code"], wrong["tries_left"]) == (422, "BAD_CODE", 4)
        assert wrong["detail"] == "This is not the code of the page. Tries left: 4."
        assert "mail_code" not in wrong
        assert phone.claim(mail_code="abcd efgh").status_code == 200

    @pytest.mark.parametrize("code", [12345678, None, "", " ", "A" * 65, ["ABCD"]])
    def test_a_mail_code_is_a_text(self, phone: Phone, code: object) -> None:
        """Whatever else it is, it is refused before anybody counts or compares."""
        answer = phone.claim(mail_code=code)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "INVALID_INPUT")
        assert list(answer.get_json()["errors"]) == ["mail_code"]

    def test_platform_and_model_may_be_left_out(
        self, phone: Phone, enrolment: OneEnrolment
    ) -> None:
        """A phone need not say more than a name."""
        assert phone.claim(device={"name": "Zoë 👩‍💻"}).status_code == 200
        assert enrolment.device == Device(name="Zoë 👩‍💻")

    def test_the_whole_way(self, claimed: Phone, enrolment: OneEnrolment) -> None:
        """Keys, result and confirm, each with the nonce of the answer before."""
        keys = {kind.value: ECKey.generate_key("P-256") for kind in enrolment.kinds}
        requests = {kind: b64(request_for(key)) for kind, key in keys.items()}
        sent = claimed.say("keys", {"csrs": requests, "transport_key": claimed.public})
        assert sent.get_json() == {"state": "waiting_approval"}
        assert enrolment.transport_jwk == claimed.public

        result = claimed.say("result", {}).get_json()
        assert [one["kind"] for one in result["certificates"]] == list(keys)
        ders = [
            base64.urlsafe_b64decode(one["certificate"] + "==") for one in result["certificates"]
        ]
        assert ders == [one.der for one in enrolment.certificates]
        assert result["certificates"][0]["chain"] == [b64(b"CA")]

        names = [b64(hashlib.sha256(der).digest()) for der in ders]
        proof = claimed.proof(keys["authentication"], names)
        confirmed = claimed.say("confirm", {"hashes": names, "proof": proof})
        assert confirmed.get_json() == {"state": "active"}
        assert claimed.say("status", {}).get_json() == {"state": "active"}
        assert claimed.say("remove", {}).get_json() == {"state": "locking"}

    def test_a_result_that_is_not_there_yet_says_when_to_ask_again(
        self, claimed: Phone, enrolment: OneEnrolment
    ) -> None:
        """202 with Retry-After in seconds, and the step that the user is at."""
        enrolment.approved = False
        answer = claimed.say("result", {})
        assert (answer.status_code, answer.headers["Retry-After"]) == (202, "2")
        assert answer.get_json() == {"state": "approve"}

    def test_what_a_process_refuses_goes_through(self, claimed: Phone) -> None:
        """The application's own table answers, and the phone gets its nonce all the same."""
        request = b64(request_for(ECKey.generate_key("P-256")))
        answer = claimed.say("keys", {"csrs": {"signature": request}})
        claimed.assert_refused(answer, 422, "BAD_CSR", "authentication is missing")


class TestCounting:
    """Claims count for the address that they come from, before anybody looks at their code."""

    def test_right_wrong_and_repeated_ones_count(self, phone: Phone, claims: Claims) -> None:
        """And so does a payload that is none, as long as somebody signed it."""
        assert phone.claim().status_code == 200
        assert phone.claim().status_code == 200
        assert phone.say("claim", {"code": "x" * 43, "device": {"name": "a"}}).status_code == 410
        assert phone.say("claim", {"code": 1}).status_code == 422
        assert claims.came_from == ["127.0.0.1"] * 4

    def test_what_names_no_code_does_not(self, phone: Phone, claims: Claims) -> None:
        """Nothing can be guessed without a signature, nor by any other message."""
        header = phone.header("claim")
        phone.dressed("claim", header | {"url": f"{header['url']}?"})
        phone.post("claim", b"{}")
        phone.say("status", {})
        assert claims.came_from == []

    def test_one_too_many_says_when_to_come_back(
        self, phone: Phone, claims: Claims, enrolment: OneEnrolment
    ) -> None:
        """Nobody has looked at the code then, although it is a good one."""
        claims.most = 0
        answer = phone.claim()
        phone.assert_refused(answer, 429, "TOO_MANY", "Try again in 42 seconds")
        assert answer.headers["Retry-After"] == "42"
        assert enrolment.thumbprint is None


class TestConfirm:
    """The two signatures of confirm."""

    @pytest.fixture
    def key(self) -> ECKey:
        """Return the new authentication key."""
        return ECKey.generate_key("P-256")

    @pytest.fixture
    def names(self, claimed: Phone, key: ECKey, enrolment: OneEnrolment) -> list[str]:
        """Return the hashes of the certificates that were issued."""
        enrolment.kinds = (Kind.AUTHENTICATION,)
        claimed.say("keys", {"csrs": {"authentication": b64(request_for(key))}})
        return [b64(hashlib.sha256(one.der).digest()) for one in enrolment.certificates]

    def test_the_authentication_key_must_sign_too(
        self, claimed: Phone, names: list[str], enrolment: OneEnrolment
    ) -> None:
        """A phone that cannot use its new key is not active."""
        answer = claimed.say("confirm", {"hashes": names})
        claimed.assert_refused(answer, 422, "INVALID_INPUT", "proof")
        assert enrolment.state is ProfileState.PENDING

    def test_another_key_is_refused(self, claimed: Phone, names: list[str]) -> None:
        """The device key is not the authentication key."""
        proof = claimed.proof(claimed.key, names)
        answer = claimed.say("confirm", {"hashes": names, "proof": proof})
        claimed.assert_refused(answer, 422, "INVALID_INPUT", "new authentication key")

    @pytest.mark.parametrize(
        ("changed", "text"),
        [
            ({"typ": "JWT"}, "typ mobid-confirm"),
            (
                {"url": "https://mobile-id.example.org/device/v1/remove"},
                "url in the protected header must be",
            ),
            ({"nonce": "x"}, "exactly the members"),
        ],
    )
    def test_a_proof_for_something_else_is_refused(
        self, claimed: Phone, names: list[str], key: ECKey, changed: dict[str, str], text: str
    ) -> None:
        """What the key signed for another purpose proves nothing here."""
        proof = claimed.proof(key, names, **changed)
        answer = claimed.say("confirm", {"hashes": names, "proof": proof})
        claimed.assert_refused(answer, 422, "INVALID_INPUT", text)

    def test_a_proof_over_other_hashes_is_refused(
        self, claimed: Phone, names: list[str], key: ECKey
    ) -> None:
        """Both signatures are over the same certificates."""
        proof = claimed.proof(key, [b64(bytes(32))])
        answer = claimed.say("confirm", {"hashes": names, "proof": proof})
        claimed.assert_refused(answer, 422, "INVALID_INPUT", "same kid and hashes")

    def test_without_an_authentication_certificate_there_is_no_proof(
        self, claimed: Phone, enrolment: OneEnrolment, key: ECKey
    ) -> None:
        """A mobile ID with a signature key alone is confirmed by the device key alone."""
        enrolment.kinds = (Kind.SIGNATURE,)
        claimed.say("keys", {"csrs": {"signature": b64(request_for(key))}})
        names = [b64(hashlib.sha256(one.der).digest()) for one in enrolment.certificates]
        proof = claimed.proof(key, names)
        answer = claimed.say("confirm", {"hashes": names, "proof": proof})
        claimed.assert_refused(answer, 422, "INVALID_INPUT", "must be left out")
        assert claimed.say("confirm", {"hashes": names}).get_json() == {"state": "active"}

    def test_every_certificate_must_be_named(
        self, claimed: Phone, names: list[str], key: ECKey
    ) -> None:
        """The process compares the hashes with what it issued."""
        others = [*names, b64(bytes(32))]
        answer = claimed.say("confirm", {"hashes": others, "proof": claimed.proof(key, others)})
        assert answer.status_code == 422


class TestPayloads:
    """What is said, by exact type, once it is known who speaks."""

    @pytest.mark.parametrize(
        ("payload", "field"),
        [
            ([], "payload"),
            ("x", "payload"),
            ({}, "code"),
            ({"code": TOKEN}, "device"),
            ({"code": TOKEN, "device": None}, "device"),
            ({"code": TOKEN, "device": "phone"}, "device"),
            ({"code": TOKEN, "device": []}, "device"),
            ({"code": TOKEN, "device": {}}, "device.name"),
            ({"code": 5, "device": {"name": "a"}}, "code"),
            ({"code": None, "device": {"name": "a"}}, "code"),
            ({"code": "", "device": {"name": "a"}}, "code"),
            ({"code": "x" * 65, "device": {"name": "a"}}, "code"),
            ({"code": TOKEN, "device": {"name": ""}}, "device.name"),
            ({"code": TOKEN, "device": {"name": " "}}, "device.name"),
            ({"code": TOKEN, "device": {"name": "a\nb"}}, "device.name"),
            ({"code": TOKEN, "device": {"name": "a\u202eb"}}, "device.name"),
            ({"code": TOKEN, "device": {"name": "a\x1b[2Jb"}}, "device.name"),
            ({"code": TOKEN, "device": {"name": "x" * 65}}, "device.name"),
            ({"code": TOKEN, "device": {"name": True}}, "device.name"),
            ({"code": TOKEN, "device": {"name": "a", "platform": "x" * 33}}, "device.platform"),
            ({"code": TOKEN, "device": {"name": "a", "root": True}}, "device.root"),
            ({"code": TOKEN, "device": {"name": "a"}, "admin": True}, "admin"),
        ],
    )
    def test_a_claim(
        self, phone: Phone, enrolment: OneEnrolment, payload: object, field: str
    ) -> None:
        """The first fault is named by its path."""
        phone.assert_refused(phone.say("claim", payload), 422, "INVALID_INPUT", f'"{field}"')
        assert enrolment.jwk is None

    @pytest.mark.parametrize(
        ("payload", "field"),
        [
            ({}, "csrs"),
            ({"csrs": []}, "csrs"),
            ({"csrs": {}}, "csrs"),
            ({"csrs": {"root": "AA"}}, "csrs.root"),
            ({"csrs": {"authentication": 1}}, "csrs.authentication"),
            ({"csrs": {"authentication": None}}, "csrs.authentication"),
            ({"csrs": {"authentication": "AA=="}}, "csrs.authentication"),
            ({"csrs": {"authentication": "AA"}, "transport_key": None}, "transport_key"),
            ({"csrs": {"authentication": "AA"}, "transport_key": {}}, "transport_key"),
            ({"csrs": {"authentication": "AA"}, "more": 1}, "more"),
        ],
    )
    def test_keys(
        self, claimed: Phone, enrolment: OneEnrolment, payload: object, field: str
    ) -> None:
        """Nothing of a faulty payload reaches the process."""
        claimed.assert_refused(claimed.say("keys", payload), 422, "INVALID_INPUT", f'"{field}"')
        assert enrolment.csrs == {}

    @pytest.mark.parametrize(
        ("payload", "field"),
        [
            ({}, "hashes"),
            ({"hashes": None}, "hashes"),
            ({"hashes": "AA"}, "hashes"),
            ({"hashes": {}}, "hashes"),
            ({"hashes": []}, "hashes"),
            ({"hashes": [b64(bytes(32))] * 9}, "hashes"),
            ({"hashes": ["AA"]}, "hashes.0"),
            ({"hashes": [None]}, "hashes.0"),
            ({"hashes": [b64(bytes(32)), 5]}, "hashes.1"),
            ({"hashes": [b64(bytes(32))], "proof": None}, "proof"),
            ({"hashes": [b64(bytes(32))], "proof": "x"}, "proof"),
            ({"hashes": [b64(bytes(32))], "proof": {"protected": "e30"}}, "proof"),
            ({"hashes": [b64(bytes(32))], "state": "active"}, "state"),
        ],
    )
    def test_confirm(self, claimed: Phone, payload: object, field: str) -> None:
        """Hashes are lists of SHA-256, a proof is a JWS."""
        claimed.assert_refused(claimed.say("confirm", payload), 422, "INVALID_INPUT", f'"{field}"')

    @pytest.mark.parametrize("verb", ["result", "status", "remove"])
    @pytest.mark.parametrize(("payload", "field"), [([], "payload"), ({"a": 1}, "a")])
    def test_the_others_are_empty(
        self, claimed: Phone, verb: str, payload: object, field: str
    ) -> None:
        """What they mean is in the address."""
        claimed.assert_refused(claimed.say(verb, payload), 422, "INVALID_INPUT", f'"{field}"')

    def test_a_refusal_does_not_repeat_the_code(self, phone: Phone) -> None:
        """Answers are logged in strange places."""
        answer = phone.say("claim", {"code": TOKEN, "device": {"name": "a"}, "more": 1})
        assert TOKEN not in answer.text


class TestDocument:
    """The OpenAPI document of these routes."""

    def test_it_has_every_route_with_its_payload(
        self, enrolment: OneEnrolment, nonces: device.Nonces
    ) -> None:
        """Who writes an app finds the envelope, and the schema of what is signed in it."""
        app = Flask("documented")
        app.config |= {"API_TITLE": "mobid", "API_VERSION": "1", "OPENAPI_VERSION": "3.1.0"}
        api = Api(app)
        api.register_blueprint(
            device.blueprint(
                enrolment,
                nonces,
                "https://mobile-id.example.org",
                count_claim=list[str | None]().append,
            )
        )
        document = api.spec.to_dict()
        assert set(document["paths"]) == {
            f"/device/v1/{verb}"
            for verb in ("claim", "keys", "result", "confirm", "status", "remove")
        }
        body = document["paths"]["/device/v1/keys"]["post"]["requestBody"]["content"]
        payload = body["application/jose+json"]["schema"]["properties"]["payload"]
        assert payload["contentSchema"] == {"$ref": "#/components/schemas/DeviceKeysPayload"}
        schema = document["components"]["schemas"]["DeviceKeysPayload"]
        assert set(schema["properties"]) == {"csrs", "transport_key"}
        assert schema["additionalProperties"] is False
