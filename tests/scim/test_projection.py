"""Which attributes an answer holds: RFC 7643, 2.2 (returned) and RFC 7644, 3.9."""

import pytest

from mobid_scim.errors import InvalidValue
from mobid_scim.projection import Projection
from mobid_scim.resource import Resource, ResourceType

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BADGES = "urn:example:scim:badges:2.0:User"
ALWAYS = {"schemas", "id"}


@pytest.fixture
def whole(users: ResourceType) -> Resource:
    """Return a user with values of every kind of `returned`."""
    return Resource(
        users,
        {
            "schemas": [CORE, ENTERPRISE, BADGES],
            "id": "u1",
            "userName": "bj",
            "name": {"familyName": "J", "givenName": "B"},
            "emails": [{"value": "a@b", "type": "work"}, {"value": "c@d"}],
            ENTERPRISE: {"department": "Tour", "division": "x"},
            BADGES: {"colour": "red", "badges": [{"value": "1", "picture": "iVBO"}]},
            "meta": {"version": 'W/"1"'},
        },
    )


def shown(whole: Resource, attributes: str | None, excluded: str | None = None) -> object:
    """Return what a client sees that sent these parameters, besides what it always sees."""
    values = Projection.parse(whole.type, attributes, excluded).apply(whole)
    assert set(values) >= ALWAYS
    return {name: value for name, value in values.items() if name not in ALWAYS}


class TestByDefault:
    """Without parameters."""

    def test_everything_but_what_is_on_request(self, whole: Resource) -> None:
        """`returned: request` needs a request."""
        expected = {name: value for name, value in whole.values.items() if name not in ALWAYS}
        assert shown(whole, None) == expected | {BADGES: {"colour": "red"}}


class TestAttributes:
    """The parameter `attributes`."""

    @pytest.mark.parametrize(
        ("attributes", "expected"),
        [
            ("userName", {"userName": "bj"}),
            ("USERNAME , name.familyname", {"userName": "bj", "name": {"familyName": "J"}}),
            (f"{CORE}:userName", {"userName": "bj"}),
            ("emails.value", {"emails": [{"value": "a@b"}, {"value": "c@d"}]}),
            ("name,name.givenName", {"name": {"familyName": "J", "givenName": "B"}}),
            (ENTERPRISE, {ENTERPRISE: {"department": "Tour", "division": "x"}}),
            (f"{ENTERPRISE}:division", {ENTERPRISE: {"division": "x"}}),
            (BADGES, {BADGES: {"colour": "red"}}),
            (f"{BADGES}:badges", {BADGES: {"badges": [{"value": "1"}]}}),
            (f"{BADGES}:badges.picture", {BADGES: {"badges": [{"picture": "iVBO"}]}}),
            (
                f"{BADGES}:badges,{BADGES}:badges.picture",
                {BADGES: {"badges": [{"value": "1", "picture": "iVBO"}]}},
            ),
            ("emails.type", {"emails": [{"type": "work"}]}),
            ("emails.display,name.middleName", {}),
            ("noSuchThing", {}),
            ("", {}),
        ],
    )
    def test_only_these_and_what_is_always_returned(
        self, attributes: str, expected: object, whole: Resource
    ) -> None:
        """What is returned on request is returned when it is named."""
        assert shown(whole, attributes) == expected


class TestExcludedAttributes:
    """The parameter `excludedAttributes`."""

    def test_these_are_left_out(self, whole: Resource) -> None:
        """Attributes, sub-attributes and whole extensions."""
        excluded = f"emails,name.givenName,meta,{BADGES},{ENTERPRISE}:division"
        assert shown(whole, None, excluded) == {
            "userName": "bj",
            "name": {"familyName": "J"},
            ENTERPRISE: {"department": "Tour"},
        }

    def test_nothing_empty_stays(self, whole: Resource) -> None:
        """RFC 7643, 2.5: an object without values is none, and its attribute is unassigned."""
        excluded = f"emails.value,name.familyName,name.givenName,{BADGES}:colour,meta.version"
        assert shown(whole, None, excluded) == {
            "userName": "bj",
            "emails": [{"type": "work"}],
            ENTERPRISE: {"department": "Tour", "division": "x"},
        }
        assert "emails" not in str(shown(whole, None, "emails.value,emails.type"))

    def test_what_is_always_returned_cannot_be_left_out(self, whole: Resource) -> None:
        """RFC 7643, 2.2: `returned: always`."""
        assert "userName" in str(shown(whole, None, "id,schemas"))


class TestWhatIsWanted:
    """A repository asks before it makes something costly."""

    @pytest.mark.parametrize(
        ("attributes", "name", "wanted"),
        [
            (None, "title", True),
            (None, f"{BADGES}:badges", False),
            (f"{BADGES}:badges", f"{BADGES}:badges", True),
            (f"{BADGES}:badges", f"{BADGES}:badges.picture", False),
            (f"{BADGES}:badges.picture", f"{BADGES}:badges.picture", True),
            ("title", "userName", False),
            ("title", "id", True),
        ],
    )
    def test_wants_says_what_the_answer_holds(
        self, attributes: str | None, name: str, wanted: object, users: ResourceType
    ) -> None:
        """The same rules as for the answer itself."""
        assert Projection.parse(users, attributes, None).wants(name) is wanted


class TestWhatIsRefused:
    """400 invalidValue."""

    def test_both_parameters_contradict_each_other(self, users: ResourceType) -> None:
        """RFC 7644, 3.9: one or the other."""
        with pytest.raises(InvalidValue, match="not both"):
            Projection.parse(users, "id", "title")

    def test_names_are_bounded(self, users: ResourceType) -> None:
        """A hundred is more than any schema has."""
        with pytest.raises(InvalidValue, match="More than 100 attributes"):
            Projection.parse(users, "a," * 100, None)
