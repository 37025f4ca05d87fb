"""Bodies that are no flattened JWS, however they pretend; and any body at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobid.api.device.base64url import encode as b64

if TYPE_CHECKING:
    from tests.extension.api.device.conftest import Phone

JOSE = "application/jose+json"
AFTER_CLAIM = ("keys", "result", "confirm", "status", "remove")


class TestBodies:
    """What is no flattened JWS, however it pretends."""

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"1",
            b'"x"',
            b"{}",
            b"{",
            b"\xff\xfe{}",
            b"\xef\xbb\xbf{}",
            b"not json",
            b"NaN",
            b"eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
            b'{"protected": "", "payload": "", "signature": ""}',
            b'{"protected": "e30", "payload": "e30", "signature": ""}',
            b'{"protected": "e30", "payload": "e30"}',
            b'{"protected": "e30", "payload": "e30", "signature": "e30", "header": {}}',
            b'{"protected": "e30", "payload": "e30", "signature": "e30", "signatures": []}',
            b'{"protected": {}, "payload": "e30", "signature": "e30"}',
            b'{"protected": "e30", "payload": {}, "signature": "e30"}',
            b'{"protected": "e30", "payload": "e30", "signature": null}',
            b'{"protected": "e30", "protected": "e30", "payload": "", "signature": ""}',
            b'{"protected": "e30=", "payload": "e30", "signature": "e30"}',
            b'{"protected": "e 30", "payload": "e30", "signature": "e30"}',
            b'{"protected": "\\u0000", "payload": "e30", "signature": "e30"}',
            b'{"protected": "\\ud800", "payload": "e30", "signature": "e30"}',
            b'{"payload": "e30", "signatures": [{"protected": "e30", "signature": "e30"}]}',
            b"[" * 5000,
            b'{"a":' * 3000,
        ],
    )
    @pytest.mark.parametrize("verb", ["claim", "confirm"])
    def test_it_is_refused_by_its_form(self, phone: Phone, verb: str, body: bytes) -> None:
        """400, with words that name the part, and a nonce."""
        phone.assert_refused(phone.post(verb, body), 400, "MALFORMED_REQUEST", "of the request")

    @pytest.mark.parametrize(
        ("more", "text"),
        [
            ({"crit": ["b64"], "b64": False}, "exactly the members"),
            ({"jwk": {}}, "exactly the members"),
            ({"jku": "https://evil.example.net"}, "exactly the members"),
            ({"typ": "JWT"}, "exactly the members"),
            ({"nonce": None}, "nonce"),
        ],
    )
    def test_other_header_members_are_refused(
        self, claimed: Phone, more: dict[str, object], text: str
    ) -> None:
        """RFC 7515, 4: what we do not understand is not ignored."""
        answer = claimed.dressed("status", claimed.header("status") | more)
        claimed.assert_refused(answer, 400, "MALFORMED_REQUEST", text)

    @pytest.mark.parametrize(
        "header", [b"", b"[]", b"null", b'{"alg":"ES256","alg":"none"}', b"\xff"]
    )
    def test_a_header_is_one_object_without_duplicates(self, phone: Phone, header: bytes) -> None:
        """Two readers of one header never see two algorithms."""
        signed = phone.flattened(phone.header("claim")) | {"protected": b64(header)}
        answer = phone.post("claim", json.dumps(signed).encode())
        phone.assert_refused(answer, 400, "MALFORMED_REQUEST", "protected header")

    @pytest.mark.parametrize("payload", [b"", b"{", b'{"a":1,"a":2}', b"\xff", b"NaN", b"[" * 40])
    def test_a_signed_payload_is_read_as_strictly(self, claimed: Phone, payload: bytes) -> None:
        """A good signature does not make bad JSON good."""
        signed = claimed.flattened(claimed.header("status"), payload)
        answer = claimed.post("status", json.dumps(signed).encode())
        claimed.assert_refused(answer, 400, "MALFORMED_REQUEST", "payload")

    @pytest.mark.parametrize("verb", ["claim", *AFTER_CLAIM])
    def test_a_large_body_is_not_read_to_its_end(self, phone: Phone, verb: str) -> None:
        """64 KiB are plenty for a phone."""
        phone.assert_refused(
            phone.post(verb, b" " * 65537), 413, "REQUEST_TOO_LARGE", "65536 bytes"
        )

    def test_64_kib_are_read(self, phone: Phone) -> None:
        """The limit itself is allowed."""
        signed = phone.flattened(phone.header("claim"), b'{"code":"x","device":{"name":"a"}}')
        body = json.dumps(signed).encode()
        answer = phone.post("claim", body + b" " * (65536 - len(body)))
        phone.assert_refused(answer, 410, "CODE_NOT_USABLE")

    def test_a_body_of_unknown_length_is_bounded_too(self, phone: Phone) -> None:
        """Chunked bodies have no Content-Length that could be believed."""

        class Endless:
            """A connection that never stops sending."""

            taken = 0

            def read(self, size: int = -1) -> bytes:
                """Return what is asked for, in pieces."""
                assert size > 0
                self.taken += min(size, 1000)
                return b" " * min(size, 1000)

        source = Endless()
        environ = {"wsgi.input": source, "wsgi.input_terminated": True, "CONTENT_TYPE": JOSE}
        answer = phone.client.post(
            "/device/v1/claim", environ_overrides=environ, headers={"Transfer-Encoding": "chunked"}
        )
        phone.assert_refused(answer, 413, "REQUEST_TOO_LARGE")
        assert source.taken == 65537

    @pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_other_media_types_are_refused(self, phone: Phone, media: str) -> None:
        """A web page of somebody else can not post here without being asked (CORS)."""
        answer = phone.post("claim", b"{}", media)
        phone.assert_refused(answer, 415, "UNSUPPORTED_MEDIA_TYPE", "application/jose+json")

    def test_plain_json_is_read_too(self, phone: Phone) -> None:
        """HTTP libraries like to say application/json."""
        phone.assert_refused(
            phone.post("claim", b"{}", "application/json"), 400, "MALFORMED_REQUEST"
        )


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "code",
                    "device",
                    "name",
                    "csrs",
                    "authentication",
                    "hashes",
                    "proof",
                    "x",
                    "alg",
                    "transport_key",
                    "protected",
                    "payload",
                    "signature",
                    "url",
                    "jwk",
                    "kid",
                    "nonce",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
EVERY_VERB = st.sampled_from(["claim", *AFTER_CLAIM])
ENOUGH = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class TestAnything:
    """No body causes a 5xx, and every answer has its nonce."""

    @given(verb=EVERY_VERB, body=st.binary(max_size=300))
    @ENOUGH
    def test_any_bytes(self, claimed: Phone, verb: str, body: bytes) -> None:
        """Bytes at random."""
        claimed.assert_refused(claimed.post(verb, body), 400, "MALFORMED_REQUEST")

    @given(verb=EVERY_VERB, body=ANYTHING)
    @ENOUGH
    def test_any_json(self, claimed: Phone, verb: str, body: object) -> None:
        """JSON at random, with names that we know."""
        claimed.assert_refused(
            claimed.post(verb, json.dumps(body).encode()), 400, "MALFORMED_REQUEST"
        )

    @given(verb=EVERY_VERB, header=ANYTHING)
    @ENOUGH
    def test_any_header(self, claimed: Phone, verb: str, header: object) -> None:
        """A header at random, or a good one with one wrong member."""
        wrong = claimed.header(verb) | header if isinstance(header, dict) else header
        answer = claimed.dressed(verb, wrong)
        assert 200 <= answer.status_code < 500
        assert answer.headers["Replay-Nonce"]

    @given(verb=EVERY_VERB, payload=ANYTHING)
    @ENOUGH
    def test_any_payload_under_a_good_signature(
        self, claimed: Phone, verb: str, payload: object
    ) -> None:
        """A phone that is known can say what it likes, too."""
        answer = claimed.say(verb, payload)
        assert 200 <= answer.status_code < 500
        assert answer.headers["Replay-Nonce"]
