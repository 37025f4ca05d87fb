"""Sorting: RFC 7644, 3.4.2.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid_scim.attributes import Attribute, Returned, Schema
from mobid_scim.errors import InvalidValue
from mobid_scim.listing import SortOrder
from mobid_scim.ordering import ordered, read_sort_by, read_sort_order
from mobid_scim.resource import Resource, ResourceType

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BADGES = "urn:example:scim:badges:2.0:User"


def a_user(users: ResourceType, name: str, **values: object) -> Resource:
    """Return a user."""
    return Resource(users, {"userName": name} | values)


def names(found: list[Resource]) -> list[object]:
    """Return who is there, in order."""
    return [each.get("userName") for each in found]


class TestWhatCanBeSortedBy:
    """`sortBy` and `sortOrder`."""

    @pytest.mark.parametrize(
        ("text", "canonical"),
        [
            ("USERNAME", "userName"),
            ("name.familyName", "name.familyName"),
            ("emails", "emails.value"),
            ("emails.type", "emails.type"),
            ("meta.lastModified", "meta.lastModified"),
            ("active", "active"),
            (f"{ENTERPRISE}:manager", f"{ENTERPRISE}:manager.value"),
            (f"{BADGES}:height", f"{BADGES}:height"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:title", "title"),
        ],
    )
    def test_a_path_leads_to_simple_values(
        self, text: str, canonical: str, users: ResourceType
    ) -> None:
        """A complex attribute stands for its `value`."""
        assert str(read_sort_by(text, users)) == canonical

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("foo", 'User has no attribute "foo"'),
            ("", "no attribute path"),
            ("name", "name is complex and has no order; sort by one of .*: formatted"),
            ("addresses", "addresses is complex and has no order"),
            ("x509Certificates", "x509Certificates.value is binary and has no order"),
            ('emails[type eq "work"]', "no attribute path"),
        ],
    )
    def test_others_are_refused(self, text: str, message: str, users: ResourceType) -> None:
        """400 invalidValue."""
        with pytest.raises(InvalidValue, match=message):
            read_sort_by(text, users)

    def test_what_is_never_returned_cannot_be_guessed_by_sorting(self) -> None:
        """An order would give it away."""
        pin = Attribute("pin", returned=Returned.NEVER)
        doors = ResourceType(
            name="Door",
            endpoint="/Doors",
            schema=Schema("urn:example:door", "Door", "", (pin,)),
            operations=frozenset(),
        )
        with pytest.raises(InvalidValue, match="pin cannot be sorted by"):
            read_sort_by("pin", doors)

    def test_orders_are_two(self) -> None:
        """In any case, as strings are."""
        assert read_sort_order("Descending") is SortOrder.DESCENDING
        with pytest.raises(InvalidValue, match='ascending or descending, not "up"'):
            read_sort_order("up")


class TestTheOrder:
    """What the order means."""

    def test_strings_are_compared_without_case(self, users: ResourceType) -> None:
        """Unless they are caseExact."""
        found = [a_user(users, name, externalId=name) for name in ("b", "C", "a")]
        by_name = ordered(found, read_sort_by("userName", users), SortOrder.ASCENDING)
        assert names(by_name) == ["a", "b", "C"]
        exact = ordered(found, read_sort_by("externalId", users), SortOrder.ASCENDING)
        assert names(exact) == ["C", "a", "b"]

    @pytest.mark.parametrize(
        ("order", "expected"),
        [(SortOrder.ASCENDING, ["b", "a", "c", "d"]), (SortOrder.DESCENDING, ["c", "d", "a", "b"])],
    )
    def test_what_has_no_value_is_last_and_then_first(
        self, order: SortOrder, expected: list[str], users: ResourceType
    ) -> None:
        """Those that are equal stay as they were."""
        heights = {"a": 170, "b": 20, "c": None, "d": None}
        found = [
            a_user(users, name, **({BADGES: {"height": height}} if height else {}))
            for name, height in heights.items()
        ]
        by = read_sort_by(f"{BADGES}:height", users)
        assert names(ordered(found, by, order)) == expected

    def test_of_several_values_the_primary_one_counts(self, users: ResourceType) -> None:
        """Or else the first that has what is compared."""
        found = [
            a_user(users, "1", emails=[{"value": "z"}, {"value": "b", "primary": True}]),
            a_user(users, "2", emails=[{"value": "c"}, {"value": "a"}]),
            a_user(users, "3", emails=[{"type": "work", "primary": True}, {"value": "A"}]),
            a_user(users, "4"),
        ]
        by = read_sort_by("emails", users)
        assert names(ordered(found, by, SortOrder.ASCENDING)) == ["3", "1", "2", "4"]

    def test_moments_are_compared_as_such(self, users: ResourceType) -> None:
        """Whatever their time zone."""
        found = [
            a_user(users, "later", **{BADGES: {"born": "2000-01-01T01:00:00Z"}}),
            a_user(users, "first", **{BADGES: {"born": "2000-01-01T02:00:00+02:00"}}),
        ]
        by = read_sort_by(f"{BADGES}:born", users)
        assert names(ordered(found, by, SortOrder.ASCENDING)) == ["first", "later"]

    @given(titles=st.lists(st.none() | st.text("aAbB", min_size=1)))
    def test_the_two_orders_are_each_others_mirror(
        self, titles: list[str | None], users: ResourceType
    ) -> None:
        """But for those that are equal."""
        found = [a_user(users, "x", **({"title": title} if title else {})) for title in titles]
        by = read_sort_by("title", users)
        up = [str(each.get("title")).lower() for each in ordered(found, by, SortOrder.ASCENDING)]
        down = [str(each.get("title")).lower() for each in ordered(found, by, SortOrder.DESCENDING)]
        assert up == down[::-1]
