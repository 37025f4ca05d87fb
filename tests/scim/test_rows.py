"""What is kept row by row, such as the members of a group: RFC 7644, 3.5.2, without loading them."""

from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from mobid_scim.errors import InvalidFilter, InvalidPath, InvalidValue, Mutability, SCIMError
from mobid_scim.patch import apply
from mobid_scim.patch_request import PATCH_OP, read_request
from mobid_scim.patch_rows import row_changes
from mobid_scim.resource import Resource, ResourceType
from mobid_scim.rows import RowChanges
from mobid_scim.schemas.user import USER

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def message(*operations: object) -> dict[str, object]:
    """Return the body of a PATCH."""
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def changed(groups: ResourceType, *operations: object) -> RowChanges:
    """Return what becomes of the members."""
    found = row_changes(read_request(message(*operations), groups), groups)
    return found.get("members", RowChanges())


def rows(*keys: str) -> dict[str, dict[str, object]]:
    """Return members by their key."""
    return {key: {"value": key} for key in keys}


def after(before: set[str], changes: RowChanges) -> set[str]:
    """Return the keys that are there when the changes are made."""
    kept = set() if changes.cleared else before - changes.removed
    return kept | set(changes.added)


class TestPatch:
    """Operations to rows added and removed."""

    @pytest.mark.parametrize(
        ("operations", "expected"),
        [
            ([{"op": "add", "path": "members", "value": [{"value": "a"}]}], {"added": rows("a")}),
            ([{"op": "add", "path": "members", "value": {"value": "a"}}], {"added": rows("a")}),
            ([{"op": "add", "value": {"Members": [{"value": "a"}]}}], {"added": rows("a")}),
            ([{"op": "remove", "path": 'members[value eq "a"]'}], {"removed": frozenset("a")}),
            (
                [{"op": "remove", "path": 'members[value eq "a" or value eq "b"]'}],
                {"removed": frozenset("ab")},
            ),
            ([{"op": "remove", "path": "members"}], {"cleared": True}),
            ([{"op": "replace", "path": "members", "value": None}], {"cleared": True}),
            ([{"op": "replace", "path": "members", "value": []}], {"cleared": True}),
            (
                [{"op": "replace", "path": f"{GROUP}:members", "value": [{"value": "b"}]}],
                {"cleared": True, "added": rows("b")},
            ),
            (
                [
                    {"op": "add", "path": "members", "value": [{"value": "a"}, {"value": "b"}]},
                    {"op": "remove", "path": 'members[value eq "a"]'},
                ],
                {"removed": frozenset("a"), "added": rows("b")},
            ),
            (
                [
                    {"op": "remove", "path": "members"},
                    {"op": "add", "path": "members", "value": [{"value": "a"}] * 2},
                    {"op": "remove", "path": 'members[value eq "b"]'},
                ],
                {"cleared": True, "added": rows("a")},
            ),
            ([{"op": "replace", "path": "displayName", "value": "x"}], {}),
            ([{"op": "add", "path": "members", "value": []}], {}),
        ],
    )
    def test_several_operations_are_one_change(
        self, operations: list[object], expected: dict[str, Any], groups: ResourceType
    ) -> None:
        """In their order, and without looking at what is there."""
        assert changed(groups, *operations) == RowChanges(**expected)

    def test_what_the_provider_knows_is_ignored(self, groups: ResourceType) -> None:
        """`display` is readOnly; references and types are kept as they were sent."""
        row = {"value": "a", "$ref": "https://x/Users/a", "type": "User"}
        operation = {"op": "add", "path": "members", "value": [row | {"display": "Ann"}]}
        assert changed(groups, operation).added == {"a": row}

    @pytest.mark.parametrize(
        ("operation", "error", "message"),
        [
            (
                {"op": "remove", "path": 'members[type eq "User"]'},
                InvalidFilter,
                r'members is changed by "value": write members\[value eq "…"\], joined by or',
            ),
            ({"op": "remove", "path": 'members[value ne "a"]'}, InvalidFilter, "is changed by"),
            (
                {"op": "remove", "path": 'members[value eq "a" and type eq "User"]'},
                InvalidFilter,
                "is changed by",
            ),
            (
                {"op": "replace", "path": 'members[value eq "a"]', "value": {"value": "b"}},
                Mutability,
                "is immutable: it was set once and stays; remove the value and add another",
            ),
            (
                {"op": "remove", "path": 'members[value eq "a"].display'},
                Mutability,
                "is immutable",
            ),
            ({"op": "remove", "path": "members.value"}, InvalidPath, "several values"),
            ({"op": "add", "path": "members", "value": ["a"]}, InvalidValue, "send an object"),
            (
                {"op": "add", "path": "members", "value": [{"type": "User"}]},
                InvalidValue,
                "members.value is required",
            ),
            (
                {"op": "add", "path": "members", "value": [{"value": "a"}] * 10_001},
                InvalidValue,
                "members has 10001 values; at most 10000",
            ),
            ({"op": "add", "path": "members", "value": None}, InvalidValue, "null cannot be added"),
            (
                {"op": "add", "path": "members", "value": [{"value": None}]},
                InvalidValue,
                "value is required",
            ),
            (
                {"op": "add", "path": "members", "value": [{"display": "Ann"}]},
                InvalidValue,
                "value is required",
            ),
        ],
    )
    def test_what_needs_more_than_keys_is_refused(
        self,
        operation: dict[str, object],
        error: type[SCIMError],
        message: str,
        groups: ResourceType,
    ) -> None:
        """The message has the form that is there."""
        with pytest.raises(error, match=message):
            changed(groups, operation)


