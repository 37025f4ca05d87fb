"""What known clients send, read in their dialect, and refused where nobody speaks it."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from scim2_models import Error

from mobid_scim.attributes import Attribute
from mobid_scim.bulk.request import BulkLimits
from mobid_scim.dialect import STRICT, Dialect
from mobid_scim.dialects import DIALECTS
from mobid_scim.dialects.entra import ENTRA
from mobid_scim.dialects.keycloak import KEYCLOAK
from mobid_scim.dialects.midpoint import MIDPOINT
from mobid_scim.dialects.okta import OKTA
from mobid_scim.dialects.rfc7643 import RFC7643
from mobid_scim.errors import SCIMError
from mobid_scim.patch_request import read_request

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
Values = dict[str, Any]


class Provider:
    """A provider whose callers speak one dialect, and the same one where they are to be strict."""

    def __init__(self, client_of: Callable[..., FlaskClient], dialect: Dialect) -> None:
        self.spoken = client_of(dialect_of=lambda _: dialect, bulk=BulkLimits())
        self.strict = client_of()

    def __call__(self, method: str, path: str, body: object = None) -> Values:
        """Send a request that the dialect takes, and that is refused without it."""
        refused = self.strict.open(f"/scim/v2{path}", method=method, json=body)
        assert refused.status_code == 400, refused.text
        Error.model_validate(refused.get_json(force=True))
        return self.plainly(method, path, body)

    def plainly(self, method: str, path: str, body: object = None) -> Values:
        """Send a request that is taken in any dialect."""
        answer = self.spoken.open(f"/scim/v2{path}", method=method, json=body)
        assert answer.status_code in (200, 201, 204), answer.text
        found: Values = answer.get_json(force=True) if answer.data else {}
        return found

    def patch(self, *operations: object, path: str = "/Users/u1") -> Values:
        """Change the first user, or something else."""
        return self("PATCH", path, {"schemas": [PATCH_OP], "Operations": list(operations)})

    def refuses(self, *operations: object, path: str = "/Users/u1") -> tuple[str, str]:
        """Send a PATCH that is refused even so, and return what kind of refusal it is."""
        body = {"schemas": [PATCH_OP], "Operations": list(operations)}
        answer = self.spoken.patch(f"/scim/v2{path}", json=body)
        assert answer.status_code == 400, answer.text
        refusal: Values = answer.get_json(force=True)
        return refusal["scimType"], refusal["detail"]


@pytest.fixture
def entra(client_of: Callable[..., FlaskClient]) -> Provider:
    """Return a provider for Entra, with three users, and a group of two of them."""
    provider = Provider(client_of, ENTRA)
    for name in ("babs", "bob", "eve"):
        user = {"schemas": [CORE], "userName": name, "active": True}
        provider.plainly("POST", "/Users", user)
    group = {"schemas": [GROUP], "displayName": "staff"}
    provider.plainly("POST", "/Groups", group | {"members": [{"value": "u1"}, {"value": "u2"}]})
    return provider


def members(provider: Provider) -> list[str]:
    """Return who is in the group."""
    found = provider.plainly("GET", "/Groups/g4")
    return [each["value"] for each in found.get("members", [])]


class TestEntra:
    """Microsoft Entra ID; the requests are those of its documentation and of issues about it."""

    def test_a_user_is_created(self, entra: Provider) -> None:
        """With booleans as text, and the manager as a string."""
        body = {
            "schemas": [CORE, ENTERPRISE],
            "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
            "userName": "Test_User_ab6490ee",
            "active": "True",
            "emails": [{"primary": "True", "type": "work", "value": "u@contoso.com"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "g f", "familyName": "f", "givenName": "g"},
            "roles": [],
            ENTERPRISE: {"department": "Sales", "manager": "u1"},
        }
        made = entra("POST", "/Users", body)
        assert made["active"] is True
        assert made["emails"][0]["primary"] is True
        assert made[ENTERPRISE] == {"department": "Sales", "manager": {"value": "u1"}}
        assert entra("PUT", f"/Users/{made['id']}", body) == made

    def test_a_user_is_disabled(self, entra: Provider) -> None:
        """Without the flag: a capital letter, and a boolean as text."""
        found = entra.patch({"op": "Replace", "path": "active", "value": "False"})
        assert found["active"] is False

    def test_several_attributes_are_replaced(self, entra: Provider) -> None:
        """With the flag: dotted names and URNs are keys."""
        found = entra.patch(
            {
                "op": "replace",
                "value": {
                    "displayName": "Bjfe",
                    "name.givenName": "Kkom",
                    "name.familyName": "Unua",
                    f"{ENTERPRISE}:employeeNumber": "Aklq",
                    f"{ENTERPRISE}:manager": "u2",
                    f"{CORE}:title": "Boss",
                    "active": "False",
                },
            }
        )
        assert found["displayName"] == "Bjfe"
        assert found["name"] == {"familyName": "Unua", "givenName": "Kkom"}
        assert found[ENTERPRISE] == {"employeeNumber": "Aklq", "manager": {"value": "u2"}}
        assert (found["title"], found["active"]) == ("Boss", False)

    @pytest.mark.parametrize(
        ("path", "value", "made"),
        [
            ('emails[type eq "work"].value', "a@x", ("emails", {"type": "work", "value": "a@x"})),
            (
                'phoneNumbers[type eq "mobile"].value',
                "1",
                ("phoneNumbers", {"type": "mobile", "value": "1"}),
            ),
            (
                'roles[primary eq "True"].value',
                "admin",
                ("roles", {"value": "admin", "primary": True}),
            ),
            (
                'addresses[type eq "work"]',
                {"locality": "Bern"},
                ("addresses", {"locality": "Bern", "type": "work"}),
            ),
        ],
    )
    def test_a_value_is_made_where_there_is_none(
        self, path: str, value: object, made: tuple[str, Values], entra: Provider
    ) -> None:
        """And is found from then on."""
        name, expected = made
        operation = {"op": "Add", "path": path, "value": value}
        assert entra.patch(operation)[name] == [expected]
        body = {"schemas": [PATCH_OP], "Operations": [operation]}
        again = entra.plainly("PATCH", "/Users/u1", body)
        assert (again[name], again["meta"]["version"]) == ([expected], 'W/"2"')

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "x"},
            {"op": "Add", "path": 'emails[type ne "work"].value', "value": "x"},
            {"op": "Add", "path": 'emails[type eq "work" or type eq "x"].value', "value": "x"},
            {"op": "Add", "path": 'emails[type eq "a" and type eq "b"].value', "value": "x"},
        ],
    )
    def test_what_describes_no_value_makes_none(self, operation: Values, entra: Provider) -> None:
        """There is no target, as everywhere else."""
        kind, message = entra.refuses(operation)
        assert kind == "noTarget"
        assert "No value matches" in message

    def test_members_are_removed_by_value(self, entra: Provider) -> None:
        """Without the flag: those that are named, and no others."""
        operation = {
            "op": "Remove",
            "path": "members",
            "value": [{"$ref": None, "value": "u1"}, {"value": "u3"}],
        }
        entra.patch(operation, path="/Groups/g4")
        assert members(entra) == ["u2"]

    def test_an_empty_list_removes_nobody(self, entra: Provider) -> None:
        """It has emptied whole groups elsewhere."""
        entra.patch({"op": "Remove", "path": "members", "value": []}, path="/Groups/g4")
        assert members(entra) == ["u1", "u2"]

    def test_a_value_of_another_type_is_not_removed_along(self, entra: Provider) -> None:
        """RFC 7643, 2.4: with another type it is another value; without one, all of them are meant."""
        emails = [{"value": "a@x", "type": kind} for kind in ("work", "home", "other")]
        body = {"schemas": [CORE], "userName": "babs", "emails": emails}
        entra.plainly("PUT", "/Users/u1", body)
        found = entra.patch({"op": "Remove", "path": "emails", "value": emails[:2]})
        assert found["emails"] == emails[2:]
        found = entra.patch({"op": "Remove", "path": "emails", "value": {"value": "A@X"}})
        assert "emails" not in found

    def test_many_members_are_removed_at_once(self, entra: Provider) -> None:
        """More than one filter can name."""
        gone = [{"value": f'x"\\{at}é'} for at in range(500)]
        operation = {"op": "Remove", "path": "members", "value": [*gone, {"value": "u2"}]}
        entra.patch(operation, path="/Groups/g4")
        assert members(entra) == ["u1"]

    @pytest.mark.parametrize("value", ["u1", [{"display": "u1"}], [7], {"value": 7}, None])
    def test_a_removal_that_names_nothing_is_refused(self, value: object, entra: Provider) -> None:
        """It is not guessed at."""
        operation = {"op": "Remove", "path": "members", "value": value}
        assert entra.refuses(operation, path="/Groups/g4")[0] == "invalidValue"
        assert members(entra) == ["u1", "u2"]

    @pytest.mark.parametrize("path", ["title", 'emails[type eq "work"].value', "name.givenName"])
    def test_a_removal_may_repeat_the_value(self, path: str, entra: Provider) -> None:
        """Where its path says all."""
        value = [{"type": "work", "value": "a@x", "display": "A"}]
        body = {"title": "x", "emails": value, "name": {"givenName": "G", "familyName": "F"}}
        entra.plainly("PUT", "/Users/u1", {"schemas": [CORE], "userName": "babs"} | body)
        found = entra.patch({"op": "Remove", "path": path, "value": "a@x"})
        assert ("title" in found) is (path != "title")
        assert ("value" in found["emails"][0]) is ("emails" not in path)
        assert ("givenName" in found["name"]) is ("name" not in path)

    def test_an_empty_patch_changes_nothing(self, entra: Provider) -> None:
        """The validator sends one."""
        assert entra.patch()["meta"]["version"] == 'W/"1"'

    def test_filters_may_compare_booleans_with_text(self, entra: Provider) -> None:
        """In URLs as well as in paths."""
        assert entra("GET", "/Users?filter=active+eq+%22True%22")["totalResults"] == 3
        assert entra("GET", "/?filter=active+eq+%22False%22")["totalResults"] == 0

    def test_its_flags_may_follow_the_base_url(self, entra: Provider) -> None:
        """They come with every request; others are still refused."""
        assert entra("GET", "/Users?aadOptscim062020&count=1")["itemsPerPage"] == 1
        assert entra("GET", "/Users/u1?aadOptscim062020")["id"] == "u1"
        assert entra("GET", "/Schemas?aadOptscim062020=")["totalResults"]
        assert entra.plainly("DELETE", "/Users/u3") == {}
        for wrong in (
            "/Users?aadOptscim",
            "/?aadOptscim062020/Users",
            "?aadOptscim062020/Users/u1",
        ):
            refused = entra.spoken.get(f"/scim/v2{wrong}")
            assert "has no parameter" in refused.text

    def test_its_own_schema_of_groups_brings_nothing(self, entra: Provider) -> None:
        """It is always listed, in one version or another; what stands under it is refused."""
        adscim = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM"
        for name, urn in (("a", f"{adscim}/2.0/Group"), ("b", f"{adscim}/Group")):
            made = entra("POST", "/Groups", {"schemas": [GROUP, urn], "displayName": name})
            assert made["schemas"] == [GROUP]
            body = {"schemas": [GROUP, urn], "displayName": "c", urn: {"x": 1}}
            assert entra.spoken.post("/scim/v2/Groups", json=body).status_code == 400
        wrong: list[object] = [[f"{adscim}/2.0/Group"], [GROUP, f"{adscim}/3.0/Group"], "x", [7]]
        for urns in wrong:
            listed: Values = {"schemas": urns, "displayName": "c"}
            assert entra.spoken.post("/scim/v2/Groups", json=listed).status_code == 400

    @pytest.mark.parametrize("kind", ["Add", "Replace"])
    @pytest.mark.parametrize(
        "value",
        [
            {"path": "title", "value": ""},
            {"path": f"{ENTERPRISE}:manager", "value": ""},
            {"path": 'emails[type eq "work"].display', "value": ""},
            {"value": {"title": "", f"{ENTERPRISE}:manager": ""}},
            {
                "value": {
                    ENTERPRISE: {"manager": "", "department": "Sales"},
                    "name": {"givenName": ""},
                }
            },
        ],
    )
    def test_an_empty_text_takes_a_value_away(
        self, kind: str, value: Values, entra: Provider
    ) -> None:
        """Wherever it stands; and it takes nothing else with it."""
        extension = {"manager": {"value": "u2"}, "department": "Sales"}
        body = {
            "schemas": [CORE, ENTERPRISE],
            "userName": "babs",
            "title": "Boss",
            "name": {"givenName": "B", "familyName": "J"},
            "emails": [{"value": "a@x", "type": "work", "display": "A"}],
            ENTERPRISE: extension,
        }
        before = entra.plainly("PUT", "/Users/u1", body)
        message = {"schemas": [PATCH_OP], "Operations": [{"op": kind, **value}]}
        after = entra.plainly("PATCH", "/Users/u1", message)
        for found in (before, after):
            del found["meta"]
        gone = str(value)
        expected = dict(before)
        if "title" in gone:
            del expected["title"]
        if "manager" in gone:
            expected[ENTERPRISE] = {"department": "Sales"}
        if "display" in gone:
            expected["emails"] = [{"value": "a@x", "type": "work"}]
        if "name" in gone:
            expected["name"] = {"familyName": "J"}
        assert after == expected

    @pytest.mark.parametrize(
        ("path", "operation"),
        [
            ("/Users/u1", {"op": "replace", "path": "userName", "value": ""}),
            ("/Users/u1", {"op": "replace", "value": {"userName": ""}}),
            ("/Users/u1", {"op": "replace", "path": "emails", "value": ""}),
            ("/Users/u1", {"op": "replace", "path": "active", "value": " "}),
            ("/Groups/g4", {"op": "replace", "path": "members", "value": ""}),
            ("/Groups/g4", {"op": "replace", "path": "displayName", "value": ""}),
        ],
    )
    def test_an_empty_text_is_no_removal_of_what_must_be_or_is_many(
        self, path: str, operation: Values, entra: Provider
    ) -> None:
        """It is wrong there, as anywhere."""
        assert entra.refuses(operation, path=path)[0] == "invalidValue"
        assert members(entra) == ["u1", "u2"]

    def test_bulk_speaks_the_dialect_as_well(self, entra: Provider) -> None:
        """An operation is what it is alone."""
        user = {"schemas": [CORE], "userName": "x", "active": "True"}
        post = {"method": "POST", "path": "/Users", "bulkId": "a", "data": user}
        found = entra.plainly("POST", "/Bulk", {"schemas": [BULK], "Operations": [post]})
        assert found["Operations"][0]["status"] == "201"

    @pytest.mark.parametrize(
        ("operation", "kind"),
        [
            ({"op": "replace", "path": "active", "value": "yes"}, "invalidValue"),
            ({"op": "replace", "value": {"name.foo": "x"}}, "invalidPath"),
            ({"op": "replace", "value": {"foo": "x"}}, "invalidSyntax"),
            ({"op": "replace", "value": {"urn:other:1.0:User:x": "x"}}, "invalidPath"),
            ({"op": "replace", "value": "x"}, "invalidValue"),
            ({"op": "add", "path": f"{ENTERPRISE}:manager", "value": ["u1"]}, "invalidValue"),
            ({"op": "remove", "value": {"title": "x"}}, "noTarget"),
            ({"op": "replace", "path": 7, "value": "x"}, "invalidPath"),
            ("x", "invalidSyntax"),
        ],
    )
    def test_what_is_wrong_anywhere_is_wrong_here(
        self, operation: object, kind: str, entra: Provider
    ) -> None:
        """A dialect is no leniency."""
        assert entra.refuses(operation)[0] == kind


class TestOkta:
    """Okta; the requests are those of its documentation."""

    @pytest.fixture
    def okta(self, client_of: Callable[..., FlaskClient]) -> Provider:
        """Return a provider for Okta."""
        return Provider(client_of, OKTA)

    def test_a_user_is_created_replaced_and_deactivated(self, okta: Provider) -> None:
        """The random password is not kept; PUT has an id; PATCH has no path."""
        body = {
            "schemas": [CORE],
            "userName": "test.user@okta.local",
            "name": {"givenName": "Test", "familyName": "User"},
            "emails": [{"primary": True, "value": "test.user@okta.local", "type": "work"}],
            "displayName": "Test User",
            "locale": "en-US",
            "externalId": "00ujl29u0le5T6Aj10h7",
            "groups": [],
            "password": "1mz050nq",
            "active": True,
        }
        made = okta("POST", "/Users", body)
        assert "1mz050nq" not in str(made)
        changed = body | {"id": made["id"], "displayName": "Other", "meta": {}, "groups": []}
        assert okta("PUT", "/Users/u1", changed)["displayName"] == "Other"
        patch = {
            "schemas": [PATCH_OP],
            "Operations": [{"op": "replace", "value": {"active": False}}],
        }
        assert okta.plainly("PATCH", "/Users/u1", patch)["active"] is False

    def test_the_description_of_a_group_is_not_kept(self, okta: Provider) -> None:
        """Okta sends it always, and says that nobody has to keep it; by itself, it is refused."""
        urn = "urn:okta:custom:group:1.0"
        body = {"schemas": [GROUP, urn], "displayName": "A", urn: {"description": "West"}}
        made = okta("POST", "/Groups", body)
        assert (made["schemas"], urn in made) == ([GROUP], False)
        kind, _ = okta.refuses({"op": "replace", "value": {urn: {}}}, path="/Groups/g1")
        assert kind == "invalidSyntax"

    def test_a_password_is_not_changed_in_vain(self, okta: Provider) -> None:
        """Where it is asked for by itself, success would not be true."""
        okta.plainly("POST", "/Users", {"schemas": [CORE], "userName": "x"})
        kind, message = okta.refuses({"op": "replace", "value": {"password": "new"}})
        assert (kind, message) == ("invalidSyntax", 'User has no attribute "password".')

    def test_a_group_is_pushed(self, okta: Provider) -> None:
        """An id that is the same may be written back, and members go by filters: both is strict."""
        okta.plainly("POST", "/Users", {"schemas": [CORE], "userName": "x"})
        okta.plainly("POST", "/Groups", {"schemas": [GROUP], "displayName": "A", "members": []})
        found: Values = {}
        for operation in (
            {"op": "replace", "value": {"id": "g2", "displayName": "B"}},
            {"op": "add", "path": "members", "value": [{"value": "u1", "display": "x"}]},
            {"op": "remove", "path": 'members[value eq "u1"]'},
        ):
            body = {"schemas": [PATCH_OP], "Operations": [operation]}
            found = okta.plainly("PATCH", "/Groups/g2", body)
        assert (found["displayName"], found.get("members")) == ("B", None)


class TestMidpoint:
    """midPoint; the requests are those that its connector's sources make."""

    @pytest.fixture
    def midpoint(self, client_of: Callable[..., FlaskClient]) -> Provider:
        """Return a provider for midPoint, with a user and a group."""
        provider = Provider(client_of, MIDPOINT)
        user = {
            "userName": "mia",
            "externalId": "m1",
            "title": "Boss",
            ENTERPRISE: {"division": "D"},
        }
        assert provider("POST", "/Users", user)["schemas"] == [CORE, ENTERPRISE]
        group = {"schemas": [], "displayName": "staff", "members": [{"value": "u1"}]}
        assert provider("POST", "/Groups", group)["schemas"] == [GROUP]
        return provider

    def test_a_put_is_what_has_changed(self, midpoint: Provider) -> None:
        """What it leaves out, or leaves empty, stays; readOnly is ignored, as in every PUT."""
        body = {
            "schemas": [],
            "id": "other",
            "meta": {"version": "x"},
            "externalId": "",
            "userName": "mia",
            "name": {"givenName": "Mia"},
            "nickName": None,
            "groups": [{"value": "g9"}],
            ENTERPRISE: {"department": "Sales"},
        }
        after = midpoint("PUT", "/Users/u1", body)
        assert (after["id"], after["externalId"], after["title"]) == ("u1", "m1", "Boss")
        assert after[ENTERPRISE] == {"division": "D", "department": "Sales"}
        assert after["name"] == {"givenName": "Mia"}
        assert [each["value"] for each in after["groups"]] == ["g2"]
        assert midpoint("PUT", "/Users/u1", body) == after

    def test_an_empty_list_takes_values_away(self, midpoint: Provider) -> None:
        """That is how a list says that there are none."""
        body = {"schemas": [CORE], "emails": [{"value": "a@x"}]}
        assert midpoint.plainly("PUT", "/Users/u1", body)["emails"] == [{"value": "a@x"}]
        assert "emails" not in midpoint.plainly("PUT", "/Users/u1", body | {"emails": []})

    def test_a_group_keeps_its_members_when_it_is_renamed(self, midpoint: Provider) -> None:
        """Members that are listed take the places of those that were."""
        body: Values = {"schemas": [], "displayName": "people"}
        renamed = midpoint("PUT", "/Groups/g2", body)
        assert renamed["displayName"] == "people"
        assert [each["value"] for each in renamed["members"]] == ["u1"]
        moved = midpoint("PUT", "/Groups/g2", body | {"members": [{"value": "u7"}]})
        assert [each["value"] for each in moved["members"]] == ["u7"]

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            ({"userName": ""}, "invalidValue"),
            ({"foo": "x"}, "invalidSyntax"),
            ({"schemas": ["urn:other"], "title": "x"}, "invalidSyntax"),
            ({"schemas": "x", "title": "x"}, "invalidValue"),
            ({ENTERPRISE: {"foo": "x"}}, "invalidSyntax"),
            ({"active": "yes"}, "invalidValue"),
            ([], "invalidSyntax"),
        ],
    )
    def test_what_is_wrong_anywhere_is_wrong_here(
        self, body: object, kind: str, midpoint: Provider
    ) -> None:
        """In part as well as whole."""
        refused = midpoint.spoken.put("/scim/v2/Users/u1", json=body)
        assert (refused.status_code, refused.get_json(force=True)["scimType"]) == (400, kind)

    def test_a_required_value_is_required_of_who_is_new(self, midpoint: Provider) -> None:
        """Only a PUT has parts."""
        refused = midpoint.spoken.post("/scim/v2/Users", json={"schemas": [], "title": "x"})
        assert "userName is required" in refused.text


