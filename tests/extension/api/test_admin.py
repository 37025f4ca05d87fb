"""The admin interface over the real sandbox and real versions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from mobid.auth.tokens import ADMIN_READ, ADMIN_SCRIPT, SCIM_WRITE
from mobid.domain.actors import SYSTEM
from mobid.optionscripts import SHIPPED_VERSION_0
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from mobid.auth.tokens import BearerTokens

SCRIPT = "/admin/v1/scripts/MobileIDScriptOptions"
GOOD = 'options.validity = days(90) if user.department == "Finance" else years(2)'
BAD = "options.validty = days(90)\nimport os"


class Console:
    """An administrator's program."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers

    def get(self, path: str = "") -> TestResponse:
        """Look at something of the script."""
        return self._client.get(SCRIPT + path, headers=self._headers)

    def post(self, path: str, **body: Any) -> TestResponse:
        """Do something with the script."""
        return self._client.post(SCRIPT + path, json=body, headers=self._headers)


@pytest.fixture
def console(client: FlaskClient, admin_headers: dict[str, str]) -> Console:
    """One that may do everything."""
    return Console(client, admin_headers)


def refused(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Return a problem document, which must be this one."""
    assert answer.mimetype == "application/problem+json"
    problem: dict[str, Any] = answer.get_json()
    assert (answer.status_code, problem["code"]) == (status, code)
    return problem


class TestVersions:
    """To look at versions, store, activate, and go back."""

    def test_the_shipped_version_is_there_from_the_start(self, console: Console) -> None:
        """It is number 0, and active."""
        shown = console.get().get_json()
        assert shown["active"] == 0
        (shipped,) = shown["versions"]
        assert "source" not in shipped
        version = console.get("/versions/0").get_json()
        assert version["source"] == SHIPPED_VERSION_0
        assert version["sha256"] == hashlib.sha256(SHIPPED_VERSION_0.encode()).hexdigest()

    def test_a_life(self, console: Console) -> None:
        """Stored, activated, replaced, rolled back."""
        first = console.post("/versions", source=GOOD, comment="Short for Finance")
        assert first.status_code == 201
        assert first.headers["Location"] == f"{SCRIPT}/versions/1"
        assert first.get_json()["author"] == "operator:console"
        console.post("/versions", source="# as shipped", comment="")
        assert console.get().get_json()["active"] == 0
        for version, expected in ((1, 0), (2, 1), (1, 2), (0, 1)):
            answer = console.post("/activate", version=version, expected_active=expected)
            assert (answer.status_code, answer.get_json()["version"]) == (200, version)
            assert console.get().get_json()["active"] == version
        versions = console.get().get_json()["versions"]
        assert [version["version"] for version in versions] == [2, 1, 0]

    def test_somebody_else_was_faster(self, console: Console) -> None:
        """Activation is compare-and-set."""
        console.post("/versions", source=GOOD, comment="")
        console.post("/activate", version=1, expected_active=0)
        answer = console.post("/activate", version=1, expected_active=0)
        problem = refused(answer, 409, "VERSION_CONFLICT")
        assert "is 1, not 0" in problem["detail"]

    def test_what_does_not_compile_is_not_stored(self, console: Console) -> None:
        """Every fault has its place."""
        problem = refused(
            console.post("/versions", source=BAD, comment=""), 422, "SCRIPT_NOT_ACCEPTED"
        )
        assert problem["outcome"] == "rejected_at_upload"
        assert {fault["line"] for fault in problem["diagnostics"]} >= {2}
        assert all(fault["message"] and fault["code"] for fault in problem["diagnostics"])
        assert len(console.get().get_json()["versions"]) == 1

    def test_a_large_source_is_the_engines_to_refuse(self, console: Console) -> None:
        """The diagnostic says how large one may be."""
        problem = refused(
            console.post("/versions", source="#" * 20_000, comment=""), 422, "SCRIPT_NOT_ACCEPTED"
        )
        assert "16" in problem["diagnostics"][0]["message"]

    @pytest.mark.parametrize(
        "path", ["/versions/1", "/versions/99999999999999999999999", "/../MobileIDScriptNope"]
    )
    def test_what_is_not_there(self, console: Console, path: str) -> None:
        """However large its number is."""
        refused(console.get(path), 404, "NOT_FOUND")

    def test_numbers_beyond_reason_are_not_there_either(self, console: Console) -> None:
        """Nothing is added up before it is known."""
        refused(console.post("/activate", version=2**62, expected_active=0), 404, "NOT_FOUND")
        refused(console.post("/activate", version=-1, expected_active=0), 404, "NOT_FOUND")
        console.post("/versions", source=GOOD, comment="")
        refused(console.post("/activate", version=1, expected_active=-1), 409, "VERSION_CONFLICT")


class TestTrying:
    """Check and dry run have no effect."""

    def test_check_says_what_is_wrong(self, console: Console) -> None:
        """Or that nothing is."""
        assert console.post("/check", source=GOOD).get_json()["outcome"] == "ok"
        found = console.post("/check", source=BAD).get_json()
        assert found["outcome"] == "rejected_at_upload"
        assert found["diagnostics"][0].keys() == {"code", "line", "column", "message"}

    def test_dry_run_on_a_sample(self, console: Console) -> None:
        """With everything that a real run would give."""
        sample = {"userName": "bob", "department": "Finance", "groups": ["staff"]}
        found = console.post("/dry-run", source=GOOD, user=sample).get_json()
        assert found.keys() == {
            *("outcome", "options", "refusal", "log", "diagnostics", "layers", "ms"),
        }
        assert found["outcome"] == "ok"
        assert found["options"]["validity"] == "P90D"
        assert found["options"]["user_id"] == "bob"
        assert found["layers"]
        assert found["ms"] > 0

    def test_dry_run_of_a_stored_version_on_a_real_user(self, console: Console, anne: str) -> None:
        """As SCIM wrote them."""
        console.post("/versions", source=GOOD, comment="")
        found = console.post("/dry-run", version=1, user_id=anne).get_json()
        assert (found["options"]["validity"], found["options"]["user_id"]) == (
            "P90D",
            "anne@example.org",
        )

    def test_a_refusal_is_in_the_scripts_words(self, console: Console) -> None:
        """And is no error of the request."""
        found = console.post("/dry-run", source='refuse("Not you.")', user={"userName": "bob"})
        assert found.status_code == 200
        assert found.get_json()["outcome"] == "refused"
        assert found.get_json()["refusal"] == "Not you."

    def test_groups_are_seen(self, console: Console) -> None:
        """`in_group` works on a sample."""
        source = 'if not user.in_group("staff"):\n    refuse("No.")'
        for groups, outcome in ((["staff"], "ok"), ([], "refused")):
            sample = {"userName": "bob", "groups": groups}
            assert (
                console.post("/dry-run", source=source, user=sample).get_json()["outcome"]
                == outcome
            )

    def test_an_unknown_attribute_of_a_sample_is_refused(self, console: Console) -> None:
        """A script would not see it, and nobody would know why."""
        sample = {"userName": "bob", "departement": "Finance"}
        problem = refused(console.post("/dry-run", source=GOOD, user=sample), 422, "INVALID_INPUT")
        assert problem["errors"] == {"user.departement": ["Unknown field."]}

    def test_a_filter_is_not_built(self, console: Console) -> None:
        """The problem says what is there instead."""
        answer = console.post("/dry-run", source=GOOD, filter='department eq "Finance"')
        assert "name one by user_id" in refused(answer, 501, "NOT_IMPLEMENTED")["detail"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"user": {"userName": "bob"}}, "source"),
            ({"source": "", "version": 1, "user": {"userName": "bob"}}, "source"),
            ({"source": ""}, "user"),
            ({"source": "", "user": {"userName": "bob"}, "user_id": "x"}, "user"),
            ({"source": "", "user": {}}, "user.userName"),
            ({"source": "", "user": {"userName": 1}}, "user.userName"),
            ({"source": "", "user": []}, "user"),
            ({"version": True, "user_id": "x"}, "version"),
            ({"version": "1", "user_id": "x"}, "version"),
            ({"version": 1.0, "user_id": "x"}, "version"),
        ],
    )
    def test_orders_that_do_not_fit(
        self, console: Console, body: dict[str, Any], field: str
    ) -> None:
        """Every fault has its field."""
        problem = refused(console.post("/dry-run", **body), 422, "INVALID_INPUT")
        assert field in problem["errors"]

    def test_who_is_not_there(self, console: Console) -> None:
        """A real user has to be."""
        refused(console.post("/dry-run", source=GOOD, user_id="nobody"), 404, "NOT_FOUND")


class TestScopes:
    """Who may do what."""

    @pytest.fixture
    def reader(self, client: FlaskClient, tokens: BearerTokens) -> Console:
        """One that may only look."""
        new = tokens.create("auditor", Audience.ADMIN, [ADMIN_READ], by=SYSTEM)
        return Console(client, {"Authorization": f"Bearer {new.bearer.reveal()}"})

    def test_a_reader_only_looks(self, reader: Console) -> None:
        """And learns which scope is missing before anything is said about the body."""
        assert reader.get().status_code == 200
        for path in ("/check", "/dry-run", "/versions", "/activate"):
            answer = reader.post(path, rubbish=1)
            refused(answer, 403, "FORBIDDEN")
            challenge = answer.headers["WWW-Authenticate"]
            assert f'error="insufficient_scope", scope="{ADMIN_SCRIPT}"' in challenge

    def test_a_scim_client_is_no_administrator(
        self, client: FlaskClient, tokens: BearerTokens
    ) -> None:
        """Whatever it may do over SCIM."""
        new = tokens.create("hr", Audience.SCIM, [SCIM_WRITE], by=SYSTEM)
        hr = Console(client, {"Authorization": f"Bearer {new.bearer.reveal()}"})
        answer = hr.get()
        refused(answer, 401, "UNAUTHENTICATED")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]

    def test_a_front_ends_user_is_no_administrator(
        self, client: FlaskClient, front_end: Any, anne: str
    ) -> None:
        """An assertion is no token, and a token is no assertion."""
        refused(client.get(SCRIPT, headers=front_end.headers(anne)), 401, "UNAUTHENTICATED")

    def test_an_administrator_is_no_user(
        self, client: FlaskClient, admin_headers: dict[str, str]
    ) -> None:
        """Hooks are always with the identity of an end user."""
        refused(client.get("/processes", headers=admin_headers), 401, "UNAUTHENTICATED")
