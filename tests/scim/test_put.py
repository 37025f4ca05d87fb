"""PUT: RFC 7644, 3.5.1."""

from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from mobid_scim.attributes import Attribute, Mutability, Returned, Schema, Type
from mobid_scim.errors import Mutability as Refused
from mobid_scim.put import replaced
from mobid_scim.resource import Operation, Resource, ResourceType
from mobid_scim.validation import read_resource

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BADGES = "urn:example:scim:badges:2.0:User"
DOORS = "urn:example:scim:doors:2.0:Door"
BARBARA: dict[str, object] = {
    "schemas": [CORE, ENTERPRISE],
    "userName": "bjensen",
    "externalId": "701984",
    "name": {"familyName": "Jensen", "givenName": "Barbara"},
    "emails": [{"value": "bjensen@example.com", "type": "work", "primary": True}],
    ENTERPRISE: {"department": "Tour", "manager": {"value": "m1"}},
}


def immutable(name: str, **rules: Any) -> Attribute:
    """Return an attribute that is set once."""
    return Attribute(name, mutability=Mutability.IMMUTABLE, **rules)


DOOR = ResourceType(
    name="Door",
    endpoint="/Doors",
    schema=Schema(
        id=DOORS,
        name="Door",
        description="A type with every mutability",
        attributes=(
            immutable("house"),
            immutable(
                "owner",
                type=Type.COMPLEX,
                sub_attributes=(immutable("value"), immutable("$ref", type=Type.REFERENCE)),
            ),
            Attribute("colour"),
            Attribute("pin", mutability=Mutability.WRITE_ONLY, returned=Returned.NEVER),
            Attribute("open", type=Type.BOOLEAN),
            Attribute("opened", mutability=Mutability.READ_ONLY),
            Attribute(
                "keys",
                type=Type.COMPLEX,
                multi_valued=True,
                sub_attributes=(
                    Attribute("value"),
                    Attribute("bearer", mutability=Mutability.READ_ONLY),
                ),
            ),
        ),
    ),
    operations=frozenset(Operation),
)
BEFORE = Resource(
    DOOR,
    {
        "schemas": [DOORS],
        "id": "d1",
        "meta": {"version": 'W/"1"'},
        "house": "h1",
        "owner": {"value": "u1", "$ref": "https://x/u1"},
        "colour": "red",
        "pin": "1234",
        "open": True,
        "opened": "today",
        "keys": [{"value": "k1", "bearer": "Ann"}, {"value": "k2"}],
    },
)


def put(**values: object) -> dict[str, object]:
    """Return what is left of the door after a PUT of these values, besides what is of all."""
    wanted = read_resource({"schemas": [DOORS]} | values, DOOR)
    after = replaced(BEFORE, wanted, computed={"open": True})
    return {name: value for name, value in after.values.items() if name not in ("schemas", "meta")}


class TestWhatIsSent:
    """One rule per mutability."""

    def test_what_is_absent_becomes_unassigned(self) -> None:
        """But readOnly, immutable, writeOnly, and values whose truth is elsewhere stay."""
        kept = ("id", "house", "owner", "pin", "open", "opened")
        assert put() == {name: BEFORE.values[name] for name in kept}

    def test_read_only_values_are_ignored(self) -> None:
        """Whatever the client says about them."""
        assert put(opened="never", id="d2", meta={"version": "x"}) == put()

    def test_values_replace_those_that_are_there(self) -> None:
        """No merging."""
        after = put(colour="blue", pin="0", open=False)
        assert (after["colour"], after["pin"], after["open"]) == ("blue", "0", False)

    def test_a_value_that_stays_keeps_what_the_provider_knows(self) -> None:
        """ReadOnly sub-attributes are found again by the rest of the value."""
        after = put(keys=[{"value": "k3"}, {"value": "k1", "bearer": "Me"}])
        assert after["keys"] == [{"value": "k3"}, {"value": "k1", "bearer": "Ann"}]

    @pytest.mark.parametrize(
        "values", [{"house": "h1"}, {"owner": {"value": "u1"}}, {"owner": BEFORE.values["owner"]}]
    )
    def test_immutable_values_may_be_repeated(self, values: dict[str, object]) -> None:
        """In part, too: what is left out is not asked for."""
        assert put(**values) == put()

    @pytest.mark.parametrize(
        ("values", "name"),
        [
            ({"house": "h2"}, "house"),
            ({"owner": {"value": "u2"}}, "owner.value"),
            ({"owner": {"value": "u1", "$ref": "https://x/u2"}}, r"owner.\$ref"),
        ],
    )
    def test_immutable_values_must_match(self, values: dict[str, object], name: str) -> None:
        """400 mutability."""
        with pytest.raises(Refused, match=f"^{name} is immutable: it was set once and stays"):
            put(**values)

    def test_immutable_values_are_set_where_there_are_none(self, users: ResourceType) -> None:
        """In an extension as well."""
        before = Resource(users, {"schemas": [CORE], "id": "u1", "userName": "bj"})
        born = {BADGES: {"born": "1999-01-01T00:00:00Z"}}
        body = {"schemas": [CORE, BADGES], "userName": "bj"} | born
        after = replaced(before, read_resource(body, users), computed={})
        assert after.values[BADGES] == born[BADGES]
        assert after.values["schemas"] == [CORE, BADGES]

    @given(left=st.sets(st.sampled_from(["colour", "keys", "open", "house", "owner", "pin"])))
    def test_what_was_read_may_be_put_back(self, left: set[str]) -> None:
        """Nothing changes, and nothing is touched on the way."""
        copy = deepcopy(BEFORE.values)
        sent = {name: value for name, value in BEFORE.values.items() if name not in left}
        after = replaced(BEFORE, read_resource(sent, DOOR), computed={"open": True})
        assert (after == BEFORE) == (not left & {"colour", "keys"})
        assert BEFORE.values == copy


