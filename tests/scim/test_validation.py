"""Resources from clients against the schemas: RFC 7643, 2 and 3."""

import json

import pytest

from mobid_scim.errors import InvalidSyntax, InvalidValue, SCIMError
from mobid_scim.resource import Resource, ResourceType
from mobid_scim.validation import read_resource

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BADGES = "urn:example:scim:badges:2.0:User"


def read(users: ResourceType, /, *more: str, **values: object) -> Resource:
    """Read a user with a name and these values."""
    return read_resource({"schemas": [CORE, *more], "userName": "bj"} | values, users)


class TestWhatIsRead:
    """A resource in the form that storage keeps."""

    def test_names_take_the_case_of_their_definitions(self, users: ResourceType) -> None:
        """RFC 7643, 2.1."""
        body = {"SCHEMAS": [CORE.lower()], "USERNAME": "bj", "Name": {"FAMILYname": "J"}}
        assert read_resource(body, users).values == {"userName": "bj", "name": {"familyName": "J"}}

    def test_what_is_read_only_is_ignored(self, users: ResourceType) -> None:
        """RFC 7644, 3.3: the provider makes these itself, whatever the client says."""
        sent = {"id": "1", "meta": {"version": 'W/"0"'}, BADGES: {"badges": 5}}
        assert read(users, BADGES, **sent).values == {"userName": "bj"}

    @pytest.mark.parametrize("nothing", [None, [], [None], [{}]])
    def test_null_and_empty_arrays_are_unassigned(
        self, nothing: object, users: ResourceType
    ) -> None:
        """RFC 7643, 2.5: the same as absent."""
        assert "emails" not in read(users, emails=nothing).values

    def test_empty_objects_are_unassigned(self, users: ResourceType) -> None:
        """A complex attribute without sub-attributes has no value."""
        values = read(users, ENTERPRISE, name={"givenName": None}, **{ENTERPRISE: {}}).values
        assert values == {"userName": "bj"}

    def test_the_same_value_is_there_once(self, users: ResourceType) -> None:
        """RFC 7643, 2.4: twice, it complicates what clients do; another type makes it another value."""
        work, home = ({"value": "a@x", "type": kind} for kind in ("work", "home"))
        sent = [work, home, {"type": "work", "value": "a@x"}, home | {"display": None}]
        assert read(users, emails=sent).values["emails"] == [work, home]

    def test_a_read_only_sub_attribute_is_ignored(self, users: ResourceType) -> None:
        """RFC 7643, 4.3: the provider knows the manager's displayName."""
        manager = {"value": "1", "displayName": "Me"}
        resource = read(users, ENTERPRISE, **{ENTERPRISE: {"manager": manager}})
        assert resource.get("manager", extension=ENTERPRISE) == {"value": "1"}

    def test_the_external_id_is_no_part_of_the_document(self, users: ResourceType) -> None:
        """It belongs to one client only (RFC 7643, 3.1)."""
        resource = read(users, externalId="e1")
        assert resource.external_id == "e1"
        assert "e1" not in resource.document()

    def test_the_document_is_canonical(self, users: ResourceType) -> None:
        """The same values give the same text, whatever order they came in."""
        one = read(users, title="x", name={"givenName": "B", "familyName": "J"})
        other = read(users, name={"familyName": "J", "givenName": "B"}, title="x")
        assert one.document() == other.document()
        assert list(json.loads(one.document())) == ["schemas", "userName", "name", "title"]

    def test_schemas_are_those_in_use(self, users: ResourceType) -> None:
        """RFC 7643, 3: an extension without values is not listed."""
        resource = read(users, ENTERPRISE, BADGES, **{ENTERPRISE: {"division": "x"}})
        assert json.loads(resource.document())["schemas"] == [CORE, ENTERPRISE]


