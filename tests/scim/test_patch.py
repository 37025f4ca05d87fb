"""PATCH: RFC 7644, 3.5.2."""

import json
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid_scim.errors import (
    InvalidPath,
    InvalidSyntax,
    InvalidValue,
    Mutability,
    NoTarget,
    SCIMError,
)
from mobid_scim.patch import apply
from mobid_scim.patch_request import PATCH_OP, read_request
from mobid_scim.resource import Resource, ResourceType

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BADGES = "urn:example:scim:badges:2.0:User"
WORK = {"value": "bj@example.com", "type": "work", "primary": True}
HOME = {"value": "bj@home.org", "type": "home"}


def a_user(users: ResourceType, **values: object) -> Resource:
    """Return a user as storage would have it."""
    common = {"schemas": [CORE], "id": "u1", "meta": {"version": 'W/"1"'}, "userName": "bj"}
    return Resource(users, common | values)


def message(*operations: object) -> dict[str, object]:
    """Return the body of a PATCH."""
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def patched(before: Resource, *operations: object) -> Resource:
    """Return the resource after the operations, as a client would send them."""
    return apply(before, read_request(message(*operations), before.type))


class TestAdd:
    """RFC 7644, 3.5.2.1."""

    def test_an_attribute_that_is_not_there_is_set(self, users: ResourceType) -> None:
        """A single value is set."""
        after = patched(a_user(users), {"op": "add", "path": "title", "value": "Boss"})
        assert after.get("title") == "Boss"

    def test_an_attribute_that_is_there_is_replaced(self, users: ResourceType) -> None:
        """If the target exists, its value is replaced."""
        before = a_user(users, title="Boss")
        assert patched(before, {"op": "add", "path": "title", "value": "x"}).get("title") == "x"

    def test_values_join_those_that_are_there(self, users: ResourceType) -> None:
        """To a multi-valued attribute, new values are added."""
        before = a_user(users, emails=[HOME])
        new = {"value": "x@y.org"}
        after = patched(before, {"op": "add", "path": "emails", "value": [new]})
        assert after.get("emails") == [HOME, new]

    def test_a_value_alone_is_one_value(self, users: ResourceType) -> None:
        """An array around a single value may be left out."""
        after = patched(a_user(users), {"op": "add", "path": "emails", "value": HOME})
        assert after.get("emails") == [HOME]

    def test_a_value_that_is_there_is_not_added_again(self, users: ResourceType) -> None:
        """If the value already exists, nothing changes."""
        before = a_user(users, emails=[HOME])
        assert patched(before, {"op": "add", "path": "emails", "value": [HOME]}) == before

    def test_a_new_primary_value_takes_over(self, users: ResourceType) -> None:
        """RFC 7644, 3.5.2: the provider sets the old one to false."""
        before = a_user(users, emails=[WORK])
        new = {"value": "new@example.com", "primary": True}
        after = patched(before, {"op": "add", "path": "emails", "value": [new]})
        assert after.get("emails") == [WORK | {"primary": False}, new]

    def test_without_a_path_the_value_is_an_object_of_attributes(self, users: ResourceType) -> None:
        """The second example of 3.5.2.1: several attributes at once."""
        value = {"emails": [{"value": "babs@jensen.org", "type": "home"}], "nickname": "Babs"}
        after = patched(a_user(users), {"op": "add", "value": value})
        assert after.get("nickName") == "Babs"
        assert after.get("emails") == [{"value": "babs@jensen.org", "type": "home"}]

    def test_more_values_than_are_kept_are_refused(self, users: ResourceType) -> None:
        """The limit holds for the sum."""
        emails = [{"value": f"{number}@x"} for number in range(30)]
        others = [{"value": f"{number}@y"} for number in range(30)]
        with pytest.raises(InvalidValue, match="emails has 60 values; at most 50"):
            patched(a_user(users, emails=emails), {"op": "add", "path": "emails", "value": others})


