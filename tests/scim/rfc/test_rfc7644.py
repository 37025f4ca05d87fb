"""The requests of RFC 7644 and their answers, at a provider whose types are those of RFC 7643."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mobid_scim.bulk.request import BulkLimits
from mobid_scim.errors import InvalidSyntax, NotFound, PayloadTooLarge
from mobid_scim.errors import Mutability as MutabilityError
from mobid_scim.filter import parse
from mobid_scim.match import matches
from mobid_scim.resource import Resource, ResourceType
from mobid_scim.wire import error

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BABS = "2819c223-7f76-453a-919d-413861904646"
JAMES = "08e1d05d-121c-4561-8b96-473d93df9210"
BASE = "https://id.example/scim/v2"
Values = dict[str, Any]
Example = Callable[..., Any]


@pytest.fixture
def client(rfc_client: Callable[..., FlaskClient]) -> FlaskClient:
    """Return a client of a provider of what the RFC has."""
    return rfc_client(bulk=BulkLimits(max_operations=100))


@pytest.fixture
def babs(client: FlaskClient, example: Example) -> FlaskClient:
    """Return the client, where the user of RFC 7643, 8.3 is u1."""
    made = client.post("/scim/v2/Users", json=example("rfc7643", "8.3 enterprise user"))
    assert made.status_code == 201, made.text
    return client


@pytest.fixture
def guides(client: FlaskClient) -> FlaskClient:
    """Return the client, where the group g1 has the members u8 and u9."""
    body = {"schemas": [GROUP], "displayName": "Tour Guides"}
    members = [{"value": "u8"}, {"value": "u9"}]
    assert client.post("/scim/v2/Groups", json=body | {"members": members}).status_code == 201
    return client


def json_of(answer: TestResponse, status: int = 200) -> Values:
    """Return the JSON of an answer of that status."""
    assert answer.status_code == status, answer.text
    found: Values = answer.get_json(force=True)
    return found


def members_after(guides: FlaskClient, body: Values) -> list[str]:
    """Change the group, and return who is in it then."""
    json_of(guides.patch("/scim/v2/Groups/g1", json=body))
    found = json_of(guides.get("/scim/v2/Groups/g1"))
    return [each["value"] for each in found.get("members", [])]


class TestCreatingAndReading:
    """3.3, 3.4.1, 3.6, 3.9 and 3.14."""

    def test_3_3_create(self, client: FlaskClient, example: Example) -> None:
        """201, where it is, its version, and the whole of it."""
        sent = example("rfc7644", "3.3 create")
        answer = client.post("/scim/v2/Users", json=sent)
        found = json_of(answer, 201)
        assert answer.headers["Location"] == found["meta"]["location"] == f"{BASE}/Users/u1"
        assert answer.headers["ETag"] == found["meta"]["version"]
        assert found == sent | {"id": "u1", "meta": found["meta"]}
        assert json_of(client.get("/scim/v2/Users/u1")) == found

    def test_3_9_attributes(self, babs: FlaskClient) -> None:
        """The answer has the name alone, and what is always returned."""
        found = json_of(babs.get("/scim/v2/Users/u1?attributes=userName"))
        assert found == {
            "schemas": [CORE, ENTERPRISE],
            "id": "u1",
            "userName": "bjensen@example.com",
        }

    def test_3_14_versions(self, client: FlaskClient, example: Example) -> None:
        """If-None-Match of what is there is 304; If-Match of something else is 412."""
        made = client.post("/scim/v2/Users", json=example("rfc7644", "3.3 create"))
        tag = made.headers["ETag"]
        unchanged = client.get("/scim/v2/Users/u1", headers={"If-None-Match": tag})
        assert (unchanged.status_code, unchanged.data) == (304, b"")
        body = example("rfc7644", "3.5.1 put", {BABS: "u1"})
        other = {"If-Match": 'W/"a330bc54f0671c9"'}
        json_of(client.put("/scim/v2/Users/u1", json=body, headers=other), 412)
        json_of(client.put("/scim/v2/Users/u1", json=body, headers={"If-Match": tag}))

    def test_3_6_delete(self, babs: FlaskClient) -> None:
        """204 without a body for the version that is there, and then nothing."""
        wrong = {"If-Match": 'W/"c310cd84f0281b7"'}
        assert babs.delete("/scim/v2/Users/u1", headers=wrong).status_code == 412
        gone = babs.delete("/scim/v2/Users/u1", headers={"If-Match": 'W/"1"'})
        assert (gone.status_code, gone.data) == (204, b"")
        refusal = json_of(babs.get("/scim/v2/Users/u1"), 404)
        assert refusal["status"] == "404"


class TestSearching:
    """3.4.2 and 3.4.3."""

    def test_3_4_2_a_list_of_names(self, babs: FlaskClient) -> None:
        """The example leaves `schemas` out of its resources, which RFC 7643, 3 has in every one."""
        found = json_of(babs.get("/scim/v2/Users?attributes=userName"))
        assert found["totalResults"] == 1
        (only,) = found["Resources"]
        assert only == {
            "schemas": [CORE, ENTERPRISE],
            "id": "u1",
            "userName": "bjensen@example.com",
        }

    def test_3_4_2_2_figure_2(self, users: ResourceType, example: Example) -> None:
        """Each filter of the figure, at the user of RFC 7643, 8.3, whose name begins with J here."""
        values = example("rfc7643", "8.3 enterprise user") | {"userName": "Jensen"}
        found = {
            text
            for text in example("rfc7644", "3.4.2.2 filters")
            if matches(parse(text, users), Resource(users, values))
        }
        assert set(example("rfc7644", "3.4.2.2 filters")) - found == {
            'userName eq "bjensen"',
            'name.familyName co "O\'Malley"',
            'meta.lastModified gt "2011-05-13T04:42:34Z"',
            'meta.lastModified lt "2011-05-13T04:42:34Z"',
            'userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")',
        }

    def test_3_4_2_4_pages(self, client: FlaskClient) -> None:
        """Ten of all at once; a page behind the end is empty; nothing below the first one."""
        for at in range(12):
            body = {"schemas": [CORE], "userName": f"user {at}"}
            json_of(client.post("/scim/v2/Users", json=body), 201)
        found = json_of(client.get("/scim/v2/Users?startIndex=1&count=10"))
        counters = [found[name] for name in ("totalResults", "itemsPerPage", "startIndex")]
        assert (counters, len(found["Resources"])) == ([12, 10, 1], 10)
        for query, first, how_many in (
            ("startIndex=11&count=10", 11, 2),
            ("startIndex=13", 13, 0),
            ("startIndex=0&count=1", 1, 1),
            ("startIndex=1&count=-1", 1, 0),
            ("count=0", 1, 0),
        ):
            page = json_of(client.get(f"/scim/v2/Users?{query}"))
            assert (page["totalResults"], page["startIndex"]) == (12, first)
            assert page["itemsPerPage"] == len(page["Resources"]) == how_many

    def test_3_4_3_search_over_all(self, client: FlaskClient, example: Example) -> None:
        """Users and groups whose displayName begins so; the resources of the example lack `schemas`."""
        for path, urn, name in (
            ("/Users", CORE, "Smith, James"),
            ("/Groups", GROUP, "Smith Family"),
            ("/Users", CORE, "Jensen"),
        ):
            body = {"schemas": [urn], "userName": name, "displayName": name}
            if urn == GROUP:
                del body["userName"]
            json_of(client.post(f"/scim/v2{path}", json=body), 201)
        found = json_of(client.post("/scim/v2/.search", json=example("rfc7644", "3.4.3 search")))
        assert (found["totalResults"], found["itemsPerPage"], found["startIndex"]) == (2, 2, 1)
        assert found["Resources"] == [
            {
                "schemas": [CORE],
                "id": "u1",
                "userName": "Smith, James",
                "displayName": "Smith, James",
            },
            {"schemas": [GROUP], "id": "g2", "displayName": "Smith Family"},
        ]


class TestReplacing:
    """3.5.1."""

    def test_3_5_1_put(self, babs: FlaskClient, example: Example) -> None:
        """What is sent is there, and what is not sent is gone."""
        sent = example("rfc7644", "3.5.1 put", {BABS: "u1"})
        found = json_of(babs.put("/scim/v2/Users/u1", json=sent))
        del sent["roles"]  # Empty is unassigned: RFC 7643, 2.5.
        assert found == sent | {"meta": found["meta"]}


class TestPatching:
    """3.5.2."""

    def test_3_5_2_1_add_a_member(self, guides: FlaskClient, example: Example) -> None:
        """It joins those that are there."""
        body = example("rfc7644", "3.5.2.1 add a member", {BABS: "u1"})
        assert members_after(guides, body) == ["u1", "u8", "u9"]

    def test_3_5_2_1_add_attributes(self, babs: FlaskClient, example: Example) -> None:
        """An address that is there stays single; the name `nickname` is found in any case."""
        before = json_of(babs.get("/scim/v2/Users/u1"))
        body = example("rfc7644", "3.5.2.1 add attributes")
        assert json_of(babs.patch("/scim/v2/Users/u1", json=body)) == before
        body["Operations"][0]["value"]["emails"][0]["value"] = "other@jensen.org"
        found = json_of(babs.patch("/scim/v2/Users/u1", json=body))
        assert len(found["emails"]) == 3

    def test_3_5_2_2_remove_a_member(self, guides: FlaskClient, example: Example) -> None:
        """Exactly that one."""
        body = example("rfc7644", "3.5.2.2 remove a member", {BABS: "u8"})
        assert members_after(guides, body) == ["u9"]

    def test_3_5_2_2_remove_all_members(self, guides: FlaskClient, example: Example) -> None:
        """All of them."""
        assert members_after(guides, example("rfc7644", "3.5.2.2 remove all members")) == []

    def test_3_5_2_2_remove_a_value(self, babs: FlaskClient, example: Example) -> None:
        """The address that meets both conditions, and no other."""
        body = example("rfc7644", "3.5.2.2 remove a value")
        found = json_of(babs.patch("/scim/v2/Users/u1", json=body))
        assert found["emails"] == [{"value": "babs@jensen.org", "type": "home"}]

    def test_3_5_2_2_the_example_lacks_a_space(self, guides: FlaskClient, example: Example) -> None:
        """`value eq"…"` is against figure 1 (3.4.2.2), so it is refused, and nothing is done."""
        body = example("rfc7644", "3.5.2.2 remove and add a member", {BABS: "u8", JAMES: "u7"})
        answer = guides.patch("/scim/v2/Groups/g1", json=body)
        refusal = json_of(answer, 400)
        assert refusal["scimType"] == "invalidFilter"
        assert "lacks a space" in refusal["detail"]
        remove = body["Operations"][0]
        remove["path"] = remove["path"].replace('eq"', 'eq "')
        assert members_after(guides, body) == ["u7", "u9"]

    @pytest.mark.parametrize("name", ["3.5.2.2 replace all members", "3.5.2.3 replace all members"])
    def test_3_5_2_replace_all_members(
        self, name: str, guides: FlaskClient, example: Example
    ) -> None:
        """By a removal of all and an addition, or at once."""
        body = example("rfc7644", name, {BABS: "u9", JAMES: "u7"})
        assert sorted(members_after(guides, body)) == ["u7", "u9"]

    def test_3_5_2_3_replace_an_address(self, babs: FlaskClient, example: Example) -> None:
        """The whole value that the filter finds."""
        body = example("rfc7644", "3.5.2.3 replace an address")
        found = json_of(babs.patch("/scim/v2/Users/u1", json=body))
        work, home = found["addresses"]
        assert work == body["Operations"][0]["value"]
        assert home["streetAddress"] == "456 Hollywood Blvd"

    def test_3_5_2_3_replace_a_street(self, babs: FlaskClient, example: Example) -> None:
        """One part of it; the others stay."""
        before = json_of(babs.get("/scim/v2/Users/u1"))["addresses"]
        body = example("rfc7644", "3.5.2.3 replace a street")
        found = json_of(babs.patch("/scim/v2/Users/u1", json=body))["addresses"]
        assert found == [before[0] | {"streetAddress": "1010 Broadway Ave"}, before[1]]

    def test_3_5_2_3_replace_attributes(self, babs: FlaskClient, example: Example) -> None:
        """Those that are named, and no others."""
        before = json_of(babs.get("/scim/v2/Users/u1"))
        body = example("rfc7644", "3.5.2.3 replace attributes")
        found = json_of(babs.patch("/scim/v2/Users/u1", json=body))
        assert found["emails"] == body["Operations"][0]["value"]["emails"]
        assert found["nickName"] == "Babs"
        assert found["name"] == before["name"]


class TestBulk:
    """3.7."""

    @pytest.fixture
    def bulk(self, client_of: Callable[..., FlaskClient], transactions: Any) -> FlaskClient:
        """Return a client of a provider with transactions."""
        return client_of(bulk=BulkLimits(max_operations=100), unit=transactions)

    def send(self, bulk: FlaskClient, body: Values) -> list[Values]:
        """Send a request, and return the results."""
        found = json_of(bulk.post("/scim/v2/Bulk", json=body))
        assert found["schemas"] == [BULK_RESPONSE]
        results: list[Values] = found["Operations"]
        return results

    def test_3_7_1_a_circle(self, bulk: FlaskClient, example: Example) -> None:
        """Two groups, each a member of the other one, are made with transactions."""
        results = self.send(bulk, example("rfc7644", "3.7.1 circle"))
        assert [each["status"] for each in results] == ["201", "201"]
        first, second = (each["location"].rpartition("/")[2] for each in results)
        for mine, other in ((first, second), (second, first)):
            group = json_of(bulk.get(f"/scim/v2/Groups/{mine}"))
            assert [each["value"] for each in group["members"]] == [other]

    def test_3_7_1_a_circle_is_a_conflict_elsewhere(
        self, client: FlaskClient, example: Example
    ) -> None:
        """Where it could end half done, each is 409, and nothing is made."""
        results = self.send(client, example("rfc7644", "3.7.1 circle"))
        assert [each["status"] for each in results] == ["409", "409"]
        assert json_of(client.get("/scim/v2/Groups"))["totalResults"] == 0

    def test_3_7_2_a_user_and_a_group(self, bulk: FlaskClient, example: Example) -> None:
        """The group has the user who was made before it."""
        results = self.send(bulk, example("rfc7644", "3.7.2 user and group"))
        assert [(each["bulkId"], each["status"]) for each in results] == [
            ("qwerty", "201"),
            ("ytrewq", "201"),
        ]
        user, group = (each["location"].rpartition("/")[2] for each in results)
        found = json_of(bulk.get(f"/scim/v2/Groups/{group}"))
        assert [each["value"] for each in found["members"]] == [user]

    def test_3_7_2_a_user_and_a_manager(self, bulk: FlaskClient, example: Example) -> None:
        """In an extension, too."""
        results = self.send(bulk, example("rfc7644", "3.7.2 user and manager"))
        alice, bob = (each["location"].rpartition("/")[2] for each in results)
        found = json_of(bulk.get(f"/scim/v2/Users/{bob}"))
        assert found[ENTERPRISE] == {"employeeNumber": "11250", "manager": {"value": alice}}

    def four(self, bulk: FlaskClient, example: Example) -> Values:
        """Return the request of 3.7.3, about users of ours and their versions."""
        for name in ("b", "d", "j"):
            body = {"schemas": [CORE], "userName": name, "nickName": name}
            json_of(bulk.post("/scim/v2/Users", json=body), 201)
        ids = {
            "b7c14771-226c-4d05-8860-134711653041": "u1",
            "5d8d29d3-342c-4b5f-8683-a3cb6763ffcc": "u2",
            "e9025315-6bea-44e1-899c-1e07454e468b": "u3",
            "3694e05e9dff591": "1",
            "edac3253e2c0ef2": "1",
            "0ee8add0a938e1a": "1",
        }
        found: Values = example("rfc7644", "3.7.3 four methods", ids)
        return found

    def test_3_7_3_four_methods(self, bulk: FlaskClient, example: Example) -> None:
        """Each has its status; the PATCH has the message that 3.5.2 wants."""
        body = self.four(bulk, example)
        patch = body["Operations"][2]
        patch["data"] = {"schemas": [PATCH_OP], "Operations": patch["data"]}
        results = self.send(bulk, body)
        assert [(each["method"], each["status"]) for each in results] == [
            ("POST", "201"),
            ("PUT", "200"),
            ("PATCH", "200"),
            ("DELETE", "204"),
        ]
        assert results[0]["bulkId"] == "qwerty"
        assert [each.get("version") for each in results] == ['W/"1"', 'W/"2"', 'W/"2"', None]
        dave = json_of(bulk.get("/scim/v2/Users/u2"))
        assert (dave["userName"], dave.get("nickName")) == ("Dave", None)

    def test_3_7_3_the_patch_of_the_example_is_no_message(
        self, bulk: FlaskClient, example: Example
    ) -> None:
        """In the text it is not even JSON, `{[…]}`; as a list, it fails alone, and ends the request."""
        results = self.send(bulk, self.four(bulk, example))
        assert [each["status"] for each in results] == ["201", "200", "400"]
        refusal = results[2]["response"]
        assert refusal["scimType"] == "invalidSyntax"
        assert json_of(bulk.get("/scim/v2/Users/u3"))["userName"] == "j"

    def test_3_7_3_errors(self, bulk: FlaskClient, example: Example) -> None:
        """Without failOnErrors, the results of all; with 1, the first error is the last result."""
        body = self.four(bulk, example)
        body["Operations"][0]["data"] = {"schemas": [CORE], "userName": "Alice", "foo": 1}
        body["Operations"][2]["data"] = {}
        (first,) = self.send(bulk, body)
        assert first["response"].keys() == example("rfc7644", "3.7.3 invalid syntax").keys()
        assert (first["status"], first["bulkId"]) == ("400", "qwerty")
        del body["failOnErrors"]
        results = self.send(bulk, body)
        assert [each["status"] for each in results] == ["400", "200", "400", "204"]
        assert all("location" in each for each in results[1:])


class TestErrors:
    """3.12 and 3.7.4: the bodies of errors, member by member."""

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("3.12 not found", NotFound),
            ("3.12 mutability", MutabilityError),
            ("3.7.3 invalid syntax", InvalidSyntax),
            ("3.7.4 too large", PayloadTooLarge),
        ],
    )
    def test_3_12_an_error_has_the_members_of_the_example(
        self, name: str, kind: Callable[[str], Any], example: Example
    ) -> None:
        """The status is a string."""
        wanted = example("rfc7644", name)
        assert json.loads(error(kind(wanted["detail"]))) == wanted

    def test_3_12_an_id_cannot_be_changed(self, babs: FlaskClient) -> None:
        """That is the request that the example of `mutability` answers."""
        operation = {"op": "replace", "path": "id", "value": "other"}
        body = {"schemas": [PATCH_OP], "Operations": [operation]}
        refusal = json_of(babs.patch("/scim/v2/Users/u1", json=body), 400)
        assert (refusal["scimType"], refusal["status"]) == ("mutability", "400")

    def test_3_7_4_a_request_that_is_too_large(
        self, rfc_client: Callable[..., FlaskClient], example: Example
    ) -> None:
        """More operations, or bytes, than discovery says: 413."""
        for limits in (BulkLimits(max_operations=1), BulkLimits(max_payload_size=100)):
            small = rfc_client(bulk=limits)
            body = example("rfc7644", "3.7.2 user and group")
            refusal = json_of(small.post("/scim/v2/Bulk", json=body), 413)
            assert refusal["status"] == "413"


class TestDiscovery:
    """4."""

    def test_4_resource_types(self, client: FlaskClient) -> None:
        """A list of two, whose example counts ten per page, although that is how many there are (3.4.2)."""
        found = json_of(client.get("/scim/v2/ResourceTypes"))
        names = [each["name"] for each in found["Resources"]]
        assert names[:2] == ["User", "Group"]
        assert found["itemsPerPage"] == found["totalResults"] == len(names)
