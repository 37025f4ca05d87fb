"""The alias of whoever calls: RFC 7644, 3.11."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from scim2_models import Error

BASE = "https://id.example/scim/v2"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MINE = {"alice": ("User", "u1")}


@pytest.fixture
def alice(client_of: Callable[..., FlaskClient]) -> FlaskClient:
    """Return a client whose own user is the first one."""
    client = client_of(me=MINE.get)
    user = {"schemas": [CORE], "userName": "alice", "title": "Boss"}
    assert client.post("/scim/v2/Users", json=user).status_code == 201
    return client


def refused(answer: Any, status: int) -> str:
    """Check that an answer is an error as SCIM has it, and return what a person reads."""
    assert answer.status_code == status, answer.text
    return str(Error.model_validate(answer.get_json(force=True)).detail)


class TestMe:
    """GET, PUT, PATCH and DELETE work on the resource that the alias stands for."""

    def test_it_is_read_like_the_resource_itself(self, alice: FlaskClient) -> None:
        """The same body and version, and Location has the permanent URL."""
        answer, itself = alice.get("/scim/v2/Me"), alice.get("/scim/v2/Users/u1")
        assert (answer.status_code, answer.data) == (200, itself.data)
        assert answer.headers["ETag"] == itself.headers["ETag"]
        assert answer.headers["Location"] == f"{BASE}/Users/u1"

    def test_it_can_be_projected_and_known_already(self, alice: FlaskClient) -> None:
        """Parameters and preconditions are those of the resource."""
        found = alice.get("/scim/v2/Me?attributes=title").get_json(force=True)
        assert found == {"schemas": [CORE], "id": "u1", "title": "Boss"}
        answer = alice.get("/scim/v2/Me", headers={"If-None-Match": 'W/"1"'})
        assert (answer.status_code, answer.headers["Location"]) == (304, f"{BASE}/Users/u1")

    def test_it_is_changed(self, alice: FlaskClient) -> None:
        """By PATCH and by PUT."""
        operation = {"op": "replace", "path": "title", "value": "Chief"}
        answer = alice.patch("/scim/v2/Me", json={"schemas": [PATCH_OP], "Operations": [operation]})
        assert answer.get_json(force=True)["title"] == "Chief"
        assert answer.headers["Location"] == f"{BASE}/Users/u1"
        answer = alice.put("/scim/v2/Me", json={"schemas": [CORE], "userName": "alice"})
        assert answer.status_code == 200
        assert "title" not in alice.get("/scim/v2/Users/u1").get_json(force=True)

    def test_it_is_deleted(self, alice: FlaskClient) -> None:
        """204, and then the alias leads nowhere; its Location is told even so."""
        answer = alice.delete("/scim/v2/Me")
        assert (answer.status_code, answer.headers["Location"]) == (204, f"{BASE}/Users/u1")
        gone = alice.get("/scim/v2/Me")
        assert refused(gone, 404) == 'There is no User "u1".'
        assert gone.headers["Location"] == f"{BASE}/Users/u1"

    def test_nobody_creates_themselves(self, alice: FlaskClient) -> None:
        """RFC 7644, 3.11 has POST for that; it is not there."""
        answer = alice.post("/scim/v2/Me", json={"schemas": [CORE], "userName": "x"})
        assert refused(answer, 501) == "A resource cannot be created through /Me."

    def test_rights_are_those_of_the_resource(self, client_of: Callable[..., FlaskClient]) -> None:
        """A reader cannot delete through the alias, either."""
        reader = client_of("read-only", me=lambda _: ("User", "u1"))
        assert refused(reader.delete("/scim/v2/Me"), 403) == "reader may not delete /Users."

    @pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST"])
    def test_a_caller_without_a_resource_has_no_alias(
        self, method: str, client_of: Callable[..., FlaskClient]
    ) -> None:
        """501 (RFC 7644, 3.11), with the remedy."""
        answer = client_of("other", me=MINE.get).open("/scim/v2/Me", method=method)
        assert "no resource stands for whoever calls" in refused(answer, 501)