KEYS = st.sampled_from("abcd")
MEMBERS = st.lists(KEYS.map(lambda key: {"value": key}), max_size=3)
OPERATIONS = st.one_of(
    st.builds(lambda value: {"op": "add", "path": "members", "value": value}, MEMBERS),
    st.builds(lambda value: {"op": "replace", "path": "members", "value": value}, MEMBERS),
    st.builds(lambda key: {"op": "remove", "path": f'members[value eq "{key}"]'}, KEYS),
    st.builds(
        lambda one, other: {
            "op": "remove",
            "path": f'members[value eq "{one}" or value eq "{other}"]',
        },
        KEYS,
        KEYS,
    ),
    st.just({"op": "remove", "path": "members"}),
)


class TestAgainstTheDocument:
    """A law: rows change as the values of a document would."""

    @given(before=st.sets(KEYS), operations=st.lists(OPERATIONS, min_size=1, max_size=6))
    def test_the_same_members_are_left(
        self, before: set[str], operations: list[object], groups: ResourceType
    ) -> None:
        """Whatever is added and removed in whatever order."""
        documents = replace(groups, by_row=frozenset())
        values: dict[str, object] = {"schemas": [GROUP], "displayName": "x"}
        if before:
            values["members"] = [{"value": key} for key in sorted(before)]
        whole = Resource(documents, values)
        left = apply(whole, read_request(message(*operations), documents)).get("members")
        keys = {each["value"] for each in left} if isinstance(left, list) else set()
        assert after(before, changed(groups, *operations)) == keys

    @given(operations=st.lists(OPERATIONS, min_size=1, max_size=6))
    def test_nothing_is_said_twice(self, operations: list[object], groups: ResourceType) -> None:
        """What is cleared is not removed as well."""
        changes = changed(groups, *operations)
        assert not (changes.cleared and changes.removed)


class TestWhatCannotBeKeptByRow:
    """Mistakes of the product show early."""

    @pytest.mark.parametrize("name", ["emails", "userName", "Members", "nothing"])
    def test_rows_need_a_key_and_nothing_that_changes(self, name: str) -> None:
        """E-mail addresses have sub-attributes that clients change."""
        with pytest.raises(ValueError, match=f'Thing cannot keep "{name}" row by row'):
            ResourceType(
                name="Thing",
                endpoint="/Things",
                schema=USER,
                operations=frozenset(),
                by_row=frozenset({name}),
            )


def create(client: FlaskClient, *members: str) -> None:
    """Create a group of these members."""
    body = {
        "schemas": [GROUP],
        "displayName": "Tour Guides",
        "members": [{"value": key} for key in members],
    }
    assert client.post("/scim/v2/Groups", json=body).status_code == 201


def patch(client: FlaskClient, *operations: object, **options: Any) -> TestResponse:
    """Change the first group."""
    return client.patch("/scim/v2/Groups/g1", json=message(*operations), **options)


