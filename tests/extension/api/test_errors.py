"""Errors as problem documents: for strangers, for bad bodies, for faults of ours, and for nobody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from mobid.api import Problems, register
from mobid.api.bodies import JSONBlueprint
from mobid.app.errors import meaning_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

PROBLEM = "application/problem+json"
START = "/processes/MobileIDSelfServiceProcGet/start"
ACT = "/processes/instances/1/next"
CHECK = "/admin/v1/scripts/MobileIDScriptOptions/check"
PATHS = [
    START,
    ACT,
    "/processes/instances/1/renew",
    *(
        f"/admin/v1/scripts/MobileIDScriptOptions/{verb}"
        for verb in ("check", "dry-run", "versions", "activate")
    ),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.text(max_size=8), below, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("step_seq", "input", "mobile_id", "source", "version", "user", "user_id"),
                    *("filter", "comment", "expected_active", "certificates", "userName", "groups"),
                ]
            ),
            below,
            max_size=6,
        )
    ),
    max_leaves=12,
)


def problem(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Return a problem document, which must be this one."""
    assert answer.mimetype == PROBLEM
    document: dict[str, Any] = answer.get_json()
    assert (answer.status_code, document["status"], document["code"]) == (status, status, code)
    assert document["type"] == "about:blank"
    assert document["title"]
    assert answer.headers["Cache-Control"] == "no-store"
    return document


class TestStrangers:
    """Who has no credentials learns nothing."""

    def test_every_route_wants_to_know_who_calls_first(
        self, app: Flask, client: FlaskClient
    ) -> None:
        """Before it says anything about a body; only what CAs publish is open."""
        asked = 0
        for rule in app.url_map.iter_rules():
            if not rule.rule.startswith(("/processes", "/admin")):
                continue
            numbers = ("number", "other")
            values = {name: 1 if name in numbers else "next" for name in rule.arguments}
            path = app.url_map.bind("localhost").build(rule.endpoint, values)
            for method in (rule.methods or set()) - {"OPTIONS"}:
                answer = client.open(path, method=method, data=b"{", content_type="text/plain")
                assert answer.status_code == 401, (method, path)
                assert answer.headers["WWW-Authenticate"] == 'Bearer realm="mobid"'
                asked += 1
        assert asked >= 14

    @pytest.mark.parametrize("authorization", ["Bearer x", "Basic eA==", "Bearer a, Bearer b", " "])
    def test_all_are_told_the_same(self, client: FlaskClient, authorization: str) -> None:
        """The reason is in the log."""
        with capture_logs() as logs:
            answer = client.post(START, headers={"Authorization": authorization})
        said = problem(answer, 401, "UNAUTHENTICATED")["detail"]
        assert said == (
            "Send one Authorization header with a valid bearer token that is meant for this address."
        )
        (entry,) = logs
        assert entry["event"] == "unauthenticated"
        assert entry["reason"] not in said