class TestReplace:
    """RFC 7644, 3.5.2.3."""

    def test_a_path_that_is_not_there_is_added(self, users: ResourceType) -> None:
        """If the target does not exist, replace is an add."""
        operation = {"op": "replace", "path": "name.familyName", "value": "Jensen"}
        assert patched(a_user(users), operation).get("name") == {"familyName": "Jensen"}

    def test_all_values_are_replaced(self, users: ResourceType) -> None:
        """A multi-valued attribute is replaced as a whole."""
        before = a_user(users, emails=[WORK])
        after = patched(before, {"op": "replace", "path": "emails", "value": [HOME]})
        assert after.get("emails") == [HOME]

    def test_sub_attributes_that_are_not_given_stay(self, users: ResourceType) -> None:
        """3.5.2.3: those not specified are left unchanged; null unassigns."""
        before = a_user(users, name={"familyName": "J", "givenName": "B", "formatted": "B J"})
        value = {"givenName": "Barbara", "formatted": None}
        after = patched(before, {"op": "replace", "path": "name", "value": value})
        assert after.get("name") == {"familyName": "J", "givenName": "Barbara"}

    def test_an_extension_is_reached_by_its_urn(self, users: ResourceType) -> None:
        """By path, and as an object without one; `schemas` follow."""
        by_path = {"op": "replace", "path": f"{ENTERPRISE}:department", "value": "Finance"}
        by_value = {"op": "replace", "value": {ENTERPRISE: {"department": "Finance"}}}
        after = patched(a_user(users), by_path)
        assert after == patched(a_user(users), by_value)
        assert after.values[ENTERPRISE] == {"department": "Finance"}
        assert after.values["schemas"] == [CORE, ENTERPRISE]

    def test_null_unassigns(self, users: ResourceType) -> None:
        """RFC 7643, 2.5: null is the same as unassigned."""
        after = patched(a_user(users, title="x"), {"op": "replace", "path": "title", "value": None})
        assert "title" not in after.values

    @pytest.mark.parametrize(
        "operation", [{"path": ENTERPRISE, "value": None}, {"value": {ENTERPRISE: None}}]
    )
    def test_null_unassigns_an_extension(
        self, operation: dict[str, object], users: ResourceType
    ) -> None:
        """With and without a path; null alone cannot be added."""
        before = a_user(users, **{ENTERPRISE: {"department": "Finance"}})
        after = patched(before, {"op": "replace"} | operation)
        assert ENTERPRISE not in after.values
        with pytest.raises(InvalidValue, match="is an object with the attributes"):
            patched(before, {"op": "add"} | operation)

    def test_operations_build_on_each_other(self, users: ResourceType) -> None:
        """They apply in their order."""
        after = patched(
            a_user(users),
            {"op": "add", "path": f"{ENTERPRISE}:manager.value", "value": "1"},
            {"op": "add", "path": f"{ENTERPRISE}:division", "value": "x"},
            {"op": "remove", "path": f"{ENTERPRISE}:manager"},
        )
        assert after.values[ENTERPRISE] == {"division": "x"}


class TestRemove:
    """RFC 7644, 3.5.2.2."""

    def test_an_attribute_becomes_unassigned(self, users: ResourceType) -> None:
        """One value or many, all of it goes."""
        before = a_user(users, title="x", emails=[WORK])
        after = patched(
            before, {"op": "remove", "path": "title"}, {"op": "Remove", "path": "EMAILS"}
        )
        assert after == a_user(users)

    def test_the_last_sub_attribute_takes_the_attribute_along(self, users: ResourceType) -> None:
        """What has become empty is unassigned, extensions and their URN too."""
        before = a_user(users, name={"givenName": "B"}, **{ENTERPRISE: {"division": "x"}})
        after = patched(
            before,
            {"op": "remove", "path": "name.givenName"},
            {"op": "remove", "path": f"{ENTERPRISE}:division"},
        )
        assert after == a_user(users)

    def test_what_is_not_there_may_be_removed(self, users: ResourceType) -> None:
        """Nothing changes."""
        assert patched(a_user(users), {"op": "remove", "path": "title"}) == a_user(users)

    def test_active_can_be_unassigned(self, users: ResourceType) -> None:
        """What that means for the state is the product's business: the attribute goes."""
        after = patched(a_user(users, active=False), {"op": "remove", "path": "active"})
        assert "active" not in after.values