class TestKeycloak:
    """Keycloak; the requests are those of the extension keycloak-scim, and of issues about it."""

    @pytest.fixture
    def keycloak(self, client_of: Callable[..., FlaskClient]) -> Provider:
        """Return a provider for Keycloak, with a user."""
        provider = Provider(client_of, KEYCLOAK)
        user = {"schemas": [CORE], "userName": "kay", "emails": [{"value": "k@x", "type": "work"}]}
        provider.plainly("POST", "/Users", user)
        return provider

    def test_single_values_are_unwrapped(self, keycloak: Provider) -> None:
        """Booleans as text in them, too; what has several values keeps its array."""
        found = keycloak.patch(
            {"op": "replace", "path": "active", "value": ["false"]},
            {"op": "replace", "path": "name.givenName", "value": ["Kay"]},
            {"op": "replace", "path": 'emails[type eq "work"].display', "value": ["K"]},
            {"op": "add", "path": "roles", "value": [{"value": "staff"}]},
        )
        assert (found["active"], found["name"]) == (False, {"givenName": "Kay"})
        assert found["emails"] == [{"value": "k@x", "type": "work", "display": "K"}]
        assert found["roles"] == [{"value": "staff"}]

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "replace", "path": "title", "value": ["a", "b"]},
            {"op": "replace", "path": "title", "value": []},
            {"op": "replace", "path": "title", "value": [["a"]]},
            {"op": "replace", "value": ["a"]},
            {"op": "replace", "path": "active", "value": ["yes"]},
        ],
    )
    def test_several_are_not_one(self, operation: Values, keycloak: Provider) -> None:
        """Nothing is guessed at."""
        assert keycloak.refuses(operation)[0] == "invalidValue"