class TestWhatIsNoResource:
    """400 invalidSyntax: the body does not follow the schema."""

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ([], "no JSON object; send one User"),
            ({"userName": "bj"}, f'"schemas" is missing; send an array with "{CORE}"'),
            ({"schemas": "x"}, '"schemas" is no array; send an array with'),
            ({"schemas": [5]}, '"schemas" holds 5; send URNs'),
            ({"schemas": [ENTERPRISE]}, f'"schemas" does not list "{CORE}"'),
            ({"schemas": [CORE, "urn:x"]}, 'User has no schema "urn:x"'),
            ({"schemas": [CORE], "userNam": "bj"}, "Did you mean userName?"),
            ({"schemas": [CORE], "password": "x"}, 'User has no attribute "password"'),
            ({"schemas": [CORE], "name": {"first": "x"}}, 'name has no attribute "first"'),
            ({"schemas": [CORE], "title": "a", "TITLE": "b"}, "title comes twice"),
            ({"schemas": [CORE], "name": {"givenName": "a", "GivenName": "b"}}, "comes twice"),
            (
                {"schemas": [CORE], "userName": "bj", ENTERPRISE: {"division": "x"}},
                f'"schemas" does not list {ENTERPRISE}; add it',
            ),
            (
                {"schemas": [CORE, ENTERPRISE], ENTERPRISE: {"departmnt": "x"}},
                "Did you mean department?",
            ),
        ],
    )
    def test_the_message_says_what_and_how_to_mend_it(
        self, body: object, message: str, users: ResourceType
    ) -> None:
        """Nothing that is not understood is stored or dropped in silence."""
        with pytest.raises(InvalidSyntax, match=message.replace("[", r"\[")):
            read_resource(body, users)


class TestWhatDoesNotFit:
    """400 invalidValue: a value is not of its type, or a required one is missing."""

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"userName": None}, "userName is required"),
            ({"userName": "  "}, "userName is required and must not be blank"),
            ({"userName": 5}, "userName is a string; 5 is none"),
            ({"active": "True"}, 'active is a boolean; "True" is none'),
            ({"active": 1}, "active is a boolean; 1 is none"),
            ({"title": ["x"]}, "title is a string; an array is none"),
            ({"title": {}}, "title is a string; an object is none"),
            ({"name": "Barbara"}, "name is complex; send an object"),
            ({"emails": {"value": "x"}}, "emails is multi-valued; send its values as an array"),
            ({"emails": ["x"]}, "emails is complex; send an object"),
            ({"emails": [{"value": "x"}] * 51}, "emails has 51 values; at most 50 are kept"),
            ({"emails": [{"primary": True}] * 2}, "emails has 2 primary values; at most one"),
            ({"emails": [{"primary": "true"}]}, 'emails.primary is a boolean; "true" is none'),
            ({"title": "x" * 2001}, "title has 2001 characters; at most 2000"),
            ({"displayName": "Eve\x0bBcc: x"}, r"displayName holds the control character U\+000B"),
            ({"userName": "anne\nadmin"}, r"userName is one line; leave out its U\+000A"),
            ({"displayName": "Eve\tX"}, r"displayName is one line; leave out its U\+0009"),
            (
                {"emails": [{"value": "eve@example.org\r\nBcc: x@example.org"}]},
                r"emails.value is one line; leave out its U\+000D",
            ),
            ({"externalId": "1\n2"}, r"externalId is one line; leave out its U\+000A"),
            (
                {"x509Certificates": [{"value": "a$b="}]},
                "x509Certificates.value is binary; .* send base64",
            ),
            ({ENTERPRISE: "x"}, f"{ENTERPRISE} is an object"),
            ({BADGES: {"height": 1.5}}, f"{BADGES}:height is an integer; 1.5 is none"),
            ({BADGES: {"height": True}}, f"{BADGES}:height is an integer; true is none"),
            ({BADGES: {"weight": "1"}}, f"{BADGES}:weight is a decimal"),
            ({BADGES: {"born": "1999-02-30T00:00:00Z"}}, f"{BADGES}:born is a dateTime"),
            ({BADGES: {"born": "1999-02-28T00:00:00"}}, f"{BADGES}:born is a dateTime"),
            ({BADGES: {"born": "0001-01-01T00:00:00+14:00"}}, f"{BADGES}:born is a dateTime"),
        ],
    )
    def test_the_message_names_the_attribute_and_its_type(
        self, values: dict[str, object], message: str, users: ResourceType
    ) -> None:
        """RFC 7643, 2.3: types are strict, "True" is no boolean."""
        with pytest.raises(InvalidValue, match=message):
            read(users, ENTERPRISE, BADGES, **values)

    def test_addresses_may_have_several_lines(self, users: ResourceType) -> None:
        """RFC 7643, 4.1.2: formatted MAY contain newlines; directories put them into streets, too."""
        home = {
            "formatted": "Storgatan 1\r\n11122 Stockholm",
            "streetAddress": "Storgatan 1\nc/o Ek",
        }
        found = read(users, addresses=[home])
        assert found.values["addresses"] == [home]

    def test_too_many_values_are_refused_before_each_is_checked(self, users: ResourceType) -> None:
        """The count comes first: a long list costs nothing."""
        with pytest.raises(SCIMError, match="has 100000 values"):
            read(users, emails=[{"nonsense": 1}] * 100_000)
