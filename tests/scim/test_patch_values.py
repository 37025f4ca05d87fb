"""PATCH of chosen values, `emails[…]`: RFC 7644, 3.5.2."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid_scim.attributes import Attribute, Schema, Type
from mobid_scim.attributes import Mutability as Rule
from mobid_scim.errors import (
    InvalidFilter,
    InvalidPath,
    InvalidValue,
    Mutability,
    NoTarget,
    SCIMError,
)
from mobid_scim.patch import apply
from mobid_scim.patch_request import PATCH_OP, read_request, read_target
from mobid_scim.resource import Resource, ResourceType

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BADGES = "urn:example:scim:badges:2.0:User"
WORK = {"value": "bj@example.com", "type": "work", "primary": True}
HOME = {"value": "bj@home.org", "type": "home"}
WORDS = 'emails name .type .givenName [ ] ( ) "x" type eq pr not or . :'
PIECES = [*WORDS.split(), " ", f"{CORE}:"]
OTHER = {"value": "bj@other.net", "type": "other"}


def a_user(users: ResourceType, **values: object) -> Resource:
    """Return a user with three addresses."""
    common = {"schemas": [CORE], "id": "u1", "userName": "bj", "emails": [WORK, HOME, OTHER]}
    return Resource(users, common | values)


def emails_after(before: Resource, *operations: object) -> object:
    """Return the addresses after the operations, as a client would send them."""
    body = {"schemas": [PATCH_OP], "Operations": list(operations)}
    return apply(before, read_request(body, before.type)).values.get("emails")


class TestRemove:
    """3.5.2.2: the values matched by the filter are removed."""

    def test_values_that_match_go(self, users: ResourceType) -> None:
        """The first example: all with that type."""
        operation = {"op": "remove", "path": 'emails[type eq "WORK"]'}
        assert emails_after(a_user(users), operation) == [HOME, OTHER]

    def test_a_filter_may_be_of_any_form(self, users: ResourceType) -> None:
        """The second example: an and, here with everything else that a filter has."""
        path = 'emails[not (type eq "home" or value ew "net") and primary eq true]'
        assert emails_after(a_user(users), {"op": "remove", "path": path}) == [HOME, OTHER]

    def test_without_values_the_attribute_is_unassigned(self, users: ResourceType) -> None:
        """If no other values remain."""
        assert emails_after(a_user(users), {"op": "remove", "path": "emails[value pr]"}) is None

    def test_a_sub_attribute_goes_alone(self, users: ResourceType) -> None:
        """From every value that matches."""
        operation = {"op": "remove", "path": 'emails[value co "bj"].type'}
        values = [{"value": WORK["value"], "primary": True}]
        values += [{"value": each["value"]} for each in (HOME, OTHER)]
        assert emails_after(a_user(users), operation) == values

    def test_what_is_not_there_may_be_removed(self, users: ResourceType) -> None:
        """Nothing changes, so that a client may send its request again."""
        operation = {"op": "remove", "path": 'emails[type eq "none"]'}
        assert emails_after(a_user(users), operation) == [WORK, HOME, OTHER]


class TestReplace:
    """3.5.2.3."""

    def test_values_that_match_are_replaced(self, users: ResourceType) -> None:
        """As a whole: what the new value does not have is gone."""
        new = {"value": "new@home.org", "display": "Home"}
        operation = {"op": "replace", "path": 'emails[type eq "home"]', "value": new}
        assert emails_after(a_user(users), operation) == [WORK, new, OTHER]

    def test_several_become_one(self, users: ResourceType) -> None:
        """The same value is kept once."""
        operation = {"op": "replace", "path": "emails[not (primary pr)]", "value": {"value": "x"}}
        assert emails_after(a_user(users), operation) == [WORK, {"value": "x"}]

    def test_a_sub_attribute_of_all_that_match(self, users: ResourceType) -> None:
        """The example of 3.5.2.3: the street of the work address."""
        operation = {"op": "replace", "path": 'emails[type ne "work"].display', "value": "D"}
        expected = [WORK, HOME | {"display": "D"}, OTHER | {"display": "D"}]
        assert emails_after(a_user(users), operation) == expected

    def test_null_removes(self, users: ResourceType) -> None:
        """RFC 7643, 2.5: null is unassigned."""
        operation = {"op": "replace", "path": 'emails[type eq "home"]', "value": None}
        assert emails_after(a_user(users), operation) == [WORK, OTHER]

    @pytest.mark.parametrize("kind", ["add", "replace"])
    @pytest.mark.parametrize("path", ['emails[type eq "none"]', 'emails[type eq "none"].value'])
    def test_no_match_is_no_target(self, kind: str, path: str, users: ResourceType) -> None:
        """400 noTarget, and the message has the path."""
        value: object = "x" if path.endswith("value") else {"value": "x"}
        with pytest.raises(NoTarget, match=r'No value matches emails\[type eq "none"\]'):
            emails_after(a_user(users), {"op": kind, "path": path, "value": value})


class TestAdd:
    """3.5.2.1."""

    def test_what_is_added_joins_the_values_that_match(self, users: ResourceType) -> None:
        """A complex target takes sub-attributes and keeps its others."""
        operation = {"op": "add", "path": 'emails[type eq "home"]', "value": {"display": "Home"}}
        assert emails_after(a_user(users), operation) == [WORK, HOME | {"display": "Home"}, OTHER]

    def test_a_value_is_the_same_by_value_and_type(self, users: ResourceType) -> None:
        """RFC 7643, 2.4: the same combination is there once; what is new about it is kept."""
        again = HOME | {"display": "Home", "primary": True}
        operation = {"op": "add", "path": "emails", "value": [again, OTHER]}
        expected = [WORK | {"primary": False}, again, OTHER]
        assert emails_after(a_user(users), operation) == expected

    def test_the_same_value_of_another_type_is_another_one(self, users: ResourceType) -> None:
        """It joins the others."""
        more = {"value": HOME["value"], "type": "work"}
        operation = {"op": "add", "path": "emails", "value": more}
        assert emails_after(a_user(users), operation) == [WORK, HOME, OTHER, more]


class TestPrimary:
    """3.5.2: the provider sets the old primary value to false."""

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "replace", "path": 'emails[type eq "home"].primary', "value": True},
            {"op": "add", "path": 'emails[type eq "home"].primary', "value": True},
            {"op": "add", "path": 'emails[type eq "home"]', "value": {"primary": True}},
            {
                "op": "replace",
                "path": 'emails[type eq "home"]',
                "value": {"value": HOME["value"], "type": "home", "primary": True},
            },
        ],
    )
    def test_a_new_one_takes_over(self, operation: object, users: ResourceType) -> None:
        """However it is said."""
        expected = [WORK | {"primary": False}, HOME | {"primary": True}, OTHER]
        assert emails_after(a_user(users), operation) == expected

    def test_two_new_ones_contradict_each_other(self, users: ResourceType) -> None:
        """Nobody can know which is meant."""
        operation = {"op": "add", "path": "emails[value pr].primary", "value": True}
        with pytest.raises(InvalidValue, match="emails has 3 primary values; at most one"):
            emails_after(a_user(users), operation)

    def test_the_old_one_may_be_changed(self, users: ResourceType) -> None:
        """It stays primary."""
        operation = {"op": "add", "path": "emails[primary eq true].display", "value": "W"}
        assert emails_after(a_user(users), operation) == [WORK | {"display": "W"}, HOME, OTHER]


class TestPaths:
    """3.5.2, figure 7."""

    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("NAME.familyname", "name.familyName"),
            (f"{CORE}:name.familyName", "name.familyName"),
            (f"{ENTERPRISE}:manager.value", f"{ENTERPRISE}:manager.value"),
            ('Emails[TYPE EQ "work"]', 'emails[type eq "work"]'),
            ('emails[type eq "]"].Value', 'emails[type eq "]"].value'),
            (f'{CORE}:emails[type eq "work"].value', 'emails[type eq "work"].value'),
            (f'{BADGES}:badges[value eq "1"]', f'{BADGES}:badges[value eq "1"]'),
        ],
    )
    def test_each_form_is_read(self, text: str, canonical: str, users: ResourceType) -> None:
        """Attributes, sub-attributes, value paths; below a URN, and in any case."""
        assert str(read_target(text, users)) == canonical

    @pytest.mark.parametrize(
        ("text", "error", "message"),
        [
            ("emails[", InvalidPath, "no path of the form"),
            ("emails]", InvalidPath, "no attribute path"),
            ('emails[type eq "a"', InvalidPath, "no path of the form"),
            ('emails[type eq "a"]value', InvalidPath, "no path of the form"),
            ('emails[type eq "a"].value.x', InvalidPath, "no path of the form"),
            ('emails[type eq "a"].value eq "x"', InvalidPath, "no path of the form"),
            ('emails[type eq "a"] or emails[type eq "b"]', InvalidPath, "no path of the form"),
            ('(emails[type eq "a"])', InvalidPath, "no attribute path"),
            (' emails[type eq "a"]', InvalidPath, "no attribute path"),
            ('title eq "x" or b', InvalidPath, "no attribute path"),
            ('emails.value[type eq "a"]', InvalidFilter, "follow an attribute"),
            ('name[familyName eq "x"]', InvalidFilter, "no multi-valued complex attribute"),
            ('mails[type eq "a"]', InvalidPath, "Did you mean emails?"),
            ('emails[typ eq "a"]', InvalidFilter, "Did you mean type?"),
            ('emails[type eq "a"].valu', InvalidPath, "Did you mean value?"),
            ("emails[type like 1]", InvalidFilter, "at column 13"),
            ("emails[" + "(" * 40 + "type pr" + ")" * 40 + "]", InvalidFilter, "32 deep"),
        ],
    )
    def test_others_are_refused(
        self, text: str, error: type[SCIMError], message: str, users: ResourceType
    ) -> None:
        """RFC 7644, table 9: invalidPath, or invalidFilter for what is in the brackets."""
        with pytest.raises(error, match=message):
            read_target(text, users)

    @given(parts=st.lists(st.sampled_from(PIECES), max_size=10))
    def test_any_text_is_a_path_or_a_refusal(self, parts: list[str], users: ResourceType) -> None:
        """No text raises anything else, and a path that is read says what it says."""
        for text in ("".join(parts), " ".join(parts)):
            with contextlib.suppress(InvalidPath, InvalidFilter):
                target = read_target(text, users)
                assert read_target(str(target), users) == target

    @pytest.mark.parametrize(
        ("operation", "message"),
        [
            ({"op": "remove", "path": 'groups[value eq "g"]'}, "is readOnly"),
            ({"op": "replace", "path": 'groups[value eq "g"].display', "value": "x"}, "readOnly"),
        ],
    )
    def test_what_is_read_only_stays(
        self, operation: object, message: str, users: ResourceType
    ) -> None:
        """400 mutability."""
        with pytest.raises(Mutability, match=message):
            emails_after(a_user(users, groups=[{"value": "g"}]), operation)

    @pytest.mark.parametrize(
        ("operation", "message"),
        [
            ({"op": "replace", "path": "emails[type pr]", "value": "x"}, "send an object"),
            ({"op": "replace", "path": "emails[type pr]", "value": [HOME]}, "send an object"),
            ({"op": "add", "path": "emails[type pr]", "value": "x"}, "send an object"),
            ({"op": "add", "path": "emails[type pr]", "value": None}, "null cannot be added"),
            ({"op": "replace", "path": "emails[type pr].value", "value": 5}, "is a string"),
        ],
    )
    def test_values_that_do_not_fit_are_refused(
        self, operation: object, message: str, users: ResourceType
    ) -> None:
        """400 invalidValue."""
        with pytest.raises(InvalidValue, match=message):
            emails_after(a_user(users), operation)


class TestExtensions:
    """A URN alone stands for all attributes of the extension."""

    def test_its_attributes_are_set_by_an_object(self, users: ResourceType) -> None:
        """As without a path; a client may repeat the URN in it."""
        value = {"schemas": [ENTERPRISE], "department": "Finance"}
        body = {"op": "add", "path": ENTERPRISE, "value": value}
        after = patched(a_user(users), body)
        assert after.values[ENTERPRISE] == {"department": "Finance"}

    def test_it_is_removed_with_everything(self, users: ResourceType) -> None:
        """And its URN leaves `schemas`."""
        before = a_user(users, **{ENTERPRISE: {"department": "x", "division": "y"}})
        after = patched(before, {"op": "remove", "path": ENTERPRISE.upper()})
        assert ENTERPRISE not in after.values
        assert after.values["schemas"] == [CORE]


def patched(before: Resource, operation: object) -> Resource:
    """Return the resource after one operation."""
    body = {"schemas": [PATCH_OP], "Operations": [operation]}
    return apply(before, read_request(body, before.type))


LOCKS = ResourceType(
    name="Lock",
    endpoint="/Locks",
    schema=Schema(
        "urn:example:scim:locks:2.0:Lock",
        "Lock",
        "Parts with rules of their own",
        tuple(
            Attribute(
                name,
                type=Type.COMPLEX,
                multi_valued=several,
                sub_attributes=(
                    Attribute("value", required=True),
                    Attribute("kind", mutability=Rule.IMMUTABLE),
                    Attribute("size", type=Type.INTEGER),
                ),
            )
            for name, several in (("bolts", True), ("frame", False))
        ),
    ),
    operations=frozenset(),
)
BOLT = {"value": "b1", "kind": "steel"}
LOCK = Resource(LOCKS, {"schemas": [LOCKS.schema.id], "id": "l1", "bolts": [BOLT]})


class TestPartsWithRules:
    """RFC 7643, 2.2, for the parts of chosen values."""

    @pytest.mark.parametrize(
        ("operation", "error", "message"),
        [
            (
                {"op": "remove", "path": 'bolts[kind eq "steel"].value'},
                Mutability,
                "bolts.value is required and cannot be removed",
            ),
            (
                {"op": "replace", "path": 'bolts[value eq "b1"].kind', "value": "brass"},
                Mutability,
                "bolts.kind is immutable: it was set once and stays",
            ),
            (
                {"op": "replace", "path": 'bolts[value eq "b1"]', "value": {"value": "b2"}},
                Mutability,
                "bolts.kind is immutable",
            ),
            (
                {"op": "add", "path": "bolts", "value": {"size": 3}},
                InvalidValue,
                "bolts.value is required",
            ),
            (
                {"op": "add", "path": "frame", "value": {"size": 3}},
                InvalidValue,
                "frame.value is required",
            ),
        ],
    )
    def test_what_is_required_or_immutable_stays(
        self, operation: object, error: type[SCIMError], message: str
    ) -> None:
        """As anywhere else."""
        with pytest.raises(error, match=message):
            patched(LOCK, operation)

    def test_what_stays_as_it_is_may_be_repeated(self) -> None:
        """Only a change is against a rule."""
        new = BOLT | {"size": 3}
        operation = {"op": "replace", "path": 'bolts[value eq "b1"]', "value": new}
        assert patched(LOCK, operation).values["bolts"] == [new]


FILTERS = ["primary eq true", 'type eq "home"', 'value co "bj"', 'not (type eq "work")']
TARGETS = st.sampled_from(["emails", *(f"emails[{each}]" for each in FILTERS)])
VALUES = st.sampled_from(
    [WORK, HOME, OTHER | {"primary": True}, {"display": "x"}, {"primary": True}, [WORK, HOME], None]
)
OPERATIONS = st.builds(
    lambda kind, path, value: {"op": kind, "path": path} | ({} if kind == "remove" else value),
    st.sampled_from(["add", "replace", "remove"]),
    TARGETS,
    VALUES.map(lambda value: {"value": value}),
)


class TestLaws:
    """What holds whatever is sent."""

    @given(operations=st.lists(OPERATIONS, min_size=1, max_size=5))
    def test_at_most_one_value_is_primary_and_none_is_empty(
        self, operations: list[object], users: ResourceType
    ) -> None:
        """RFC 7643, 2.4 and 2.5."""
        try:
            values = emails_after(a_user(users), *operations)
        except SCIMError:
            return
        assert values != []
        items = values if isinstance(values, list) else []
        assert all(items)
        assert sum(each.get("primary") is True for each in items) <= 1

    @given(operation=OPERATIONS)
    def test_what_was_sent_once_may_be_sent_again(
        self, operation: object, users: ResourceType
    ) -> None:
        """The second time, an operation changes nothing more, or has nothing to work on."""
        before = a_user(users)
        try:
            once = emails_after(before, operation)
            twice = emails_after(before, operation, operation)
        except SCIMError:
            return
        assert twice == once