class TestOldDiscovery:
    """Clients that know RFC 7643 only, such as Canaille with scim2-client 0.7.5."""

    @pytest.fixture
    def provider(self, client_of: Callable[..., FlaskClient], cursors: Any) -> FlaskClient:
        """Return a provider that has cursors, and a caller who cannot know them."""
        return client_of(cursors=cursors, dialect_of=lambda _: RFC7643)

    def test_newer_members_are_left_out(self, provider: FlaskClient) -> None:
        """Of the configuration, and of its schema; everything else stays."""
        config = provider.get("/scim/v2/ServiceProviderConfig").get_json(force=True)
        assert "pagination" not in config
        assert config["etag"] == {"supported": True}
        one = provider.get(f"/scim/v2/Schemas/{CONFIG}").get_json(force=True)
        assert "pagination" not in [each["name"] for each in one["attributes"]]
        every = provider.get("/scim/v2/Schemas").get_json(force=True)
        assert one in every["Resources"]
        assert len(provider.get("/scim/v2/ResourceTypes").get_json(force=True)["Resources"]) == 3

    def test_cursors_are_there_even_so(self, provider: FlaskClient) -> None:
        """A dialect hides nothing that was asked for."""
        assert "startIndex" not in provider.get("/scim/v2/Users?cursor=").get_json(force=True)

    def test_a_password_is_announced_and_not_kept(self, provider: FlaskClient) -> None:
        """Canaille cannot send a user without one, and sends a hash of it."""
        found = provider.get(f"/scim/v2/Schemas/{CORE}").get_json(force=True)["attributes"]
        (password,) = [each for each in found if each["name"] == "password"]
        assert (password["mutability"], password["returned"]) == ("writeOnly", "never")
        assert "not kept" in password["description"]
        anne = {"schemas": [CORE], "userName": "anne", "password": "$pbkdf2-sha512$25000$"}
        made = provider.post("/scim/v2/Users", json=anne)
        assert made.status_code == 201, made.text
        read = provider.get(made.headers["Location"])
        assert [answer for answer in (made, read) if "pbkdf2" in answer.text] == []


