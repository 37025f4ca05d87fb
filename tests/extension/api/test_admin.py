"""The admin interface over the real sandbox and real versions."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from mobid.auth.tokens import ADMIN_READ, ADMIN_SCRIPT, SCIM_WRITE
from mobid.domain.actors import SYSTEM
from mobid.optionscripts import SHIPPED_VERSION_0
from mobid.storage.tables import audit_events
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def test_what_is_different_between_two_versions(self, console: Console) -> None:
        """As diff shows it; nothing where they are the same, and 404 where there is none."""
        console.post("/versions", source="options.notify = 'none'", comment="")
        console.post("/versions", source=GOOD, comment="")
        shown = console.get("/versions/2/diff/1").get_json()
        assert shown == {
            "version": 2,
            "other": 1,
            "same": False,
            "diff": ["--- 1", "+++ 2", "@@ -1 +1 @@", "-options.notify = 'none'", f"+{GOOD}"],
        }
        same = console.get("/versions/1/diff/1").get_json()
        assert (same["same"], same["diff"]) == (True, [])
        for path in ("/versions/9/diff/1", "/versions/1/diff/9"):
            assert (
                "MobileIDScriptOptions 9" in refused(console.get(path), 404, "NOT_FOUND")["detail"]
            )

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


PROMISE = {
    "name": "Finance gets 90 days",
    "user": {"userName": "ada", "department": "Finance"},
    "expect": {"validity": "90 days"},
}


class TestPromises:
    """Stored tests: kept with the version, and green before it is activated."""

    def test_a_version_keeps_its_tests(self, console: Console) -> None:
        """In the form in which they can be sent again."""
        stored = console.post("/versions", source=GOOD, comment="", tests=[PROMISE]).get_json()
        assert stored["tests"] == [{**PROMISE, "expect": {"validity": "P90D"}}]
        assert console.get("/versions/1").get_json()["tests"] == stored["tests"]
        ran = console.post("/test", version=1).get_json()
        assert ran == {
            "passed": True,
            "tests": [{"name": PROMISE["name"], "passed": True, "problems": []}],
        }
        assert console.post("/activate", version=1, expected_active=0).status_code == 200

    def test_a_red_version_is_not_activated(self, console: Console) -> None:
        """Neither forwards nor back, and the problem says which test and why."""
        console.post("/versions", source="# as shipped", comment="", tests=[PROMISE])
        answer = console.post("/activate", version=1, expected_active=0)
        problem = refused(answer, 422, "SCRIPT_TESTS_FAILED")
        why = "validity: expected 90 days, got 2 years"
        assert problem["tests"] == [{"name": PROMISE["name"], "problems": [why]}]
        assert (
            f'1 of its 1 tests failed, the first is "{PROMISE["name"]}": {why}.'
            in (problem["detail"])
        )
        assert console.get().get_json()["active"] == 0
        assert console.post("/test", version=1).get_json()["passed"] is False

    def test_tests_can_be_tried_before_anything_is_stored(self, console: Console) -> None:
        """On a source, or on a version that has others."""
        sent = console.post("/test", source=GOOD, tests=[PROMISE]).get_json()
        assert sent["passed"] is True
        assert console.post("/test", version=0, tests=[PROMISE]).get_json()["passed"] is False
        refused(console.post("/test", source=GOOD), 422, "INVALID_INPUT")
        refused(console.post("/test", source=GOOD, version=0), 422, "INVALID_INPUT")

    def test_a_test_that_cannot_be_used_is_not_stored(self, console: Console) -> None:
        """It would be green for ever."""
        typo = {"name": "a", "expect": {"validty": "90 days"}}
        answer = console.post("/versions", source=GOOD, comment="", tests=[typo])
        problem = refused(answer, 422, "INVALID_INPUT")
        assert 'there is no option "validty"; did you mean "validity"?' in problem["detail"]
        assert len(console.get().get_json()["versions"]) == 1


class TestGoingBack:
    """What was active before, and who made it so."""

    def test_rollback_goes_to_what_was_active_before(self, console: Console) -> None:
        """Not to the number below; and back again is forth again."""
        for _ in range(3):
            console.post("/versions", source=GOOD, comment="")
        for version, expected in ((1, 0), (3, 1), (3, 3)):
            console.post("/activate", version=version, expected_active=expected)
        assert console.post("/rollback", expected_active=3).get_json()["version"] == 1
        assert console.get().get_json()["active"] == 1
        assert console.post("/rollback", expected_active=1).get_json()["version"] == 3
        shown = console.get().get_json()["activations"]
        assert [(one["version"], one["replaced"]) for one in shown] == [
            *((3, 1), (1, 3), (3, 3), (3, 1), (1, 0)),
        ]
        assert {one["by"] for one in shown} == {"operator:console"}

    def test_rollback_is_compare_and_set(self, console: Console) -> None:
        """And says so, and when there is nothing to go back to."""
        refused(console.post("/rollback", expected_active=0), 409, "NOTHING_TO_ROLL_BACK")
        console.post("/versions", source=GOOD, comment="")
        console.post("/activate", version=1, expected_active=0)
        refused(console.post("/rollback", expected_active=0), 409, "VERSION_CONFLICT")

    def test_a_version_that_was_never_in_quarantine(self, console: Console) -> None:
        """Nothing happens, and the answer says so."""
        console.post("/versions", source=GOOD, comment="")
        assert console.post("/versions/1/release").get_json() == {"released": False}
        refused(console.post("/versions/9/release"), 404, "NOT_FOUND")


class TestTheOtherScript:
    """`MobileIDScriptExpiringOptions` has the same life."""

    def test_it_is_stored_tried_and_activated(
        self, client: FlaskClient, admin_headers: dict[str, str]
    ) -> None:
        """With options of its own."""
        url = "/admin/v1/scripts/MobileIDScriptExpiringOptions"
        source = "options.remind_days = [3]"

        def post(path: str, **body: Any) -> Any:
            return client.post(url + path, json=body, headers=admin_headers).get_json()

        tried = post("/dry-run", source=source, user={"userName": "ada"})
        assert tried["options"] == {"remind_days": [3], "daily_after_last": True}
        promise = {"name": "three", "expect": {"remind_days": [3]}}
        assert post("/versions", source=source, comment="", tests=[promise])["version"] == 1
        assert post("/activate", version=1, expected_active=0)["source"] == source
        assert client.get(url, headers=admin_headers).get_json()["active"] == 1


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

    def test_who_tries_what_on_whom_is_written_down(
        self, console: Console, anne: str, database: Any
    ) -> None:
        """What a script logs, its author learns about somebody; a sample is nobody."""
        console.post("/dry-run", source=GOOD, user={"userName": "bob"})
        console.post("/dry-run", source=GOOD, user_id=anne)
        console.post("/dry-run", source=GOOD, filter="userName pr").close()
        query = sa.select(audit_events).where(audit_events.c.action == "script.dry_run")
        with database.engine.connect() as connection:
            records = [json.loads(row.record) for row in connection.execute(query)]
        digest = hashlib.sha256(GOOD.encode()).hexdigest()
        assert sorted((one["object_id"], one["details"].get("filter")) for one in records) == [
            ("MobileIDScriptOptions", "userName pr"),
            (anne, None),
        ]
        assert {one["details"]["sha256"] for one in records} == {digest}

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


class TestMany:
    """A dry run on all users that a filter matches, as a stream of lines."""

    @pytest.fixture
    def people(self, new_user: Callable[..., str]) -> None:
        """Some, in three departments."""
        for number in range(5):
            new_user(f"fin{number}", department="Finance")
        new_user("kay", department="Kitchen")
        new_user("lou")

    @pytest.mark.usefixtures("people")
    def test_the_differences_to_the_active_version(self, console: Console) -> None:
        """In few lines, with what concerns most users first."""
        source = GOOD + '\nif user.department == "Kitchen":\n    refuse("No phones here.")'
        answer = console.post("/dry-run", source=source, filter="user Name pr")
        assert refused(answer, 422, "INVALID_INPUT")["errors"].keys() == {"filter"}
        answer = console.post("/dry-run", source=source, filter="userName pr")
        assert answer.mimetype == "application/x-ndjson"
        *progress, last = [json.loads(line) for line in answer.text.splitlines()]
        assert [line["progress"] for line in progress] == [
            {"done": 0, "total": 7},
            {"done": 7, "total": 7},
        ]
        assert last["result"] == {
            "total": 7,
            "done": 7,
            "same": 1,
            "lines": [
                {
                    "count": 5,
                    "changes": [{"what": "validity", "before": "P2Y", "after": "P90D"}],
                    "examples": ["fin0", "fin1", "fin2", "fin3", "fin4"],
                },
                {
                    "count": 1,
                    "changes": [
                        {"what": "outcome", "before": "ok", "after": "refused: No phones here."}
                    ],
                    "examples": ["kay"],
                },
            ],
            "others": 0,
            "outcomes": {"ok": 6, "refused": 1},
            "ended": "complete",
        }

    @pytest.mark.usefixtures("people")
    def test_whom_it_is_about_is_the_filters_to_say(self, console: Console) -> None:
        """It is read by what answers SCIM clients; nobody at all is an answer, too."""
        answer = console.post("/dry-run", source=GOOD, filter='userName eq "FIN3"')
        assert json.loads(answer.text.splitlines()[-1])["result"]["done"] == 1
        mine = 'externalId pr or groups.display eq "x" or meta.location co "nowhere"'
        answer = console.post("/dry-run", version=0, filter=mine)
        (first, last) = [json.loads(line) for line in answer.text.splitlines()]
        assert first == {"progress": {"done": 0, "total": 0}}
        assert (last["result"]["done"], last["result"]["lines"]) == (0, [])

    def test_a_script_that_does_not_compile(self, console: Console) -> None:
        """It is refused before anybody is looked at."""
        answer = console.post("/dry-run", source=BAD, filter="userName pr")
        assert refused(answer, 422, "SCRIPT_NOT_ACCEPTED")["diagnostics"]

    @pytest.mark.usefixtures("people")
    def test_one_at_a_time_and_closing_it_ends_it(
        self, client: FlaskClient, admin_headers: dict[str, str]
    ) -> None:
        """A second one is asked to wait, until the first is given up."""

        def ask() -> TestResponse:
            order = {"source": GOOD, "filter": "userName pr"}
            return client.post(SCRIPT + "/dry-run", json=order, headers=admin_headers)

        first = ask()
        again = ask()
        refused(again, 429, "TOO_MANY")
        assert again.headers["Retry-After"] == "30"
        first.close()
        assert ask().get_data(as_text=True).count('"result"') == 1


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