class TestMutability:
    """RFC 7644, 3.5.2: 400 mutability."""

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "replace", "path": "id", "value": "u2"},
            {"op": "remove", "path": "id"},
            {"op": "replace", "path": "meta.version", "value": 'W/"0"'},
            {"op": "replace", "value": {"id": "u2"}},
            {"op": "add", "path": f"{BADGES}:badges", "value": [{"value": "x"}]},
            {"op": "replace", "path": f"{ENTERPRISE}:manager.displayName", "value": "x"},
        ],
    )
    def test_what_is_read_only_stays(
        self, operation: dict[str, object], users: ResourceType
    ) -> None:
        """Only the provider changes it."""
        with pytest.raises(Mutability, match="is readOnly; only the provider changes it"):
            patched(a_user(users), operation)

    def test_a_client_may_write_back_what_it_read(self, users: ResourceType) -> None:
        """The same value changes nothing, so it is no offence."""
        before = a_user(users)
        assert patched(before, {"op": "replace", "value": before.values}) == before
        assert patched(before, {"op": "replace", "value": {"groups": []}}) == before

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "remove", "path": "userName"},
            {"op": "replace", "path": "userName", "value": None},
            {"op": "replace", "value": {"userName": None}},
        ],
    )
    def test_what_is_required_cannot_be_removed(
        self, operation: dict[str, object], users: ResourceType
    ) -> None:
        """RFC 7644, 3.5.2.2."""
        with pytest.raises(Mutability, match="userName is required and cannot be removed"):
            patched(a_user(users), operation)

    def test_what_is_immutable_is_set_once(self, users: ResourceType) -> None:
        """RFC 7643, 2.2: it may be set where it was not, and not changed or removed then."""
        born = {"op": "add", "path": f"{BADGES}:born", "value": "1999-01-01T00:00:00Z"}
        once = patched(a_user(users), born)
        assert patched(once, born) == once
        for operation in (
            {"op": "replace", "path": f"{BADGES}:born", "value": "2000-01-01T00:00:00Z"},
            {"op": "remove", "path": f"{BADGES}:born"},
        ):
            with pytest.raises(Mutability, match=f"{BADGES}:born is immutable"):
                patched(once, operation)