class TestBodies:
    """What is no good is refused with the reason, and never with a 5xx."""

    @pytest.fixture
    def send(self, client: FlaskClient, admin_headers: dict[str, str]) -> Any:
        """Send bytes as an administrator."""

        def send(data: bytes, content_type: str = "application/json") -> TestResponse:
            return client.post(CHECK, data=data, content_type=content_type, headers=admin_headers)

        return send

    @pytest.mark.parametrize(
        "data",
        [
            b"{",
            b'{"source": NaN}',
            b'{"source": "a", "source": "b"}',
            b'{"source": "\\u0000"}',
            b'{"source": "\\ud800"}',
            b"[" * 2000,
            b'{"source": 1e999}',
            b'{"source": "\xff"}',
            '{"source": ""}'.encode("utf-16"),
        ],
        ids=range(9),
    )
    def test_other_json_than_ours(self, send: Any, data: bytes) -> None:
        """What one reader reads differently from another."""
        problem(send(data), 400, "MALFORMED_JSON")

    def test_wrong_media_type(self, send: Any) -> None:
        """The problem names the right one."""
        document = problem(send(b"{}", "text/plain"), 415, "UNSUPPORTED_MEDIA_TYPE")
        assert "application/json" in document["detail"]

    def test_too_large(self, send: Any) -> None:
        """The problem says how large it may be."""
        body = json.dumps({"source": "x" * 70_000}).encode()
        assert "65536 bytes" in problem(send(body), 413, "REQUEST_TOO_LARGE")["detail"]

    def test_too_large_in_chunks(self, app: Flask, admin_headers: dict[str, str]) -> None:
        """A body that does not say its length is counted, too."""
        answer = app.test_client().post(
            CHECK,
            content_type="application/json",
            headers=admin_headers,
            environ_overrides={"wsgi.input": _Endless(), "wsgi.input_terminated": True},
        )
        problem(answer, 413, "REQUEST_TOO_LARGE")

    def test_too_large_for_the_whole_app(self, app: Flask, send: Any) -> None:
        """Flask counts first, and it is said in the same words."""
        app.config["MAX_CONTENT_LENGTH"] = 1000
        problem(send(b" " * 1001), 413, "REQUEST_TOO_LARGE")

    @pytest.mark.parametrize(
        ("data", "errors"),
        [
            (b"{}", {"source": ["Missing data for required field."]}),
            (b"", {"source": ["Missing data for required field."]}),
            (b"[]", {"body": ["Invalid input type."]}),
            (b'{"source": 1}', {"source": ["Not a valid string."]}),
            (b'{"source": null}', {"source": ["Field may not be null."]}),
            (b'{"source": "", "x": 1}', {"x": ["Unknown field."]}),
        ],
    )
    def test_every_fault_has_its_field(
        self, send: Any, data: bytes, errors: dict[str, list[str]]
    ) -> None:
        """In `errors` for programs, and in `detail` for people."""
        document = problem(send(data), 422, "INVALID_INPUT")
        assert document["errors"] == errors
        assert next(iter(errors)) in document["detail"]

    def test_faults_are_not_counted_for_ever(self, send: Any) -> None:
        """Nor names repeated at full length."""
        body = json.dumps({f"{number}-{'x' * 1000}": 1 for number in range(50)}).encode()
        errors = problem(send(body), 422, "INVALID_INPUT")["errors"]
        assert len(errors) <= 20
        assert max(map(len, errors)) <= 64

    @pytest.fixture
    def known(self, front_end: Any, anne: str, admin_headers: dict[str, str]) -> Any:
        """Return the headers of somebody who may call an address."""
        return lambda path: admin_headers if path.startswith("/admin") else front_end.headers(anne)

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(path=st.sampled_from(PATHS), body=JSON)
    def test_no_json_breaks_anything(
        self, client: FlaskClient, known: Any, path: str, body: object
    ) -> None:
        """Whoever is known may send whatever they like: an answer or a problem, never a fault of ours."""
        data = json.dumps(body).encode()
        answer = client.post(path, data=data, content_type="application/json", headers=known(path))
        # 501 is said on purpose: a dry run on a filter is not built.
        assert answer.status_code < 500 or answer.status_code == 501
        if answer.status_code >= 400:
            problem(answer, answer.status_code, answer.get_json()["code"])

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(action=st.sampled_from(["next", "renew", "cancel", "lock"]), answer=JSON)
    def test_no_input_breaks_a_step(
        self, client: FlaskClient, front_end: Any, anne: str, action: str, answer: object
    ) -> None:
        """At whichever step the run is."""
        shown = client.post(START, headers=front_end.headers(anne)).get_json()
        order = {"step_seq": shown["step"]["seq"], "input": answer}
        done = client.post(
            f"/processes/instances/{shown['id']}/{action}",
            data=json.dumps(order),
            content_type="application/json",
            headers=front_end.headers(anne),
        )
        assert done.status_code in {200, 400, 409, 422}

    @settings(
        max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(name=st.text(min_size=1, max_size=40))
    def test_no_address_breaks_anything(
        self, client: FlaskClient, front_end: Any, anne: str, name: str
    ) -> None:
        """Ids and names are looked up, and not found."""
        encoded = quote(name.encode("utf-8", "replace"), safe="")
        for path in (f"/processes/instances/{encoded}", f"/processes/{encoded}"):
            answer = client.get(path, headers=front_end.headers(anne))
            assert answer.status_code in {301, 308, 404}


class _Endless:
    """A body that never ends."""

    def read(self, size: int = -1) -> bytes:
        """Return as much as is asked for."""
        assert size > 0
        return b" " * size


class TestFaultsOfOurs:
    """What is not in the table."""

    @pytest.fixture
    def client(self) -> FlaskClient:
        """A caller of an interface that is broken, beside a page that is broken."""
        app = Flask(__name__)
        broken = JSONBlueprint("broken", __name__, url_prefix="/broken")

        @broken.get("")
        def fail() -> str:
            raise RuntimeError("the secret is 1234")

        @app.get("/page")
        def page() -> str:
            raise RuntimeError("of a page")

        register(
            app,
            [broken],
            problems=Problems(meaning_of),
            elsewhere=lambda error: error,
            version="0",
        )
        return app.test_client()

    def test_the_caller_gets_a_reference_and_the_log_the_rest(self, client: FlaskClient) -> None:
        """By the reference the two are brought together."""
        with capture_logs() as logs:
            answer = client.get("/broken")
        document = problem(answer, 500, "INTERNAL_ERROR")
        assert "1234" not in answer.text
        (entry,) = logs
        assert entry["reference"] == document["reference"]
        assert isinstance(entry["exc_info"], RuntimeError)

    def test_a_fault_of_a_page_is_a_page(self, client: FlaskClient) -> None:
        """Nobody shows people JSON."""
        answer = client.get("/page")
        assert (answer.status_code, answer.mimetype) == (500, "text/html")


class TestNeighbours:
    """flask-smorest would take all HTTP errors of the app; it does not get them."""

    def test_a_missing_page_is_a_page(self, client: FlaskClient) -> None:
        """Also where an address only begins like one of ours."""
        for path in ("/nope", "/processesnope", "/administration"):
            answer = client.get(path)
            assert (answer.status_code, answer.mimetype) == (404, "text/html")
        assert client.post("/page").mimetype == "text/html"

    @pytest.mark.parametrize("path", ["/processes/nope/nope", "/admin/v1/nope", "/pki/nope"])
    def test_a_missing_address_of_ours_is_a_problem(self, client: FlaskClient, path: str) -> None:
        """Routing fails before any blueprint is chosen."""
        problem(client.get(path), 404, "NOT_FOUND")

    def test_a_wrong_method_says_which_are_right(self, client: FlaskClient) -> None:
        """RFC 9110, 15.5.6."""
        answer = client.delete(START)
        problem(answer, 405, "METHOD_NOT_ALLOWED")
        assert "POST" in answer.headers["Allow"]
