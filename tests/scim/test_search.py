"""Searching by POST and over all types: RFC 7644, 3.4.2.1 and 3.4.3."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from scim2_models import EnterpriseUser, Error, ListResponse, User

from mobid_scim.errors import InvalidFilter
from mobid_scim.filter import parse, parse_each
from mobid_scim.match import matches
from mobid_scim.resource import Resource, ResourceType
from mobid_scim.type_filter import with_type_known

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
SCIM = "application/scim+json"


@pytest.fixture
def people(client: FlaskClient) -> FlaskClient:
    """Return a client of a provider with three users, two groups, and a note."""
    for name in ("Carl", "Anna", "bert"):
        user = {"schemas": [CORE], "userName": name, "displayName": name.upper()}
        assert client.post("/scim/v2/Users", json=user).status_code == 201
    for name in ("staff", "Anna"):
        group = {"schemas": [GROUP], "displayName": name, "members": [{"value": "u1"}]}
        assert client.post("/scim/v2/Groups", json=group).status_code == 201
    return client


def post(client: FlaskClient, path: str, **members: object) -> dict[str, Any]:
    """Search by a message."""
    answer = client.post(f"/scim/v2{path}", json={"schemas": [SEARCH]} | members)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == SCIM
    found: dict[str, Any] = answer.get_json(force=True)
    return found


def ids(found: dict[str, Any]) -> list[str]:
    """Return the ids of a list."""
    return [each["id"] for each in found["Resources"]]


class TestBelowAnEndpoint:
    """POST /Users/.search."""

    def test_a_message_says_what_a_url_would(self, people: FlaskClient) -> None:
        """Every member."""
        found = post(
            people,
            "/Users/.search",
            filter='userName co "A"',
            sortBy="userName",
            sortOrder="descending",
            startIndex=2,
            count=5,
            attributes=["userName", "meta.version"],
        )
        assert [each["userName"] for each in found["Resources"]] == ["Anna"]
        assert (found["totalResults"], found["startIndex"], found["itemsPerPage"]) == (2, 2, 1)
        assert set(found["Resources"][0]) == {"schemas", "id", "userName", "meta"}
        ListResponse[User[EnterpriseUser]].model_validate(found)

    def test_without_members_it_is_everything(self, people: FlaskClient) -> None:
        """As without parameters; null is absent, and so is an empty array (RFC 7643, 2.5)."""
        everything = people.get("/scim/v2/Users").get_json(force=True)
        assert post(people, "/Users/.search") == everything
        assert post(people, "/Users/.search", filter=None, count=None) == everything
        assert post(people, "/Users/.search", attributes=[], excludedAttributes=[]) == everything

    def test_excluded_attributes_are_left_out(self, people: FlaskClient) -> None:
        """RFC 7644, 3.9."""
        found = post(people, "/Groups/.search", excludedAttributes=["members", "meta"])
        assert set(found["Resources"][0]) == {"schemas", "id", "displayName"}

    @pytest.mark.parametrize(
        ("start", "count", "expected"),
        [(0, 1, ["u1"]), (-5, 2, ["u1", "u2"]), (3, -1, []), (2**80, 10**6, [])],
    )
    def test_numbers_are_kept_within_bounds(
        self, start: int, count: int, expected: list[str], people: FlaskClient
    ) -> None:
        """RFC 7644, 3.4.2.4, but for what is no number of 64 bits."""
        start = min(start, 2**62)
        assert ids(post(people, "/Users/.search", startIndex=start, count=count)) == expected

    @pytest.mark.parametrize(
        ("body", "status", "scim_type", "message"),
        [
            ([], 400, "invalidSyntax", "send a SearchRequest message"),
            ({}, 400, "invalidSyntax", '"schemas" of a SearchRequest message is exactly'),
            ({"schemas": [SEARCH, CORE]}, 400, "invalidSyntax", "is exactly"),
            ({"filtr": "x"}, 400, "invalidSyntax", "Did you mean filter?"),
            ({"filter": 5}, 400, "invalidSyntax", "filter of a SearchRequest message is a string"),
            ({"attributes": "id"}, 400, "invalidSyntax", "is an array of strings"),
            ({"attributes": [5]}, 400, "invalidSyntax", "is an array of strings"),
            ({"count": "1"}, 400, "invalidValue", "count is an integer, as a JSON number"),
            ({"count": True}, 400, "invalidValue", "count is an integer"),
            ({"startIndex": 1.5}, 400, "invalidValue", "startIndex is an integer"),
            ({"sortOrder": "up"}, 400, "invalidValue", "ascending or descending"),
            ({"sortBy": "foo"}, 400, "invalidValue", 'no attribute "foo"'),
            ({"filter": "foo pr"}, 400, "invalidFilter", 'no attribute "foo"'),
            ({"attributes": ["id"], "excludedAttributes": ["id"]}, 400, "invalidValue", "not both"),
            ({"sortBy": []}, 400, "invalidSyntax", "sortBy of a SearchRequest message is a string"),
            ({"cursor": ""}, 501, None, "Paging by cursor is not available"),
        ],
    )
    def test_what_is_wrong_is_said(
        self, body: object, status: int, scim_type: str | None, message: str, client: FlaskClient
    ) -> None:
        """Nothing of a message is ever dropped."""
        if isinstance(body, dict) and body and "schemas" not in body:
            body = {"schemas": [SEARCH]} | body
        answer = client.post("/scim/v2/Users/.search", json=body)
        refused = answer.get_json(force=True)
        Error.model_validate(refused)
        assert (answer.status_code, refused.get("scimType")) == (status, scim_type)
        assert message in refused["detail"]

    def test_a_reader_may_search(self, people: FlaskClient) -> None:
        """It is a POST, and changes nothing."""
        people.environ_base["HTTP_AUTHORIZATION"] = "Bearer read-only"
        assert post(people, "/Users/.search", count=0)["totalResults"] == 3


class TestOverAllTypes:
    """GET / and POST /.search."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('displayName eq "anna"', ["u2", "g5"]),
            ('userName eq "anna"', ["u2"]),
            ('members.value eq "u1"', ["g4", "g5"]),
            ('userName eq "carl" or members.value eq "u1"', ["u1", "g4", "g5"]),
            ('userName eq "carl" and members.value eq "u1"', []),
            ('userName ne "carl" and displayName pr', ["u2", "u3", "g4", "g5"]),
            ("not (userName pr)", ["g4", "g5", "n1"]),
            ('emails[type eq "work"] or displayName sw "s"', ["g4"]),
            ('meta.resourceType eq "Group"', ["g4", "g5"]),
            ('meta.resourceType ne "User" and displayName co "a"', ["g4", "g5"]),
            ('not (meta.resourceType eq "User" or meta.resourceType eq "Note")', ["g4", "g5"]),
            ("displayName eq null", ["n1"]),
        ],
    )
    def test_an_attribute_that_a_type_has_not_has_no_value_there(
        self, text: str, expected: list[str], people: FlaskClient
    ) -> None:
        """RFC 7644, 3.4.2.1."""
        found = post(people, "/.search", filter=text)
        assert ids(found) == expected
        assert found["totalResults"] == len(expected)

    def test_an_attribute_that_no_type_has_is_refused(self, people: FlaskClient) -> None:
        """400 invalidFilter, as anywhere."""
        answer = people.post(
            "/scim/v2/.search", json={"schemas": [SEARCH], "filter": "displayName pr or foo pr"}
        )
        assert answer.status_code == 400
        detail = answer.get_json(force=True)["detail"]
        assert detail == 'No resource type has the attribute "foo".'

    def test_get_searches_as_well(self, people: FlaskClient) -> None:
        """With the same parameters as below an endpoint, and without any."""
        assert ids(people.get("/scim/v2/").get_json(force=True)) == [
            *("u1", "u2", "u3"),
            *("g4", "g5", "n1"),
        ]
        found = people.get('/scim/v2?filter=displayName eq "ANNA"&attributes=members').get_json(
            force=True
        )
        assert ids(found) == ["u2", "g5"]
        assert "members" in found["Resources"][1]

    @pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
    def test_pages_go_on_from_type_to_type(self, size: int, people: FlaskClient) -> None:
        """Walking them gives everything, once."""
        seen: list[str] = []
        while len(seen) < 6:
            found = post(people, "/.search", startIndex=len(seen) + 1, count=size)
            assert found["totalResults"] == 6
            assert 0 < found["itemsPerPage"] <= size
            seen += ids(found)
        assert seen == ["u1", "u2", "u3", "g4", "g5", "n1"]
        assert ids(post(people, "/.search", startIndex=7)) == []
        assert post(people, "/.search", count=0)["totalResults"] == 6

    def test_several_types_cannot_be_sorted(self, people: FlaskClient) -> None:
        """400: no storage compares them."""
        answer = people.post("/scim/v2/.search", json={"schemas": [SEARCH], "sortBy": "id"})
        assert answer.status_code == 400
        assert "search one endpoint" in answer.text


