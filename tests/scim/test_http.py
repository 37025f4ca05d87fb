"""SCIM over HTTP, on storage in memory: RFC 7644."""

import io
import logging
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_models import EnterpriseUser, Error, ListResponse, User
from werkzeug.test import TestResponse

BASE = "https://id.example/scim/v2"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BADGES = "urn:example:scim:badges:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SCIM = "application/scim+json"
BARBARA: dict[str, object] = {
    "schemas": [CORE, ENTERPRISE],
    "userName": "bjensen",
    "externalId": "701984",
    "name": {"familyName": "Jensen", "givenName": "Barbara"},
    "emails": [{"value": "bjensen@example.com", "type": "work", "primary": True}],
    ENTERPRISE: {"department": "Tour Operations"},
}


def create(client: FlaskClient, **values: object) -> dict[str, Any]:
    """Create a user and return it as it was answered."""
    answer = client.post("/scim/v2/Users", json=BARBARA | values, content_type=SCIM)
    assert answer.status_code == 201
    created: dict[str, Any] = answer.get_json(force=True)
    return created


def search(client: FlaskClient, query: str) -> dict[str, Any]:
    """Return a list."""
    answer = client.get(f"/scim/v2/Users?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json(force=True)
    return found


def patch(client: FlaskClient, *operations: object, **options: Any) -> TestResponse:
    """Change the first user."""
    body = {"schemas": [PATCH_OP], "Operations": list(operations)}
    return client.patch("/scim/v2/Users/u1", json=body, content_type=SCIM, **options)


def refused(answer: TestResponse, status: int, scim_type: str | None = None) -> str:
    """Check that an answer is an error as SCIM has it, and return what a person reads."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == SCIM
    body: dict[str, Any] = answer.get_json(force=True)
    Error.model_validate(body)
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert body["status"] == str(status)
    assert body.get("scimType") == scim_type
    return str(body["detail"])


TITLE = {"op": "replace", "path": "title", "value": "Boss"}


class TestCreate:
    """RFC 7644, 3.3."""

    def test_the_answer_is_the_resource_and_where_it_is(self, client: FlaskClient) -> None:
        """201 with Location, ETag and what the provider added."""
        answer = client.post("/scim/v2/Users", json=BARBARA, content_type=SCIM)
        body = answer.get_json(force=True)
        assert answer.status_code == 201
        assert answer.content_type == SCIM
        assert answer.headers["Location"] == body["meta"]["location"] == f"{BASE}/Users/u1"
        assert answer.headers["ETag"] == body["meta"]["version"] == 'W/"1"'
        assert {name: body[name] for name in BARBARA} == BARBARA
        User[EnterpriseUser].model_validate(body)

    def test_the_provider_makes_id_and_meta(self, client: FlaskClient) -> None:
        """What the client says about them is ignored."""
        created = create(client, id="1", meta={"version": 'W/"0"', "created": "1970"})
        assert created["id"] == "u1"
        assert created["meta"]["version"] == 'W/"1"'

    @pytest.mark.parametrize(
        "accept", ["application/scim+json", "application/json", "*/*", "application/json;q=0.1"]
    )
    def test_answers_are_scim_whatever_json_is_accepted(
        self, accept: str, client: FlaskClient
    ) -> None:
        """RFC 7644, 3.1: one media type, for errors as well."""
        headers = {"Accept": accept}
        assert client.get("/scim/v2/Users", headers=headers).content_type == SCIM
        refused(client.get("/scim/v2/Users/none", headers=headers), 404)

    def test_plain_json_is_taken(self, client: FlaskClient) -> None:
        """RFC 7644, 3.1: application/json, with the same meaning."""
        assert client.post("/scim/v2/Users", json=BARBARA).status_code == 201

    def test_a_taken_name_is_a_conflict(self, client: FlaskClient) -> None:
        """RFC 7644, 3.3: 409 uniqueness, in any case of the name."""
        create(client)
        answer = client.post("/scim/v2/Users", json=BARBARA | {"userName": "BJensen"})
        assert refused(answer, 409, "uniqueness") == 'The userName "BJensen" is taken.'

    def test_the_answer_can_be_chosen(self, client: FlaskClient) -> None:
        """RFC 7644, 3.9: on every operation that returns a resource."""
        answer = client.post("/scim/v2/Users?attributes=userName", json=BARBARA)
        assert set(answer.get_json(force=True)) == {"schemas", "id", "userName"}


class TestRead:
    """RFC 7644, 3.4.1."""

    def test_what_was_created_can_be_read(self, client: FlaskClient) -> None:
        """The same body, with the same version; a slash at the end makes no difference."""
        created = create(client)
        for path in ("/scim/v2/Users/u1", "/scim/v2/Users/u1/"):
            answer = client.get(path)
            assert answer.get_json(force=True) == created
            assert answer.headers["ETag"] == 'W/"1"'

    @pytest.mark.parametrize("tag", ['W/"1"', '"1"', 'W/"0", W/"1"', "*"])
    def test_what_the_client_has_is_not_sent_again(self, tag: str, client: FlaskClient) -> None:
        """RFC 7644, 3.14: If-None-Match compares weakly."""
        create(client)
        answer = client.get("/scim/v2/Users/u1", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == 'W/"1"'

    @pytest.mark.parametrize("tag", ['W/"2"', "nonsense", ""])
    def test_what_the_client_has_not_is_sent(self, tag: str, client: FlaskClient) -> None:
        """Another version, or none."""
        create(client)
        answer = client.get("/scim/v2/Users/u1", headers={"If-None-Match": tag})
        assert answer.status_code == 200

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize(("tag", "status"), [("*", 412), ('W/"1"', 412), ('W/"2"', None)])
    def test_what_is_not_to_match_is_not_changed(
        self, method: str, tag: str, status: int | None, client: FlaskClient
    ) -> None:
        """RFC 9110, 13.1.2: with `*`, a client wants to change only what is not there."""
        create(client)
        before = client.get("/scim/v2/Users/u1").data
        operation = {"op": "replace", "path": "title", "value": "x"}
        bodies = {
            "PUT": {"schemas": [CORE], "userName": "x"},
            "PATCH": {"schemas": [PATCH_OP], "Operations": [operation]},
        }
        answer = client.open(
            "/scim/v2/Users/u1",
            method=method,
            json=bodies.get(method),
            headers={"If-None-Match": tag, "If-Match": "*"},
        )
        if status is None:
            assert answer.status_code in (200, 204), answer.text
        else:
            assert answer.status_code == status
            assert client.get("/scim/v2/Users/u1").data == before

    @pytest.mark.parametrize("unknown", ["u2", "%00", "%ff", "x" * 300, "a%2Fb", "..%2Fu1"])
    def test_what_is_not_there_is_not_found(self, unknown: str, client: FlaskClient) -> None:
        """404, whatever the id looks like."""
        create(client)
        refused(client.get(f"/scim/v2/Users/{unknown}"), 404)

    def test_head_is_get_without_a_body(self, client: FlaskClient) -> None:
        """RFC 9110, 9.3.2."""
        create(client)
        answer = client.head("/scim/v2/Users/u1")
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.headers["ETag"] == 'W/"1"'

    def test_what_is_on_request_comes_on_request(self, client: FlaskClient) -> None:
        """And the schemas then list the extension that it is in."""
        create(client)
        assert BADGES not in client.get("/scim/v2/Users/u1").get_json(force=True)
        answer = client.get(f"/scim/v2/Users/u1?attributes={BADGES}:badges.picture")
        body = answer.get_json(force=True)
        assert body[BADGES] == {"badges": [{"picture": "iVBORw0KGgo="}]}
        assert BADGES in body["schemas"]

    def test_external_ids_are_the_clients_own(self, client: FlaskClient) -> None:
        """RFC 7643, 3.1: another client does not see it."""
        create(client)
        other = {"Authorization": "Bearer other"}
        assert "externalId" not in client.get("/scim/v2/Users/u1", headers=other).text


class TestSearch:
    """RFC 7644, 3.4.2."""

    def test_a_list_says_how_many_there_are(self, client: FlaskClient) -> None:
        """Counters are numbers and come before the resources."""
        first, second = create(client), create(client, userName="babs")
        found = search(client, "")
        assert list(found) == [
            *("schemas", "totalResults", "startIndex", "itemsPerPage", "Resources")
        ]
        assert found["Resources"] == [first, second]
        assert (found["totalResults"], found["itemsPerPage"]) == (2, 2)
        ListResponse[User[EnterpriseUser]].model_validate(found)

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ('userName eq "BJENSEN"', ["bjensen"]),
            ('emails.value eq "bjensen@example.com" and active eq false', ["babs"]),
            (f'{ENTERPRISE}:department eq "tour operations"', ["bjensen", "babs"]),
            ('(id eq "u1") and (externalId eq "701984")', ["bjensen"]),
            ('userName eq "%"', []),
        ],
    )
    def test_filters_choose(self, query: str, names: list[str], client: FlaskClient) -> None:
        """RFC 7644, 3.4.2.2."""
        create(client)
        create(client, userName="babs", active=False)
        found = search(client, f"filter={quote(query)}")
        assert [each["userName"] for each in found["Resources"]] == names
        assert found["totalResults"] == len(names)

    @pytest.mark.parametrize(
        ("query", "names", "start"),
        [
            ("startIndex=2&count=1", ["b"], 2),
            ("startIndex=0&count=1", ["a"], 1),
            ("startIndex=-5", ["a", "b", "c"], 1),
            ("count=0", [], 1),
            ("count=-1", [], 1),
            ("count=100000", ["a", "b", "c"], 1),
            ("startIndex=9", [], 9),
            (f"startIndex={'9' * 90}", [], 2**53),
        ],
    )
    def test_pages_count_from_one(
        self, query: str, names: list[str], start: int, client: FlaskClient
    ) -> None:
        """RFC 7644, 3.4.2.4: below 1 is 1, below 0 is 0, and the total is of everything."""
        for name in "abc":
            create(client, userName=name)
        found = search(client, query)
        assert [each["userName"] for each in found["Resources"]] == names
        assert (found["startIndex"], found["itemsPerPage"]) == (start, len(names))
        assert found["totalResults"] == 3

    def test_lists_are_projected_as_well(self, client: FlaskClient) -> None:
        """RFC 7644, 3.9."""
        create(client)
        found = search(client, "attributes=emails.value&count=1")
        emails = [{"value": "bjensen@example.com"}]
        assert found["Resources"] == [{"schemas": [CORE, ENTERPRISE], "id": "u1", "emails": emails}]

    @pytest.mark.parametrize(
        ("query", "status", "scim_type", "message"),
        [
            ("filter=foo+eq+%22x%22", 400, "invalidFilter", 'no attribute "foo"'),
            ("filter=", 400, "invalidFilter", "ends too early"),
            ("filter=%00", 400, "invalidFilter", "unexpected"),
            ("filter=" + "(" * 3000, 400, "invalidFilter", "32 deep"),
            ("count=x", 400, "invalidValue", 'count is an integer; "x" is none'),
            ("count=%D9%A3", 400, "invalidValue", "is an integer"),
            ("count=", 400, "invalidValue", "is an integer"),
            ("count=1&count=2", 400, "invalidValue", "The parameter count comes twice"),
            ("attributes=id&excludedAttributes=id", 400, "invalidValue", "not both"),
            ("filter=%ff", 400, "invalidSyntax", "not UTF-8"),
            ("a&" * 200, 400, "invalidSyntax", "more than 100 parameters"),
            ("sortBy=foo", 400, "invalidValue", 'User has no attribute "foo"'),
            ("sortBy=userName&sortOrder=up", 400, "invalidValue", "ascending or descending"),
            ("cursor=", 501, None, "Paging by cursor is not available"),
        ],
    )
    def test_what_cannot_be_done_is_said(
        self, query: str, status: int, scim_type: str | None, message: str, client: FlaskClient
    ) -> None:
        """Never a list of something else."""
        create(client)
        assert message in refused(client.get(f"/scim/v2/Users?{query}"), status, scim_type)

    def test_a_type_that_is_not_sorted_says_so(self, client: FlaskClient) -> None:
        """Nothing of a query is ever dropped."""
        answer = client.get("/scim/v2/Notes?sortBy=id")
        assert refused(answer, 501) == "/Notes cannot be sorted; leave sortBy."

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("sortBy=userName", ["Anna", "bert", "Carl"]),
            ("sortBy=userName&sortOrder=descending", ["Carl", "bert", "Anna"]),
            ("sortBy=USERNAME&sortOrder=Descending&count=1", ["Carl"]),
            ("sortBy=emails&startIndex=2", ["bert", "Carl"]),
            (f"sortBy={quote(ENTERPRISE)}:department", ["Carl", "Anna", "bert"]),
            ("sortOrder=descending", ["Carl", "Anna", "bert"]),
        ],
    )
    def test_lists_are_sorted(self, query: str, names: list[str], client: FlaskClient) -> None:
        """RFC 7644, 3.4.2.3; an order without sortBy is ignored."""
        for name in ("Carl", "Anna", "bert"):
            create(client, userName=name, emails=[{"value": f"{name}@x"}])
        found = search(client, query)
        assert [each["userName"] for each in found["Resources"]] == names

    @pytest.mark.parametrize("path", ["/Users", "/", "/Schemas"])
    def test_unknown_parameters_are_refused(self, path: str, client: FlaskClient) -> None:
        """A misspelled filter would else give everything."""
        create(client)
        answer = client.get(f"/scim/v2{path}?fliter=userName+eq+%22x%22")
        message = 'The URL has no parameter "fliter". Did you mean filter?'
        assert refused(answer, 400, "invalidValue") == message

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("DELETE", "/Users/u1"),
            ("POST", "/Users/.search"),
            ("POST", "/.search"),
            ("GET", "/Users/u1"),
            ("PUT", "/Users/u1"),
            ("PATCH", "/Users/u1"),
            ("POST", "/Users"),
        ],
    )
    @pytest.mark.parametrize("name", ["filter", "count", "dryRun"])
    def test_parameters_without_a_meaning_are_refused(
        self, method: str, path: str, name: str, client: FlaskClient
    ) -> None:
        """A client would take them for obeyed; nothing is done, above all nothing deleted."""
        create(client)
        before = client.get("/scim/v2/").data
        search = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}
        body = search if path.endswith(".search") else {"userName": "x"}
        answer = client.open(f"/scim/v2{path}?{name}=1", method=method, json=body)
        none = method == "DELETE" or path.endswith(".search")
        known = "" if none else " Known are attributes, excludedAttributes."
        message = f'The URL has no parameter "{name}".{known}'
        assert refused(answer, 400, "invalidValue") == message
        assert client.get("/scim/v2/").data == before


class TestPatch:
    """RFC 7644, 3.5.2."""

    def test_the_answer_is_the_changed_resource(self, client: FlaskClient) -> None:
        """200 with the body and the new version."""
        create(client)
        answer = patch(client, TITLE)
        assert answer.status_code == 200
        assert answer.headers["ETag"] == 'W/"2"'
        assert answer.get_json(force=True) == client.get("/scim/v2/Users/u1").get_json(force=True)
        assert answer.get_json(force=True)["title"] == "Boss"

    def test_what_changes_nothing_keeps_the_version(self, client: FlaskClient, rows: Any) -> None:
        """Storage is not even asked to write."""
        create(client, title="Boss")
        answer = patch(client, TITLE, {"op": "add", "path": "emails", "value": BARBARA["emails"]})
        assert answer.status_code == 200
        assert answer.headers["ETag"] == 'W/"1"'
        assert rows.writes == 1

    def test_all_or_nothing(self, client: FlaskClient) -> None:
        """One wrong operation, and none is applied."""
        created = create(client)
        answer = patch(client, TITLE, {"op": "replace", "path": "id", "value": "u2"})
        assert "id is readOnly" in refused(answer, 400, "mutability")
        assert client.get("/scim/v2/Users/u1").get_json(force=True) == created

    def test_a_client_may_want_no_body(self, client: FlaskClient) -> None:
        """RFC 7240, 4.2: return=minimal gives 204, with the version."""
        create(client)
        answer = patch(client, TITLE, headers={"Prefer": "respond-async, Return = Minimal"})
        assert (answer.status_code, answer.data) == (204, b"")
        assert answer.headers["ETag"] == 'W/"2"'
        assert answer.headers["Preference-Applied"] == "return=minimal"

    @pytest.mark.parametrize("tag", ['W/"1"', '"1"', 'W/"7", W/"1"', "*"])
    def test_the_expected_version_may_be_changed(self, tag: str, client: FlaskClient) -> None:
        """RFC 7644, 3.14: If-Match compares weakly."""
        create(client)
        assert patch(client, TITLE, headers={"If-Match": tag}).status_code == 200

    @pytest.mark.parametrize("tag", ['W/"2"', "nonsense", ""])
    def test_another_version_may_not(self, tag: str, client: FlaskClient) -> None:
        """412, and the message has the version that is there."""
        create(client)
        answer = patch(client, TITLE, headers={"If-Match": tag})
        assert 'has the version W/"1" now; read it again' in refused(answer, 412)

    def test_a_change_in_between_is_not_lost(self, client: FlaskClient, rows: Any) -> None:
        """Without If-Match, the change is computed again from what the other one left."""
        create(client)

        def somebody_else() -> None:
            rows.before_replace = lambda: None
            patch(client, {"op": "add", "path": "nickName", "value": "Babs"})

        rows.before_replace = somebody_else
        body = patch(client, TITLE).get_json(force=True)
        assert (body["title"], body["nickName"]) == ("Boss", "Babs")
        assert body["meta"]["version"] == 'W/"3"'

    def test_a_change_in_between_fails_a_precondition(self, client: FlaskClient, rows: Any) -> None:
        """With If-Match, the version that was read is not there any more."""
        create(client)

        def somebody_else() -> None:
            rows.before_replace = lambda: None
            patch(client, {"op": "add", "path": "nickName", "value": "Babs"})

        rows.before_replace = somebody_else
        refused(patch(client, TITLE, headers={"If-Match": 'W/"1"'}), 412)
        assert "title" not in client.get("/scim/v2/Users/u1").text

    def test_what_never_rests_is_a_conflict(self, client: FlaskClient, rows: Any) -> None:
        """Three attempts, then the client is told."""
        create(client)
        numbers = iter(range(100))

        def restless() -> None:
            rows.before_replace = lambda: None
            patch(client, {"op": "add", "path": "nickName", "value": f"n{next(numbers)}"})
            rows.before_replace = restless

        rows.before_replace = restless
        assert "keeps changing; send it again" in refused(patch(client, TITLE), 409)
        assert next(numbers) == 3

    def test_a_renaming_to_a_taken_name_is_a_conflict(self, client: FlaskClient) -> None:
        """409 uniqueness, as on create."""
        create(client)
        create(client, userName="babs")
        answer = patch(client, {"op": "replace", "path": "userName", "value": "Babs"})
        refused(answer, 409, "uniqueness")


class TestDelete:
    """RFC 7644, 3.6."""

    def test_what_is_deleted_is_gone(self, client: FlaskClient) -> None:
        """204, then 404."""
        create(client)
        answer = client.delete("/scim/v2/Users/u1")
        assert (answer.status_code, answer.data) == (204, b"")
        assert "Content-Type" not in answer.headers
        refused(client.get("/scim/v2/Users/u1"), 404)
        refused(client.delete("/scim/v2/Users/u1"), 404)

    def test_another_version_is_not_deleted(self, client: FlaskClient) -> None:
        """412, and it is still there."""
        create(client)
        refused(client.delete("/scim/v2/Users/u1", headers={"If-Match": 'W/"9"'}), 412)
        assert client.get("/scim/v2/Users/u1").status_code == 200
        answer = client.delete("/scim/v2/Users/u1", headers={"If-Match": 'W/"1"'})
        assert answer.status_code == 204


class TestWhatIsNotThere:
    """501 for what the RFC has and this provider has not; 405 and 404 for the rest."""

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/Bulk"),
            ("GET", "/Me"),
            ("PATCH", "/Me"),
            ("PUT", "/Notes/n1"),
            ("POST", "/Notes"),
            ("PATCH", "/Notes/n1"),
            ("DELETE", "/Notes/n1"),
        ],
    )
    def test_it_is_not_implemented(self, method: str, path: str, client: FlaskClient) -> None:
        """Never a wrong 200."""
        body = {"schemas": [PATCH_OP], "Operations": [TITLE]} if method == "PATCH" else {}
        answer = client.open(f"/scim/v2{path}", method=method, json=body)
        assert "not available" in refused(answer, 501)

    @pytest.mark.parametrize(
        ("method", "path", "allow"),
        [
            ("PUT", "/Users", "GET, HEAD, POST"),
            ("DELETE", "/Users/", "GET, HEAD, POST"),
            ("POST", "/Users/u1", "GET, HEAD, PUT, PATCH, DELETE"),
            ("GET", "/Bulk", "POST"),
            ("OPTIONS", "/Users", "GET, HEAD, POST"),
            ("TRACE", "/Users/.search", "POST"),
        ],
    )
    def test_other_methods_are_not_allowed(
        self, method: str, path: str, allow: str, client: FlaskClient
    ) -> None:
        """RFC 9110, 15.5.6: with what is allowed."""
        answer = client.open(f"/scim/v2{path}", method=method)
        refused(answer, 405)
        assert answer.headers["Allow"] == allow

    @pytest.mark.parametrize("path", ["/Gruppen", "/users", "/Users/u1/emails", "//Users", "/%00"])
    def test_other_paths_are_not_found(self, path: str, client: FlaskClient) -> None:
        """As SCIM says it, not as HTML."""
        assert "There is nothing at" in refused(client.get(f"/scim/v2{path}"), 404)

    def test_a_type_that_is_only_read_can_be_read(self, client: FlaskClient) -> None:
        """Computed values are merged in."""
        note = client.get("/scim/v2/Notes/n1").get_json(force=True)
        assert note["text"] == "for alice"
        found = client.get("/scim/v2/Notes").get_json(force=True)
        assert found["Resources"] == [note]


class TestWhoIsCalling:
    """RFC 7644, 2."""

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/Users"),
            ("POST", "/Users"),
            ("GET", "/Users/u1"),
            ("GET", "/ServiceProviderConfig"),
            ("GET", "/Nothing/here"),
            ("GET", "//Nothing"),
            ("DELETE", "/Schemas"),
            ("OPTIONS", "/Users"),
            ("POST", "/Bulk"),
        ],
    )
    def test_a_stranger_learns_nothing(self, method: str, path: str, stranger: FlaskClient) -> None:
        """401 everywhere, unknown paths and methods included, before any body is read."""
        answer = stranger.open(f"/scim/v2{path}", method=method, data=b"{")
        assert refused(answer, 401) == "Send a valid bearer token."
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_a_reader_may_not_write(self, client: FlaskClient) -> None:
        """403 before the body is read."""
        client.environ_base["HTTP_AUTHORIZATION"] = "Bearer read-only"
        answer = client.post("/scim/v2/Users", data=b"{", content_type=SCIM)
        assert refused(answer, 403) == "reader may not create /Users."
        assert client.get("/scim/v2/Users").status_code == 200


class TestBodies:
    """RFC 7644, 3.1, and what strangers send."""

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/xml", "", "application/json; charset=latin-1"],
    )
    def test_other_media_types_are_refused(self, content_type: str, client: FlaskClient) -> None:
        """415."""
        answer = client.post("/scim/v2/Users", data=b"{}", content_type=content_type)
        refused(answer, 415)

    def test_compressed_bodies_are_refused(self, client: FlaskClient) -> None:
        """A bomb is not unpacked."""
        headers = {"Content-Encoding": "gzip"}
        refused(client.post("/scim/v2/Users", json=BARBARA, headers=headers), 415)

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[" * 1100, b'{"a":NaN}', b'{"a":1,"a":2}', b"\xff", b'"\\ud800"']
    )
    def test_what_is_no_json_is_refused(self, body: bytes, client: FlaskClient) -> None:
        """400 invalidSyntax."""
        answer = client.post("/scim/v2/Users", data=body, content_type=SCIM)
        assert "no acceptable JSON" in refused(answer, 400, "invalidSyntax")

    def test_a_large_body_is_refused(self, client: FlaskClient) -> None:
        """413 by its length alone."""
        answer = client.post("/scim/v2/Users", data=b"x" * (2**20 + 1), content_type=SCIM)
        assert refused(answer, 413) == "The body is larger than 1048576 bytes."

    def test_a_large_chunked_body_is_refused(self, client: FlaskClient) -> None:
        """413 without a length: no more than the limit is read."""
        stream = io.BytesIO(b'{"userName": "' + b"x" * 2**22)
        answer = client.post(
            "/scim/v2/Users",
            input_stream=stream,
            content_type=SCIM,
            environ_overrides={"wsgi.input_terminated": True},
        )
        refused(answer, 413)
        assert stream.tell() <= 2**20 + 1

    def test_a_chunked_body_is_read(self, client: FlaskClient) -> None:
        """Without a length, too."""
        stream = io.BytesIO(b'{"schemas": ["%s"], "userName": "bj"}' % CORE.encode())
        answer = client.post(
            "/scim/v2/Users",
            input_stream=stream,
            content_type=SCIM,
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert answer.status_code == 201


class TestWhatFails:
    """Errors of the product."""

    def test_known_errors_are_translated(self, client: FlaskClient, rows: Any) -> None:
        """By the table that the app gives."""
        create(client)

        def burn() -> None:
            raise LookupError("of the product")

        rows.before_replace = burn
        assert refused(patch(client, TITLE), 404) == "It burned."

    def test_unknown_errors_are_logged_and_not_told(
        self, client: FlaskClient, rows: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """500 without details."""
        create(client)

        def fail() -> None:
            raise RuntimeError("SELECT secret FROM places")

        rows.before_replace = fail
        with caplog.at_level(logging.ERROR, logger="mobid_scim.http"):
            answer = patch(client, TITLE)
        assert refused(answer, 500) == "The request failed here; the operator's log says why."
        assert "SELECT secret" in caplog.text

    def test_two_providers_live_in_one_process(self, app: Flask, client: FlaskClient) -> None:
        """Nothing is global: another application knows nothing of this one."""
        create(client)
        other = Flask("other")
        assert other.test_client().get("/scim/v2/Users/u1").status_code == 404
        assert app.test_client().get("/scim/v2/Users/u1").status_code == 401


class TestAnIndependentClient:
    """Somebody else's reading of the RFC."""

    def test_it_discovers_creates_reads_and_finds(self, app: Flask) -> None:
        """scim2-client checks every answer against the schemas that it discovered."""
        headers = {"Authorization": "Bearer read-write"}
        scim: Any = WSGISCIMClient(app, BASE, headers=headers)
        scim.discover()
        model: Any = scim.get_resource_model("User")
        created = scim.create(model(user_name="bjensen"))
        assert created.meta.location == f"{BASE}/Users/u1"
        assert scim.query(model, created.id) == created
        found = scim.query(model, query_parameters={"filter": 'userName eq "BJENSEN"'})
        assert found.resources == [created]