def members(client: FlaskClient) -> list[str]:
    """Return the keys of the members that are there."""
    group = client.get("/scim/v2/Groups/g1").get_json(force=True)
    return [each["value"] for each in group.get("members", [])]


ADD_C = {"op": "add", "path": "members", "value": [{"value": "c"}]}


class TestOverHTTP:
    """Groups, on storage in memory."""

    def test_members_are_created_read_and_filtered_by(self, client: FlaskClient) -> None:
        """And its groups are what a user has."""
        create(client, "u2", "b")
        assert members(client) == ["u2", "b"]
        found = client.get('/scim/v2/Groups?filter=members eq "b"').get_json(force=True)
        assert found["totalResults"] == 1
        user = {"schemas": [USER.id], "userName": "bj", "groups": [{"value": "none"}]}
        groups = client.post("/scim/v2/Users", json=user).get_json(force=True)["groups"]
        assert [each["value"] for each in groups] == ["g1"]

    def test_members_come_and_go_without_being_loaded(self, client: FlaskClient, rows: Any) -> None:
        """A client that asks for no body, or for no members, makes nobody read them."""
        create(client, "a", "b")
        gone = {"op": "remove", "path": 'members[value eq "a"]'}
        rows.loaded = 0
        answer = patch(client, ADD_C, gone, headers={"Prefer": "return=minimal"})
        assert (answer.status_code, answer.headers["ETag"]) == (204, 'W/"2"')
        answer = client.patch(
            "/scim/v2/Groups/g1?excludedAttributes=members",
            json=message({"op": "replace", "path": "displayName", "value": "x"}),
        )
        assert answer.get_json(force=True)["displayName"] == "x"
        assert rows.loaded == 0
        assert members(client) == ["c", "b"]

    def test_what_changes_no_member_keeps_the_version(self, client: FlaskClient) -> None:
        """To add what is there, to remove what is not, to replace by the same."""
        create(client, "c")
        answer = patch(client, ADD_C, {"op": "remove", "path": 'members[value eq "x"]'})
        assert answer.headers["ETag"] == 'W/"1"'
        same = {"op": "replace", "path": "members", "value": [{"value": "c"}]}
        assert patch(client, same).headers["ETag"] == 'W/"1"'

    def test_many_may_add_members_at_once(self, client: FlaskClient, rows: Any) -> None:
        """Nothing depends on what was read, so no other change is in the way."""
        create(client, "a")
        others = iter(range(100))

        def restless() -> None:
            rows.before_replace = lambda: None
            member = {"op": "add", "path": "members", "value": [{"value": f"m{next(others)}"}]}
            patch(client, member)
            rows.before_replace = restless

        rows.before_replace = restless
        assert patch(client, ADD_C).status_code == 200
        assert set(members(client)) == {"a", "m0", "c"}

    def test_a_precondition_holds_for_rows_too(self, client: FlaskClient) -> None:
        """RFC 7644, 3.14."""
        create(client, "a")
        assert patch(client, ADD_C, headers={"If-Match": 'W/"9"'}).status_code == 412
        assert patch(client, ADD_C, headers={"If-Match": 'W/"1"'}).status_code == 200

    def test_all_or_nothing(self, client: FlaskClient) -> None:
        """A wrong operation on the document leaves the members as they are."""
        create(client, "a")
        answer = patch(client, ADD_C, {"op": "remove", "path": "displayName"})
        assert answer.get_json(force=True)["scimType"] == "mutability"
        assert members(client) == ["a"]

    def test_put_replaces_all_members(self, client: FlaskClient) -> None:
        """And without members, there are none."""
        create(client, "a", "b")
        body = {"schemas": [GROUP], "displayName": "Tour Guides"}
        same = body | {"members": [{"value": "b"}, {"value": "a"}]}
        assert client.put("/scim/v2/Groups/g1", json=same).headers["ETag"] == 'W/"1"'
        other = body | {"members": [{"value": "b"}, {"value": "c"}]}
        assert client.put("/scim/v2/Groups/g1", json=other).headers["ETag"] == 'W/"2"'
        assert set(members(client)) == {"b", "c"}
        assert client.put("/scim/v2/Groups/g1", json=body).status_code == 200
        assert members(client) == []