class TestWhatIsRefused:
    """Messages and operations that are wrong or not available."""

    @pytest.mark.parametrize(
        ("body", "error", "text"),
        [
            ([], InvalidSyntax, "send a PatchOp message"),
            ({"Operations": []}, InvalidSyntax, '"schemas" of a PatchOp message is exactly'),
            ({"schemas": [CORE], "Operations": []}, InvalidSyntax, "is exactly"),
            ({"schemas": [PATCH_OP]}, InvalidSyntax, "array with at least one operation"),
            (message(), InvalidSyntax, "array with at least one operation"),
            (message() | {"x": 1}, InvalidSyntax, 'A PatchOp message has no attribute "x"'),
            (message() | {"operations": []}, InvalidSyntax, "Operations comes twice"),
            (message(*[{"op": "remove", "path": "title"}] * 101), InvalidSyntax, "at most 100"),
            (message(5), InvalidSyntax, "An operation is an object"),
            (message({"op": "move"}), InvalidSyntax, 'add, replace or remove, not "move"'),
            (message({"path": "title"}), InvalidSyntax, "has no op; send add, replace or remove"),
            (message({"op": "add", "path": 5, "value": 1}), InvalidPath, "is a string"),
            (message({"op": "add", "path": "title"}), InvalidValue, 'at "title" has no value'),
            (message({"op": "add", "value": "x"}), InvalidValue, "is an object"),
            (message({"op": "remove"}), NoTarget, "needs a path"),
            (
                message({"op": "remove", "path": "emails", "value": [HOME]}),
                InvalidValue,
                "takes no value",
            ),
            (message({"op": "remove", "path": "titel"}), InvalidPath, "Did you mean title?"),
            (message({"op": "remove", "path": "name.x"}), InvalidPath, 'no attribute "x"'),
            (message({"op": "remove", "path": "a b"}), InvalidPath, "is no attribute path"),
            (message({"op": "remove", "path": ""}), InvalidPath, "is no attribute path"),
            (
                message({"op": "remove", "path": "emails.value"}),
                InvalidPath,
                r"may stand for several values; choose some, as in emails\[…\]\.value",
            ),
            (message({"op": "remove", "path": f"{ENTERPRISE}:"}), InvalidPath, "is no attribute"),
            (message({"op": "add", "value": {"foo": 1}}), InvalidSyntax, 'no attribute "foo"'),
            (
                message({"op": "add", "value": {ENTERPRISE: {"foo": 1}}}),
                InvalidSyntax,
                'no attribute "foo"',
            ),
            (
                message({"op": "replace", "value": {"title": "a", "TITLE": "b"}}),
                InvalidSyntax,
                "title comes twice, in different case",
            ),
            (
                message(
                    {"op": "replace", "path": "name", "value": {"givenName": "a", "GIVENNAME": "b"}}
                ),
                InvalidSyntax,
                r"name\.givenName comes twice, in different case",
            ),
            (
                message(
                    {"op": "add", "path": ENTERPRISE, "value": {"division": "a", "Division": "b"}}
                ),
                InvalidSyntax,
                f"{ENTERPRISE}:division comes twice, in different case",
            ),
            (
                message({"op": "replace", "path": "active", "value": "True"}),
                InvalidValue,
                'active is a boolean; "True" is none',
            ),
            (
                message({"op": "replace", "path": "name", "value": "x"}),
                InvalidValue,
                "name is complex; send an object",
            ),
            (
                message({"op": "replace", "path": "name", "value": {"first": "x"}}),
                InvalidSyntax,
                'name has no attribute "first"',
            ),
            (
                message({"op": "add", "value": {"schemas": ["urn:x"]}}),
                InvalidSyntax,
                'has no schema "urn:x"',
            ),
        ],
    )
    def test_the_error_says_what_and_how_to_mend_it(
        self, body: object, error: type[SCIMError], text: str, users: ResourceType
    ) -> None:
        """Each has the scimType of RFC 7644, table 9."""
        with pytest.raises(error, match=text):
            apply(a_user(users, emails=[WORK]), read_request(body, users))


NAMES = st.sampled_from(
    [
        *("title", "active", "name", "name.givenName", "emails", "id", "userName", "schemas", "x"),
        *(ENTERPRISE, f"{ENTERPRISE}:department", f"{ENTERPRISE}:manager", f"{BADGES}:born"),
    ]
)
ANYTHING = st.sampled_from(
    [None, True, "x", 5, [], {}, [WORK], [WORK, HOME], HOME, {"givenName": "x"}, {"value": "1"}]
)
OPERATIONS = st.builds(
    lambda kind, path, value: {"op": kind, "path": path} | ({} if kind == "remove" else value),
    st.sampled_from(["add", "replace", "remove"]),
    NAMES,
    ANYTHING.map(lambda value: {"value": value}),
) | st.dictionaries(NAMES, ANYTHING, max_size=3).map(lambda value: {"op": "add", "value": value})


class TestWholeOrNotAtAll:
    """Laws."""

    @given(operations=st.lists(OPERATIONS, min_size=1, max_size=5))
    def test_the_resource_before_is_never_touched(
        self, operations: list[object], users: ResourceType
    ) -> None:
        """Whether a later operation fails or not, nothing of an earlier one is left behind."""
        before = a_user(users, emails=[HOME], name={"familyName": "J"})
        copy = deepcopy(before.values)
        sent = deepcopy(operations)
        try:
            after = patched(before, *operations)
        except SCIMError:
            after = before
        assert before.values == copy
        assert operations == sent
        assert after.values["id"] == "u1"
        assert after.values["userName"]

    @given(operations=st.lists(OPERATIONS, min_size=1, max_size=5))
    def test_what_comes_out_is_a_valid_resource(
        self, operations: list[object], users: ResourceType
    ) -> None:
        """Whatever was applied, nothing empty is kept and the document can be written."""
        try:
            after = patched(a_user(users, emails=[HOME]), *operations)
        except SCIMError:
            return
        document = json.loads(after.document())
        assert all(value not in (None, [], {}) for value in document.values())
        assert document["schemas"] == after.schemas()