def create(client: FlaskClient) -> dict[str, Any]:
    """Create Barbara."""
    created: dict[str, Any] = client.post("/scim/v2/Users", json=BARBARA).get_json(force=True)
    return created


class TestOverHTTP:
    """PUT /Users/{id}."""

    def test_the_answer_is_the_resource_that_is_there_now(self, client: FlaskClient) -> None:
        """200 with the body and the new version."""
        create(client)
        body = {"schemas": [CORE], "userName": "bjensen", "title": "Boss"}
        answer = client.put("/scim/v2/Users/u1", json=body)
        assert answer.status_code == 200
        assert answer.headers["ETag"] == 'W/"2"'
        found = answer.get_json(force=True)
        assert found == client.get("/scim/v2/Users/u1").get_json(force=True)
        assert set(found) == {"schemas", "id", "meta", "userName", "title"}

    def test_what_changes_nothing_keeps_the_version(self, client: FlaskClient, rows: Any) -> None:
        """A client may write back what it read."""
        created = create(client)
        answer = client.put("/scim/v2/Users/u1", json=created)
        assert answer.get_json(force=True) == created
        assert rows.writes == 1

    def test_put_creates_nothing(self, client: FlaskClient) -> None:
        """404."""
        answer = client.put("/scim/v2/Users/u9", json=BARBARA)
        assert answer.status_code == 404
        assert client.get("/scim/v2/Users").get_json(force=True)["totalResults"] == 0

    @pytest.mark.parametrize(
        ("changes", "scim_type"),
        [
            ({"userName": None}, "invalidValue"),
            ({"active": "True"}, "invalidValue"),
            ({"foo": 1}, "invalidSyntax"),
            ({"schemas": [ENTERPRISE]}, "invalidSyntax"),
        ],
    )
    def test_what_is_no_resource_is_refused(
        self, changes: dict[str, object], scim_type: str, client: FlaskClient
    ) -> None:
        """As on create."""
        created = create(client)
        answer = client.put("/scim/v2/Users/u1", json=BARBARA | changes)
        assert (answer.status_code, answer.get_json(force=True)["scimType"]) == (400, scim_type)
        assert client.get("/scim/v2/Users/u1").get_json(force=True) == created

    @pytest.mark.parametrize(
        ("tag", "status"), [('W/"1"', 200), ('"1"', 200), ("*", 200), ('W/"2"', 412), ("x", 412)]
    )
    def test_only_the_expected_version_is_replaced(
        self, tag: str, status: int, client: FlaskClient
    ) -> None:
        """RFC 7644, 3.14."""
        create(client)
        body = BARBARA | {"title": "Boss"}
        answer = client.put("/scim/v2/Users/u1", json=body, headers={"If-Match": tag})
        assert answer.status_code == status

    def test_external_ids_of_others_stay(self, client: FlaskClient) -> None:
        """RFC 7643, 3.1: a client replaces its own only."""
        create(client)
        other = {"Authorization": "Bearer other"}
        body = {name: value for name, value in BARBARA.items() if name != "externalId"}
        assert client.put("/scim/v2/Users/u1", json=body, headers=other).status_code == 200
        assert client.get("/scim/v2/Users/u1").get_json(force=True)["externalId"] == "701984"
