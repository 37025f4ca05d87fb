"""One line per request, with names and ids and without addresses, bodies or secrets."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mobid.app import create_app
from mobid.auth.tokens import SCOPES
from mobid.domain.actors import SYSTEM
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient

    from mobid.app import Product

    Said = Callable[[], list[Any]]


@pytest.fixture
def client(product: Product) -> FlaskClient:
    """Somebody who calls."""
    return create_app(product).test_client()


@pytest.fixture
def bearer(product: Product) -> Callable[[Audience], dict[str, str]]:
    """Make a token, and return the header that presents it."""

    def make(audience: Audience) -> dict[str, str]:
        token = product.tokens.create(
            "hr", audience, SCOPES[audience], life=timedelta(hours=1), by=SYSTEM
        )
        return {"Authorization": f"Bearer {token.bearer.reveal()}"}

    return make


class TestLine:
    def test_names_the_route_and_never_the_address(
        self, client: FlaskClient, bearer: Callable[[Audience], dict[str, str]], said: Said
    ) -> None:
        """A filter has people's data in it; method, status, time and client are told."""
        answer = client.get(
            "/scim/v2/Users?filter=userName+eq+%22anne%22", headers=bearer(Audience.SCIM)
        )

        (line,) = said()
        assert line.pop("ms") >= 0
        assert line.pop("request_id") == answer.headers["X-Request-Id"]
        actor = line.pop("actor")
        del line["timestamp"]
        assert line == {
            "event": "request",
            "level": "info",
            "method": "GET",
            "route": "/scim/v2/Users",
            "status": 200,
            "client": "hr",
        }
        assert actor.startswith("scim_client:")

    def test_has_the_user_of_a_page(self, client: FlaskClient, said: Said) -> None:
        """The session names whoever signed in."""
        with client.session_transaction() as session:
            session.update(user_id="id-of-anne", auth_time=4_102_444_800)
        client.get("/mobile-ids/2819c223-7f76-453a-919d-413861904646")

        (line,) = said()
        assert (line["status"], line["actor"]) == (404, "user:id-of-anne")
        assert "2819c223" not in json.dumps(line)

    def test_has_the_administrator(
        self, client: FlaskClient, bearer: Callable[[Audience], dict[str, str]], said: Said
    ) -> None:
        """By the token's client."""
        client.get("/admin/v1/scripts/MobileIDScriptOptions", headers=bearer(Audience.ADMIN))

        assert said()[0]["client"] == "hr"

    @pytest.mark.parametrize(
        ("asked", "route", "status"),
        [
            ("GET /nothing/here?token=hunter2", "unmatched", 404),
            ("BREW /scim/v2/Users", "unmatched", 405),
            ("GET /scim/v2/Users/secret-id", "/scim/v2/Users/<", 401),
            ("POST /device/v1/claim", "/device/v1/claim", 415),
            ("GET /e", "/e", 200),
        ],
    )
    def test_is_there_for_what_is_refused(
        self, client: FlaskClient, said: Said, asked: str, route: str, status: int
    ) -> None:
        """Every request has one, strangers' too, and nobody is named in theirs."""
        method, path = asked.split()
        client.open(path, method=method)

        line = next(one for one in said() if one["event"] == "request")
        assert (line["method"], line["status"]) == (method, status)
        assert line["route"].startswith(route)
        assert not {"client", "actor"} & line.keys()
        assert "hunter2" not in json.dumps(line)
        assert "secret-id" not in json.dumps(line)

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    def test_of_a_watcher_is_for_debugging_only(
        self, client: FlaskClient, said: Said, path: str
    ) -> None:
        """A log full of them hides the rest."""
        client.get(path)

        assert said() == []


class TestRequestID:
    @pytest.mark.parametrize(
        "given",
        ["7f9c2ba4e88f827d616045507605853e", "2819c223-7f76-453a-919d-413861904646", "a.b_c-d1"],
    )
    def test_a_well_formed_one_is_kept(self, client: FlaskClient, given: str) -> None:
        """So the logs of a proxy and ours can be read together."""
        assert client.get("/e", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given

    @pytest.mark.parametrize(
        "given", ["", "short", "x" * 65, "a b c d e f", "ä" * 10, "<script>1234"]
    )
    def test_any_other_is_replaced(self, client: FlaskClient, given: str) -> None:
        """What a stranger sends does not write our log."""
        made = client.get("/e", headers={"X-Request-Id": given}).headers["X-Request-Id"]
        assert made != given
        assert len(made) == 32

    def test_is_in_every_line_of_the_request_and_not_of_the_next(
        self, client: FlaskClient, said: Said
    ) -> None:
        """A refusal and its request belong together."""
        client.get("/scim/v2/Users", headers={"X-Request-Id": "first-one"})
        client.get("/processes", headers={"Authorization": "Bearer x.y.z"})

        first, *second = said()
        assert first["request_id"] == "first-one"
        assert {line["event"] for line in second} == {"unauthenticated", "request"}
        (other,) = {line["request_id"] for line in second}
        assert other != "first-one"
