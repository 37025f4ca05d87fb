"""Discovery: RFC 7643, 5 to 7, and RFC 7644, 4."""

import pytest
from flask.testing import FlaskClient
from scim2_models import ResourceType, Schema, ServiceProviderConfig

BASE = "https://id.example/scim/v2"


def read(client: FlaskClient, path: str) -> dict[str, object]:
    """Return the body of a successful answer."""
    answer = client.get(f"/scim/v2{path}")
    assert answer.status_code == 200
    assert answer.content_type == "application/scim+json"
    body: dict[str, object] = answer.get_json(force=True)
    return body


class TestServiceProviderConfig:
    """What the provider can do."""

    def test_it_says_what_is_there_and_what_is_not(self, client: FlaskClient) -> None:
        """Clients decide by it, so it must be true."""
        config = read(client, "/ServiceProviderConfig")
        features = {
            name: value["supported"]
            for name, value in config.items()
            if isinstance(value, dict) and "supported" in value
        }
        assert features == {
            "patch": True,
            "bulk": False,
            "filter": True,
            "changePassword": False,
            "sort": True,
            "etag": True,
        }

    def test_it_has_no_members_that_older_clients_refuse(self, client: FlaskClient) -> None:
        """There is no cursor paging, so there is no `pagination` (RFC 9865)."""
        assert "pagination" not in read(client, "/ServiceProviderConfig")

    def test_an_independent_model_accepts_it(self, client: FlaskClient) -> None:
        """It has the form of RFC 7643, 5."""
        ServiceProviderConfig.model_validate(read(client, "/ServiceProviderConfig"))


class TestSchemasAndResourceTypes:
    """What the resources look like."""

    def test_resource_types_are_those_that_are_registered(self, client: FlaskClient) -> None:
        """Their endpoints and extensions are the real ones."""
        found = read(client, "/ResourceTypes")
        resources = found["Resources"]
        assert isinstance(resources, list)
        assert [each["endpoint"] for each in resources] == ["/Users", "/Groups", "/Notes"]
        assert found["totalResults"] == 3
        for each in resources:
            ResourceType.model_validate(each)
            assert each["meta"]["location"] == f"{BASE}/ResourceTypes/{each['name']}"
            assert read(client, f"/ResourceTypes/{each['name']}") == each

    def test_every_schema_in_use_can_be_read(self, client: FlaskClient) -> None:
        """Core, extensions, and the schemas of discovery itself (RFC 7644, 4)."""
        resources = read(client, "/Schemas")["Resources"]
        assert isinstance(resources, list)
        names = ["User", "EnterpriseUser", "Badges", "Group", "Note"]
        assert [each["name"] for each in resources] == [
            *names,
            *("ServiceProviderConfig", "ResourceType", "Schema"),
        ]
        for each in resources:
            Schema.model_validate(each)
            assert read(client, f"/Schemas/{each['id'].upper()}") == each

    def test_attributes_that_nobody_has_are_not_told(self, client: FlaskClient) -> None:
        """No password where none can be set."""
        schema = read(client, "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User")
        attributes = schema["attributes"]
        assert isinstance(attributes, list)
        names = {each["name"] for each in attributes}
        assert "userName" in names
        assert "password" not in names


class TestWhatIsRefused:
    """Discovery is read-only and is read as a whole."""

    @pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"])
    def test_a_filter_is_forbidden(self, path: str, client: FlaskClient) -> None:
        """RFC 7644, 4: 403."""
        answer = client.get(f"/scim/v2{path}?filter=id%20pr")
        assert answer.status_code == 403
        assert "cannot be filtered" in answer.text

    @pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas/x"])
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_other_methods_are_not_allowed(
        self, path: str, method: str, client: FlaskClient
    ) -> None:
        """405 with what is allowed."""
        answer = client.open(f"/scim/v2{path}", method=method)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "GET, HEAD"

    @pytest.mark.parametrize("path", ["/ResourceTypes/Device", "/Schemas/urn:x"])
    def test_what_is_not_there_is_not_found(self, path: str, client: FlaskClient) -> None:
        """404, and the message names it."""
        answer = client.get(f"/scim/v2{path}")
        assert answer.status_code == 404
        assert path.rpartition("/")[2] in answer.text
