"""The resources and schemas of RFC 7643, 8, at a provider whose types are those of the RFC."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from mobid_scim.bulk.request import BulkLimits

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BABS = "2819c223-7f76-453a-919d-413861904646"
MANDY = "902c246b-6245-4190-8e05-00816be7344a"
BASE = "https://id.example/scim/v2"
OF_THE_PROVIDER = ("id", "meta", "groups")
Values = dict[str, Any]
Example = Callable[..., Any]

DEFAULTS: Values = {
    "type": "string",
    "multiValued": False,
    "required": False,
    "caseExact": False,
    "mutability": "readWrite",
    "returned": "default",
    "uniqueness": "none",
    "canonicalValues": [],
    "referenceTypes": [],
}
"""RFC 7643, 2.2: what holds where an attribute says nothing else."""


@pytest.fixture
def client(rfc_client: Callable[..., FlaskClient]) -> FlaskClient:
    """Return a client of a provider of what the RFC has."""
    return rfc_client(bulk=BulkLimits())


def create(client: FlaskClient, path: str, body: Values) -> Values:
    """Create a resource, and read it."""
    made = client.post(f"/scim/v2{path}", json=body)
    assert made.status_code == 201, made.text
    found: Values = client.get(made.headers["Location"]).get_json(force=True)
    return found


class TestRepresentations:
    """8.1 to 8.4: what is read of a resource is what was sent, and what the provider adds."""

    def test_8_1_minimal_user(self, client: FlaskClient, example: Example) -> None:
        """A name is enough; id and meta are the provider's own (3.1)."""
        sent = example("rfc7643", "8.1 minimal user")
        found = create(client, "/Users", sent)
        assert found == sent | {"id": "u1", "meta": found["meta"]}
        assert found["meta"].keys() == sent["meta"].keys()
        assert found["meta"]["location"] == f"{BASE}/Users/u1"

    @pytest.mark.parametrize("name", ["8.2 full user", "8.3 enterprise user"])
    def test_8_2_and_8_3_full_user(self, name: str, client: FlaskClient, example: Example) -> None:
        """All of it is kept; the password is never returned, and groups are the Groups' business (4.1)."""
        sent = example("rfc7643", name)
        found = create(client, "/Users", sent)
        kept = {each: value for each, value in sent.items() if each not in OF_THE_PROVIDER}
        del kept["password"]
        if ENTERPRISE in kept:
            del kept[ENTERPRISE]["manager"]["displayName"]  # readOnly: 4.3
        assert {each: value for each, value in found.items() if each not in OF_THE_PROVIDER} == kept
        assert "groups" not in found

    def test_8_3_may_be_written_back_as_it_was_read(
        self, client: FlaskClient, example: Example
    ) -> None:
        """A PUT of all that there is changes nothing, not even the version (RFC 7644, 3.5.1)."""
        found = create(client, "/Users", example("rfc7643", "8.3 enterprise user"))
        answer = client.put("/scim/v2/Users/u1", json=found)
        assert answer.get_json(force=True) == found

    def test_8_4_group(self, client: FlaskClient, example: Example) -> None:
        """Its members are those that were sent; their names are told on request."""
        sent = example("rfc7643", "8.4 group", {BABS: "u8", MANDY: "u9"})
        found = create(client, "/Groups", sent)
        shown = [{**each, "display": None} for each in sent["members"]]
        assert [{**each, "display": None} for each in found["members"]] == shown
        assert (found["displayName"], found["schemas"]) == ("Tour Guides", [GROUP])


class TestDiscovery:
    """8.5 and 8.6: our own documents have the form of the examples."""

    def test_8_5_service_provider_configuration(
        self, client: FlaskClient, example: Example
    ) -> None:
        """All members are there, with values of the same types, but for those that are optional."""
        ours = client.get("/scim/v2/ServiceProviderConfig").get_json(force=True)
        theirs = example("rfc7643", "8.5 service provider configuration")
        optional = {"documentationUri", "created", "lastModified", "version", "primary"}
        assert list(differences(ours, theirs, optional)) == []
        for feature in ("patch", "bulk", "filter", "sort", "etag"):
            assert ours[feature]["supported"] is True
        assert ours["changePassword"]["supported"] is False

    def test_8_6_resource_types(self, client: FlaskClient, example: Example) -> None:
        """The example requires the enterprise extension of every user, which 8.1 then would not meet."""
        for theirs in example("rfc7643", "8.6 resource types"):
            ours = client.get(f"/scim/v2/ResourceTypes/{theirs['id']}").get_json(force=True)
            for each in theirs.get("schemaExtensions", ()):
                assert each["required"] is True
                each["required"] = False
            for name in ("id", "name", "endpoint", "schema", "schemaExtensions", "schemas"):
                assert ours.get(name, []) == theirs.get(name, []), name


