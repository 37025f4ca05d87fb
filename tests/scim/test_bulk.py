"""Bulk requests: RFC 7644, 3.7."""

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from scim2_models import BulkResponse, Context, EnterpriseUser, Error, Group, User

from mobid_scim.bulk.order import in_order
from mobid_scim.bulk.request import BulkLimits
from mobid_scim.errors import PreconditionFailed

BASE = "https://id.example/scim/v2"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
Values = dict[str, Any]


@pytest.fixture
def bulk(client_of: Callable[..., FlaskClient], transactions: Any) -> FlaskClient:
    """Return a client of a provider with Bulk and transactions."""
    return client_of(bulk=BulkLimits(max_operations=100), unit=transactions)


@pytest.fixture
def single(client_of: Callable[..., FlaskClient]) -> FlaskClient:
    """Return a client of a provider with Bulk, where each operation stands alone."""
    return client_of(bulk=BulkLimits(max_operations=100))


@pytest.fixture(params=["bulk", "single"])
def either(request: pytest.FixtureRequest) -> FlaskClient:
    """Return both, one after the other."""
    client: FlaskClient = request.getfixturevalue(request.param)
    return client


def send(client: FlaskClient, *operations: object, **options: Any) -> list[Values]:
    """Send a Bulk request, and return the results, checked by somebody else's model."""
    headers = options.pop("headers", {})
    body = {"schemas": [BULK], "Operations": list(operations)} | options
    answer = client.post("/scim/v2/Bulk", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/scim+json"
    found = answer.get_json(force=True)
    BulkResponse[User[EnterpriseUser] | Group].model_validate(found, scim_ctx=Context.BULK_RESPONSE)
    results: list[Values] = found["Operations"]
    return results


def refused(answer: Any, status: int, scim_type: str | None = None) -> str:
    """Check that the whole request is refused, and return what a person reads."""
    assert answer.status_code == status, answer.text
    body = answer.get_json(force=True)
    Error.model_validate(body)
    assert body.get("scimType") == scim_type
    return str(body["detail"])


def failed(result: Values, status: str, scim_type: str | None = None) -> str:
    """Check that one operation has failed, and return what a person reads."""
    assert result["status"] == status, result
    assert result["response"]["status"] == status
    assert result["response"].get("scimType") == scim_type
    return str(result["response"]["detail"])


def user(bulk_id: str, name: str | None = None, /, **values: object) -> Values:
    """Return an operation that creates a user."""
    data = {"schemas": [CORE], "userName": name or bulk_id} | values
    return {"method": "POST", "path": "/Users", "bulkId": bulk_id, "data": data}


def group(bulk_id: str, *members: str, **values: object) -> Values:
    """Return an operation that creates a group."""
    data: Values = {"schemas": [GROUP], "displayName": bulk_id}
    data |= {"members": [{"value": each} for each in members]} | values
    return {"method": "POST", "path": "/Groups", "bulkId": bulk_id, "data": data}


def patch(at: str, /, **operation: object) -> Values:
    """Return an operation that changes something."""
    data = {"schemas": [PATCH_OP], "Operations": [operation]}
    return {"method": "PATCH", "path": at, "data": data}


def members(client: FlaskClient, group_id: str) -> list[str]:
    """Return the members of a group."""
    found = client.get(f"/scim/v2/Groups/{group_id}").get_json(force=True)
    return [each["value"] for each in found.get("members", [])]


class TestMethods:
    """RFC 7644, 3.7: POST, PUT, PATCH and DELETE, each as it would be alone."""

    def test_parameters_of_the_url_are_refused(self, either: FlaskClient) -> None:
        """They have no meaning here, so a client that sends some would be misled."""
        body = {"schemas": [BULK], "Operations": [user("a", "Alice")]}
        answer = either.post("/scim/v2/Bulk?failOnErrors=1", json=body)
        assert answer.status_code == 400
        assert "The URL has no parameter" in answer.text
        assert "Alice" not in either.get("/scim/v2/Users").text

    def test_the_example_of_the_rfc(self, either: FlaskClient) -> None:
        """3.7.3: a POST, a PUT, a PATCH and a DELETE, and what each answers."""
        for name in ("Bob", "Dave", "Joe"):
            either.post("/scim/v2/Users", json=user("", name)["data"])
        results = send(
            either,
            user("qwerty", "Alice"),
            {
                "method": "PUT",
                "path": "/Users/u1",
                "version": 'W/"1"',
                "data": {"schemas": [CORE], "userName": "Robert"},
            },
            patch("/Users/u2", op="replace", path="displayName", value="David"),
            {"method": "DELETE", "path": "/Users/u3", "version": 'W/"1"'},
        )
        assert results == [
            {
                "location": f"{BASE}/Users/u4",
                "method": "POST",
                "bulkId": "qwerty",
                "version": 'W/"1"',
                "status": "201",
            },
            {
                "location": f"{BASE}/Users/u1",
                "method": "PUT",
                "version": 'W/"2"',
                "status": "200",
            },
            {
                "location": f"{BASE}/Users/u2",
                "method": "PATCH",
                "version": 'W/"2"',
                "status": "200",
            },
            {"location": f"{BASE}/Users/u3", "method": "DELETE", "status": "204"},
        ]
        assert either.get("/scim/v2/Users/u1").get_json(force=True)["userName"] == "Robert"
        assert either.get("/scim/v2/Users/u3").status_code == 404

    def test_resources_come_back_where_they_are_wanted(self, either: FlaskClient) -> None:
        """RFC 7644, 3.7 lets us leave them out; return=representation asks for them."""
        wishes = {"Prefer": "return=representation"}
        made, gone = send(
            either,
            group("staff"),
            {"method": "DELETE", "path": "/Groups/bulkId:staff"},
            headers=wishes,
        )
        assert made["response"]["displayName"] == "staff"
        assert made["response"]["meta"]["location"] == made["location"] == gone["location"]
        assert "response" not in gone

    @pytest.mark.parametrize("preference", ["return=minimal", "return=representation"])
    def test_preferences_are_said_to_be_followed(self, preference: str, bulk: FlaskClient) -> None:
        """RFC 7240, 3."""
        body = {"schemas": [BULK], "Operations": [user("a")]}
        answer = bulk.post("/scim/v2/Bulk", json=body, headers={"Prefer": preference})
        assert answer.headers["Preference-Applied"] == preference

    def test_members_are_not_read_for_their_versions(self, bulk: FlaskClient, rows: Any) -> None:
        """The default answer has no resources, so that many groups cost what changes."""
        send(bulk, user("u"), group("staff", "bulkId:u"))
        add = patch("/Groups/g2", op="add", path="members", value=[{"value": "u1"}])
        send(bulk, add, add)
        assert rows.loaded == 0

    @pytest.mark.parametrize(
        "operation",
        [
            {"method": "PUT", "path": "/Users/u1", "data": user("a")["data"]},
            patch("/Users/u1", op="replace", path="title", value="x"),
            {"method": "DELETE", "path": "/Users/u1"},
        ],
    )
    def test_another_version_is_not_changed(self, operation: Values, either: FlaskClient) -> None:
        """RFC 7644, 3.7: `version` is an If-Match."""
        either.post("/scim/v2/Users", json=user("", "Bob")["data"])
        [result] = send(either, operation | {"version": 'W/"7"'})
        assert 'has the version W/"1" now' in failed(result, "412")
        assert result["location"] == f"{BASE}/Users/u1"
        assert send(either, operation | {"version": 'W/"1"'})[0]["status"] in ("200", "204")

    def test_rights_hold_for_each_operation(
        self, client_of: Callable[..., FlaskClient], transactions: Any
    ) -> None:
        """403 for what the caller may not do; 501 for what nobody can."""
        reader = client_of("read-only", bulk=BulkLimits(), unit=transactions)
        note = {"method": "DELETE", "path": "/Notes/n1"}
        first, second = send(reader, user("a"), note)
        assert failed(first, "403") == "reader may not create /Users."
        assert "not available" in failed(second, "501")


class TestReferences:
    """RFC 7644, 3.7.2: bulkIds stand for ids that are not known yet."""

    def test_the_first_example_of_the_rfc(self, either: FlaskClient) -> None:
        """3.7.2: a group refers to the user before it."""
        operations = [
            user("qwerty", "Alice"),
            {
                "method": "POST",
                "path": "/Groups",
                "bulkId": "ytrewq",
                "data": {
                    "schemas": [GROUP],
                    "displayName": "Tour Guides",
                    "members": [{"type": "User", "value": "bulkId:qwerty"}],
                },
            },
        ]
        results = send(either, *operations)
        assert [each["status"] for each in results] == ["201", "201"]
        assert members(either, "g2") == ["u1"]

    def test_what_comes_later_may_be_referred_to(self, either: FlaskClient) -> None:
        """Results keep the order of the request."""
        results = send(either, group("staff", "bulkId:later"), user("later"))
        assert [each["bulkId"] for each in results] == ["staff", "later"]
        assert [each["location"] for each in results] == [f"{BASE}/Groups/g2", f"{BASE}/Users/u1"]
        assert members(either, "g2") == ["u1"]

    def test_references_stand_in_values_urls_and_paths(self, either: FlaskClient) -> None:
        """In `value`, in `$ref`, in the path of an operation, and in the path of a PATCH."""
        manager = {"value": "bulkId:boss", "$ref": f"{BASE}/Users/bulkId:boss"}
        managed = user("me", schemas=[CORE, ENTERPRISE])
        managed["data"][ENTERPRISE] = {"manager": manager}
        send(
            either,
            user("boss"),
            managed,
            group("staff", "bulkId:boss", "bulkId:me"),
            patch("/Users/bulkId:me", op="add", path="title", value="Clerk"),
            patch("/Groups/bulkId:staff", op="remove", path='members[value eq "bulkId:boss"]'),
            {"method": "DELETE", "path": "/Users/bulkId%3Aboss"},
        )
        me = either.get("/scim/v2/Users/u2").get_json(force=True)
        assert me["title"] == "Clerk"
        assert me[ENTERPRISE]["manager"] == {"value": "u1", "$ref": f"{BASE}/Users/u1"}
        assert members(either, "g3") == ["u2"]
        assert either.get("/scim/v2/Users/u1").status_code == 404

    def test_a_reference_to_nothing_is_refused(self, either: FlaskClient) -> None:
        """It is never stored as it is; what merely looks like one is text."""
        first, second = send(
            either, group("staff", "bulkId:nobody"), user("a", title="my bulkId:nobody")
        )
        message = 'No POST of the request has the bulkId "nobody".'
        assert failed(first, "400", "invalidValue") == message
        assert second["status"] == "201"

    def test_only_what_is_created_can_be_referred_to(self, either: FlaskClient) -> None:
        """RFC 7644, 3.7: a bulkId stands for a new resource; what was there before has an id."""
        send(either, user("first"))
        change = patch("/Users/u1", op="add", path="title", value="Clerk") | {"bulkId": "old"}
        changed, second = send(either, change, group("staff", "bulkId:old"))
        assert changed["status"] == "200"
        message = 'No POST of the request has the bulkId "old".'
        assert failed(second, "400", "invalidValue") == message

    def test_what_refers_to_a_failure_fails(self, either: FlaskClient) -> None:
        """409, and so on down the line; the rest goes on."""
        results = send(
            either,
            patch("/Groups/bulkId:staff", op="replace", path="displayName", value="x"),
            group("staff", "bulkId:bad"),
            user("bad", userName=7),
            user("good"),
        )
        assert "refers to bulkId:staff, and that operation has failed" in failed(results[0], "409")
        assert "refers to bulkId:bad, and that operation has failed" in failed(results[1], "409")
        assert results[0]["location"] == f"{BASE}/Groups/bulkId:staff"
        failed(results[2], "400", "invalidValue")
        assert results[3]["status"] == "201"
        assert either.get("/scim/v2/Groups").get_json(force=True)["totalResults"] == 0

    def test_a_long_chain_is_followed(self, either: FlaskClient) -> None:
        """Each refers to the next one, up to the limit of operations."""
        chain = [group(f"g{at}", f"bulkId:g{at + 1}") for at in range(99)]
        results = send(either, *chain, group("g99"))
        assert {each["status"] for each in results} == {"201"}


class TestCircles:
    """RFC 7644, 3.7.2: operations that refer to each other."""

    def test_the_second_example_of_the_rfc(self, bulk: FlaskClient) -> None:
        """Two groups, each a member of the other one."""
        results = send(bulk, group("qwerty", "bulkId:ytrewq"), group("ytrewq", "bulkId:qwerty"))
        assert [each["status"] for each in results] == ["201", "201"]
        assert [each["location"] for each in results] == [f"{BASE}/Groups/g1", f"{BASE}/Groups/g2"]
        assert (members(bulk, "g1"), members(bulk, "g2")) == (["g2"], ["g1"])
        for each in results:
            read = bulk.get(each["location"].removeprefix("https://id.example"))
            assert read.headers["ETag"] == each["version"]

    def test_one_may_refer_to_itself(self, bulk: FlaskClient) -> None:
        """And what does not take part in the circle is there from the beginning."""
        manager = {"value": "bulkId:boss"}
        own = user("boss", schemas=[CORE, ENTERPRISE])
        own["data"][ENTERPRISE] = {"manager": manager, "department": "Top"}
        [result] = send(bulk, own, headers={"Prefer": "return=representation"})
        assert result["response"][ENTERPRISE] == {"department": "Top", "manager": {"value": "u1"}}

    @given(st.permutations(range(6)), st.sampled_from([4, 5]))
    def test_circles_and_what_hangs_on_them_come_in_any_order(
        self, order: list[int], length: int
    ) -> None:
        """Needed ones first, circles together, otherwise the order of the request."""
        # A circle of some, and the rest in a chain that ends in it.
        needed = {at: {(at + 1) % length} if at < length else {at - 1} for at in range(6)}
        needs = [frozenset(order.index(each) for each in needed[one]) for one in order]
        steps = in_order(needs)
        assert sorted(itertools.chain(*steps)) == list(range(6))
        assert {order[at] for at in steps[0]} == set(range(length))
        assert [order[at] for (at,) in steps[1:]] == list(range(length, 6))

    def test_a_circle_fails_as_a_whole(self, bulk: FlaskClient) -> None:
        """Nothing of it stays, and what refers to it fails as well."""
        results = send(
            bulk,
            group("a", "bulkId:b"),
            group("b", "bulkId:c"),
            group("c", "bulkId:a", displayName=""),
            group("d", "bulkId:a"),
            user("e"),
        )
        assert "refers in a circle to bulkId:c" in failed(results[0], "409")
        assert "refers in a circle to bulkId:c" in failed(results[1], "409")
        assert (
            failed(results[2], "400", "invalidValue")
            == "displayName is required and must not be blank."
        )
        assert "refers to bulkId:a, and that operation has failed" in failed(results[3], "409")
        assert results[4]["status"] == "201"
        assert bulk.get("/scim/v2/Groups").get_json(force=True)["totalResults"] == 0

    def test_a_circle_that_cannot_be_closed_fails_as_a_whole(
        self, bulk: FlaskClient, rows: Any
    ) -> None:
        """The last step of it is undone together with the first."""

        def refuse() -> None:
            raise PreconditionFailed("Not now.")

        rows.before_replace = refuse
        first, second = send(bulk, group("a", "bulkId:b"), group("b", "bulkId:a"))
        assert "keeps changing" in failed(first, "409")
        assert "refers in a circle to bulkId:a" in failed(second, "409")
        assert bulk.get("/scim/v2/Groups").get_json(force=True)["totalResults"] == 0

    def test_a_circle_without_a_resource_is_refused(self, bulk: FlaskClient) -> None:
        """It fails by what is sent, not by what it refers to."""
        (result,) = send(bulk, user("a") | {"data": ["bulkId:a"]})
        message = "The body is no JSON object; send one User."
        assert failed(result, "400", "invalidSyntax") == message

    def test_without_transactions_a_circle_is_a_conflict(self, single: FlaskClient) -> None:
        """409 (RFC 7644, 3.7): it is not begun, so nothing of it is left behind."""
        results = send(single, group("a", "bulkId:b"), group("b", "bulkId:a"), user("c"))
        for each in results[:2]:
            assert 'The operations "a", "b" refer to each other' in failed(each, "409")
        assert results[2]["status"] == "201"
        assert single.get("/scim/v2/Groups").get_json(force=True)["totalResults"] == 0

    def test_an_unknown_reference_in_a_circle_is_refused(self, bulk: FlaskClient) -> None:
        """As it is outside of one."""
        both = {"value": "bulkId:b", "$ref": "/Groups/bulkId:x"}
        first, _ = send(bulk, group("a", members=[both]), group("b", "bulkId:a"))
        assert 'has the bulkId "x"' in failed(first, "400", "invalidValue")


class TestErrors:
    """RFC 7644, 3.7.3: as many changes as possible, unless the client says otherwise."""

    def test_the_rest_goes_on(self, either: FlaskClient) -> None:
        """A failed operation leaves nothing behind, and stops nothing."""
        results = send(either, user("a"), user("b", "A"), user("c"))
        assert [each["status"] for each in results] == ["201", "409", "201"]
        assert failed(results[1], "409", "uniqueness") == 'The userName "A" is taken.'
        assert "location" not in results[1]

    def test_a_client_may_stop_at_the_first_error(self, either: FlaskClient) -> None:
        """With failOnErrors 1, what was done stays, the rest is not begun."""
        results = send(either, user("a"), user("b", "a"), user("c"), failOnErrors=1)
        assert [each["status"] for each in results] == ["201", "409"]
        assert either.get("/scim/v2/Users").get_json(force=True)["totalResults"] == 1

    def test_a_client_may_accept_some_errors(self, either: FlaskClient) -> None:
        """It stops once as many have failed."""
        operations = [user(str(at), "same") for at in range(5)]
        results = send(either, *operations, failOnErrors=3)
        assert [each["status"] for each in results] == ["201", "409", "409", "409"]

    @pytest.mark.parametrize(
        ("operation", "scim_type", "message"),
        [
            ({"path": "/Users", "data": {}}, "invalidSyntax", "method of an operation is one of"),
            ({"method": "GET", "path": "/Users/1"}, "invalidSyntax", 'DELETE, not "GET"'),
            ({"method": "POST", "path": "/Users", "data": {}}, "invalidSyntax", "has a bulkId"),
            (user("") | {"bulkId": 7}, "invalidSyntax", "A bulkId is a string"),
            (user("") | {"bulkId": 'a"b'}, "invalidSyntax", "without quotes"),
            (user("a") | {"path": "/Users/u1"}, "invalidPath", "has the form /Users."),
            (user("a") | {"path": "Users"}, "invalidPath", "has the form /Users."),
            (user("a") | {"path": "/Users?x=1"}, "invalidPath", "has the form /Users."),
            (user("a") | {"path": None}, "invalidPath", "has the form /Users."),
            (user("a") | {"data": None}, "invalidSyntax", 'A POST has "data"'),
            (user("a") | {"version": 'W/"1"'}, "invalidValue", "of what is there already"),
            (patch("/Users"), "invalidPath", "has the form /Users/{id}"),
            (patch("/Users/u1/emails"), "invalidPath", "has the form /Users/{id}"),
            (patch("/Users/u1") | {"version": "1"}, "invalidValue", "an ETag such as"),
            ({"method": "PUT", "path": "/Users/u1"}, "invalidSyntax", 'A PUT has "data"'),
            (
                {"method": "DELETE", "path": "/Users/u1", "data": {}},
                "invalidSyntax",
                'A DELETE has no "data"',
            ),
        ],
    )
    def test_an_operation_that_cannot_be_read_fails_alone(
        self, operation: Values, scim_type: str, message: str, bulk: FlaskClient
    ) -> None:
        """Its error stands in its place."""
        body = {"schemas": [BULK], "Operations": [operation, user("good")]}
        answer = bulk.post("/scim/v2/Bulk", json=body)
        assert answer.status_code == 200
        first, second = answer.get_json(force=True)["Operations"]
        assert message in failed(first, "400", scim_type)
        assert second["status"] == "201"

    def test_unknown_endpoints_and_resources_are_not_found(self, bulk: FlaskClient) -> None:
        """404 each."""
        unknown = user("a") | {"path": "/Gruppen"}
        first, second = send(bulk, unknown, patch("/Users/u9", op="remove", path="title"))
        assert (
            failed(first, "404")
            == 'There is no resource type at "/Gruppen"; there are /Users, /Groups, /Notes.'
        )
        assert failed(second, "404") == 'There is no User "u9".'
        assert second["location"] == f"{BASE}/Users/u9"

    def test_what_fails_here_is_not_told(
        self, bulk: FlaskClient, rows: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """500 for that operation, the details in the log, and the others stay."""
        send(bulk, user("a"))

        def fail() -> None:
            raise RuntimeError("SELECT secret")

        rows.before_replace = fail
        first, second = send(bulk, patch("/Users/u1", op="add", path="title", value="x"), user("b"))
        assert "the operator's log says why" in failed(first, "500")
        assert "SELECT secret" in caplog.text
        assert second["status"] == "201"


class TestMessages:
    """What is no BulkRequest is refused as a whole, before anything is done."""

    @pytest.mark.parametrize(
        ("members", "scim_type", "message"),
        [
            ({"schemas": [PATCH_OP]}, "invalidSyntax", '"schemas" of a BulkRequest is exactly'),
            ({"Operations": []}, "invalidSyntax", "at least one operation"),
            ({"Operations": {}}, "invalidSyntax", "is an array"),
            ({"Operations": [7]}, "invalidSyntax", "An operation is an object"),
            ({"Operations": [user("a") | {"foo": 1}]}, "invalidSyntax", 'no attribute "foo"'),
            ({"Operations": [user("a"), user("a", "b")]}, "invalidSyntax", '"a" comes twice'),
            ({"failOnErrors": 0}, "invalidValue", "an integer of at least 1"),
            ({"failOnErrors": "1"}, "invalidValue", "an integer of at least 1"),
            ({"failOnErrors": True}, "invalidValue", "an integer of at least 1"),
            ({"fail": 1}, "invalidSyntax", 'no attribute "fail"'),
        ],
    )
    def test_it_says_what_is_wrong(
        self, members: Values, scim_type: str, message: str, bulk: FlaskClient, rows: Any
    ) -> None:
        """And nothing is stored."""
        body = {"schemas": [BULK], "Operations": [user("x")]} | members
        answer = bulk.post("/scim/v2/Bulk", json=body)
        assert message in refused(answer, 400, scim_type)
        assert rows.writes == 0

    def test_too_many_operations_are_refused(self, bulk: FlaskClient, rows: Any) -> None:
        """RFC 7644, 3.7.4: 413, counted before any is done."""
        body = {"schemas": [BULK], "Operations": [user(str(at)) for at in range(101)]}
        answer = bulk.post("/scim/v2/Bulk", json=body)
        assert "101 operations; at most 100 (maxOperations)" in refused(answer, 413)
        assert rows.writes == 0

    def test_a_payload_that_is_too_large_is_refused(
        self, client_of: Callable[..., FlaskClient]
    ) -> None:
        """RFC 7644, 3.7.4: 413; the limit may be below that of other bodies."""
        client = client_of(bulk=BulkLimits(max_payload_size=500))
        body = {"schemas": [BULK], "Operations": [user(str(at)) for at in range(10)]}
        answer = client.post("/scim/v2/Bulk", json=body)
        assert refused(answer, 413) == "The body is larger than 500 bytes."

    def test_bodies_may_be_as_deep_as_alone(self, bulk: FlaskClient) -> None:
        """The message around them does not count."""
        deep: object = "x"
        for _ in range(30):
            deep = [deep]
        [result] = send(bulk, user("a", title=deep))
        assert (
            failed(result, "400", "invalidValue")
            == "title is a string; an array is none: send one text in double quotes."
        )

    def test_a_request_whose_transaction_fails_stores_nothing(
        self, client_of: Callable[..., FlaskClient], transactions: Any
    ) -> None:
        """Results are told when they are true: the commit comes first."""

        @contextmanager
        def failing(caller: str) -> Iterator[object]:
            with transactions(caller) as transaction:
                yield transaction
                raise LookupError("no commit")

        client = client_of(bulk=BulkLimits(), unit=failing)
        body = {"schemas": [BULK], "Operations": [user("a")]}
        assert refused(client.post("/scim/v2/Bulk", json=body), 404) == "It burned."
        assert client.get("/scim/v2/Users").get_json(force=True)["totalResults"] == 0


class TestDiscovery:
    """ServiceProviderConfig tells what is there (RFC 7643, 5)."""

    def test_bulk_and_its_limits_are_told(self, bulk: FlaskClient) -> None:
        """Both numbers are the real ones."""
        config = json.loads(bulk.get("/scim/v2/ServiceProviderConfig").data)
        assert config["bulk"] == {
            "supported": True,
            "maxOperations": 100,
            "maxPayloadSize": 2**20,
        }