class TestWhatNeedsNoDialect:
    """Requests of other clients that are as the RFCs have them."""

    def test_midpoint_asks_for_a_member(self, client: FlaskClient) -> None:
        """A multi-valued attribute stands for its `value`."""
        group = {"schemas": [GROUP], "displayName": "A", "members": [{"value": "u9"}]}
        client.post("/scim/v2/Groups", json=group)
        answer = client.get('/scim/v2/Groups?filter=id eq "g1" and members eq "u9"')
        assert answer.get_json(force=True)["totalResults"] == 1

    def test_dialects_are_known_by_name(self) -> None:
        """An operator chooses one per client."""
        assert list(DIALECTS) == ["strict", "entra", "keycloak", "midpoint", "okta", "rfc7643"]
        assert DIALECTS["strict"] is STRICT
        assert STRICT.rules == ()

    def test_every_rule_says_where_it_was_seen(self) -> None:
        """A rule without a source could never be taken out again."""
        for dialect in DIALECTS.values():
            for rule in dialect.rules:
                assert "Source: " in str(type(rule).__doc__)

    def test_rules_leave_alone_what_they_do_not_know(self, users: Any) -> None:
        """What is no resource and no operation is refused by the strict reader."""
        bodies: list[object] = [None, 7, [], "x", {"foo": {"bar": "True"}}]
        for body in bodies:
            assert ENTRA.resource(body, users) == body
        with pytest.raises(SCIMError):
            read_request({"schemas": [PATCH_OP], "Operations": [None]}, users, ENTRA)
        assert STRICT.literal("True", Attribute("active")) == "True"