def differences(ours: Any, theirs: Any, optional: set[str]) -> Iterator[str]:
    """Yield the members of an example that ours has not, or has with another type."""
    if isinstance(theirs, list):
        assert ours
        theirs, ours = theirs[0], ours[0]
    if type(ours) is not type(theirs):
        yield f"{ours!r} is no {type(theirs).__name__}"
    if isinstance(theirs, dict):
        for name in theirs.keys() - optional:
            if name in ours:
                yield from differences(ours[name], theirs[name], optional)
            else:
                yield name


REFERENCES_ARE_EXACT = "2.3.7: references are case exact"
EXAMPLE_HAS_IT = "8.2 and 8.4 show it, the schema forgot it"
IDS_ARE_EXACT = "3.1: ids are case exact"
DIFFERENT: dict[str, tuple[str, Any]] = {
    "User profileUrl caseExact": (REFERENCES_ARE_EXACT, True),
    "User photos.value caseExact": (REFERENCES_ARE_EXACT, True),
    "User groups.$ref caseExact": (REFERENCES_ARE_EXACT, True),
    "Group members.$ref caseExact": (REFERENCES_ARE_EXACT, True),
    "EnterpriseUser manager.$ref caseExact": (REFERENCES_ARE_EXACT, True),
    "User groups.value caseExact": (IDS_ARE_EXACT, True),
    "Group members.value caseExact": (IDS_ARE_EXACT, True),
    "EnterpriseUser manager.value caseExact": (IDS_ARE_EXACT, True),
    "User x509Certificates.value caseExact": ("2.3.6: binary is case exact", True),
    "User password caseExact": ("a password is what it is, letter for letter", True),
    "User groups.$ref referenceTypes": ("4.1.2: groups are Groups", ["Group"]),
    "User addresses.primary": (EXAMPLE_HAS_IT, "more"),
    "Group members.display": (EXAMPLE_HAS_IT, "more"),
    "Group displayName required": ("4.2: REQUIRED", True),
    "Group members.value required": ("a member without an id would be nobody", True),
}
"""Where the schemas of 8.7.1 contradict the text of the RFC: why we differ, and what ours says."""


DIFFERENT_DISCOVERY: dict[str, tuple[str, Any]] = {
    "ServiceProviderConfig pagination": ("RFC 9865, 4", "more"),
    "ServiceProviderConfig documentationUri": ("OPTIONAL, and there is none", "absent"),
    "ServiceProviderConfig authenticationSchemes.type": ("5: REQUIRED", "more"),
    "ServiceProviderConfig authenticationSchemes.documentationUri": ("OPTIONAL", "absent"),
    "ResourceType id": ("3.1: common to all resources, and part of no schema", "absent"),
    "ResourceType schemaExtensions required": ("6: OPTIONAL; 8.6 has a type without", False),
}
"""The same for the schemas of discovery."""


class TestSchemas:
    """8.7: every characteristic of every attribute is that of the RFC, or differs by name."""

    def test_ours_differ_where_the_rfc_contradicts_itself(
        self, client: FlaskClient, example: Example
    ) -> None:
        """And nowhere else."""
        found: Values = {}
        for name, urn in (("user", CORE), ("group", GROUP), ("enterprise", ENTERPRISE)):
            ours = client.get(f"/scim/v2/Schemas/{urn}").get_json(force=True)
            theirs = example("rfc7643", f"8.7.1 {name} schema")
            found |= dict(compared(ours["name"], ours["attributes"], theirs, DEFAULTS))
        assert found == {name: ours for name, (_, ours) in DIFFERENT.items()}

    def test_8_7_2_those_of_discovery(self, client: FlaskClient, example: Example) -> None:
        """The same, as far as type, number and necessity go."""
        defaults = {name: DEFAULTS[name] for name in ("type", "multiValued", "required")}
        found: Values = {}
        for name, urn in (
            ("service provider configuration", "ServiceProviderConfig"),
            ("resource type", "ResourceType"),
        ):
            path = f"/scim/v2/Schemas/urn:ietf:params:scim:schemas:core:2.0:{urn}"
            ours = client.get(path).get_json(force=True)
            theirs = example("rfc7643", f"8.7.2 {name} schema")
            found |= dict(compared(urn, ours["attributes"], theirs, defaults))
        assert found == {name: ours for name, (_, ours) in DIFFERENT_DISCOVERY.items()}


def compared(
    where: str, ours: list[Values], theirs: Values, defaults: Values, of: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield what is otherwise in our definitions, by place."""
    by_name = {each["name"]: each for each in ours}
    for name in by_name.keys() - theirs.keys():
        yield f"{where} {of}{name}", "more"
    for name, wanted in theirs.items():
        mine = by_name.get(name)
        if mine is None:
            yield f"{where} {of}{name}", "absent"
            continue
        for key, value in (defaults | wanted).items():
            if key == "sub":
                parts = mine["subAttributes"]
                yield from compared(where, parts, value, defaults, f"{name}.")
            elif mine.get(key, defaults[key]) != value:
                yield f"{where} {of}{name} {key}", mine.get(key, defaults[key])