TERMS = st.sampled_from(
    [
        'userName eq "a"',
        'userName ne "a"',
        "userName pr",
        "userName eq null",
        "userName ne null",
        'members.value eq "a"',
        'members[type eq "User"]',
        'displayName eq "a"',
        'meta.resourceType eq "User"',
        "meta.resourceType pr",
    ]
)
VALUES = st.dictionaries(st.sampled_from(["userName", "displayName"]), st.sampled_from("ab"))


class TestEachType:
    """A law: the filter of a type means there what it says, where its attributes are known."""

    @given(
        terms=st.lists(st.tuples(TERMS, st.sampled_from(["and", "or"])), min_size=1, max_size=5),
        negated=st.booleans(),
        values=VALUES,
    )
    def test_it_holds_for_the_same_resources(
        self,
        terms: list[tuple[str, str]],
        negated: bool,
        values: dict[str, object],
        users: ResourceType,
        groups: ResourceType,
    ) -> None:
        """A user has no members: the same filter over users that had them, and have none."""
        text = " ".join(part for term in terms for part in term).rpartition(" ")[0]
        text = f"not ({text})" if negated else text
        of_users, of_groups = parse_each(text, [users, groups])
        user = Resource(users, {"id": "u1", "meta": {"resourceType": "User"}} | values)
        wide = text.replace('members[type eq "User"]', 'ims[type eq "User"]')
        wide = wide.replace("members.value", "ims.value")
        assert matches(of_users, user) == matches(parse(wide, users), user)
        for tree, resource in ((of_users, user), (of_groups, a_group(groups, values))):
            assert matches(tree, resource) == matches(
                with_type_known(tree, resource.type), resource
            )

    def test_without_types_nothing_is_missing(self) -> None:
        """A provider without searches has no filters."""
        assert parse_each("foo pr", []) == []

    def test_brackets_are_read_as_strictly_as_ever(
        self, users: ResourceType, groups: ResourceType
    ) -> None:
        """Where the attribute is known, so are its sub-attributes."""
        with pytest.raises(InvalidFilter, match='members has no attribute "colour"'):
            parse_each('members[colour eq "red"]', [users, groups])


def a_group(groups: ResourceType, values: dict[str, object]) -> Resource:
    """Return a group with what groups have of these values."""
    own = {name: value for name, value in values.items() if name == "displayName"}
    return Resource(groups, {"id": "g1", "meta": {"resourceType": "Group"}} | own)
