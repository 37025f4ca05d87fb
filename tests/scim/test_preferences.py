"""What a client wants back from what it writes: RFC 7240, 4.2."""

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

BASE = "https://id.example/scim/v2"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = {"schemas": [CORE], "userName": "bjensen"}
TITLE = {"op": "replace", "path": "title", "value": "Boss"}
PATCH = {"schemas": [PATCH_OP], "Operations": [TITLE]}


def send(client: FlaskClient, method: str, prefer: str) -> TestResponse:
    """Write the first user, in one of three ways."""
    headers = {"Prefer": prefer}
    if method == "POST":
        return client.post("/scim/v2/Users", json=USER, headers=headers)
    client.post("/scim/v2/Users", json=USER)
    body = PATCH if method == "PATCH" else USER | {"title": "Boss"}
    return client.open("/scim/v2/Users/u1", method=method, json=body, headers=headers)


class TestMinimal:
    """return=minimal: no body, and all that headers can tell."""

    @pytest.mark.parametrize(
        ("method", "status", "tag"),
        [("POST", 201, 'W/"1"'), ("PUT", 204, 'W/"2"'), ("PATCH", 204, 'W/"2"')],
    )
    def test_nothing_but_headers_comes_back(
        self, method: str, status: int, tag: str, client: FlaskClient
    ) -> None:
        """A creation stays 201, as its Location is what the client needs."""
        answer = send(client, method, "return=minimal")
        assert (answer.status_code, answer.data) == (status, b"")
        assert "Content-Type" not in answer.headers
        assert answer.headers["ETag"] == tag
        assert answer.headers["Preference-Applied"] == "return=minimal"
        if method == "POST":
            assert answer.headers["Location"] == f"{BASE}/Users/u1"

    def test_rows_are_not_read_for_it(self, client: FlaskClient, rows: object) -> None:
        """A large group costs nothing where nobody looks at it."""
        group = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "all",
            "members": [{"value": "u1"}, {"value": "u2"}],
        }
        answer = client.post("/scim/v2/Groups", json=group, headers={"Prefer": "return=minimal"})
        assert answer.status_code == 201
        assert vars(rows)["loaded"] == 0


class TestRepresentation:
    """return=representation: what comes anyway, and said so."""

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
    def test_the_resource_comes_back(self, method: str, client: FlaskClient) -> None:
        """With Preference-Applied (RFC 7240, 3)."""
        answer = send(client, method, 'RETURN = "representation"; foo')
        assert answer.get_json(force=True)["userName"] == "bjensen"
        assert answer.headers["Preference-Applied"] == "return=representation"


class TestOthers:
    """Preferences are wishes: what is not known is left alone (RFC 7240, 2)."""

    @pytest.mark.parametrize(
        "prefer", ["", "return=all", "return", "respond-async", "wait=5", ",="]
    )
    def test_what_is_not_known_changes_nothing(self, prefer: str, client: FlaskClient) -> None:
        """And is not said to be applied."""
        answer = send(client, "PATCH", prefer)
        assert answer.status_code == 200
        assert "Preference-Applied" not in answer.headers

    def test_of_two_the_first_counts(self, client: FlaskClient) -> None:
        """RFC 7240, 2."""
        answer = send(client, "PATCH", "return=representation, return=minimal")
        assert answer.headers["Preference-Applied"] == "return=representation"
