"""The SCIM surface as a whole: what is there is told and nothing else, and who may use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from scim2_client.engines.wsgi import WSGISCIMClient

from mobid.app.http import LARGEST_BODY
from mobid.app.scim import dialect_of, scim_error_of
from mobid.domain.actors import SYSTEM
from mobid.domain.errors import IllegalTransition
from mobid.domain.mobile_ids import ProfileState
from mobid.processes.errors import NotFound, VersionConflict
from mobid.storage import DatabaseUnavailable, Unstorable
from mobid_scim.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.extension.provisioning.conftest import SCIM, Provider

    from mobid.domain.actors import Actor

BASE = "https://id.example/scim/v2"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OURS = "urn:mobid:scim:schemas:extension:mobileid:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
MOBILE_ID = "urn:mobid:scim:schemas:core:2.0:MobileID"


class TestDiscovery:
    """It tells exactly what is there."""

    def test_of_resource_types(self, hr: SCIM) -> None:
        """Users with two extensions, Groups, and MobileIDs."""
        found: Any = hr("GET", "/ResourceTypes").json
        told = {
            each["name"]: (
                each["endpoint"],
                each["schema"],
                [extension["schema"] for extension in each.get("schemaExtensions", [])],
            )
            for each in found["Resources"]
        }
        assert told == {
            "User": ("/Users", USER, [ENTERPRISE, OURS]),
            "Group": ("/Groups", GROUP, []),
            "MobileID": ("/MobileIDs", MOBILE_ID, []),
        }

    def test_of_schemas(self, hr: SCIM) -> None:
        """No password; ours are told with what can be written."""
        found: Any = hr("GET", "/Schemas").json
        told = {
            each["id"]: {one["name"]: one for one in each["attributes"]}
            for each in found["Resources"]
        }
        assert {USER, ENTERPRISE, OURS, GROUP, MOBILE_ID} <= set(told)
        assert "password" not in told[USER]
        assert told[USER]["groups"]["mutability"] == "readOnly"
        assert self._mutability(told[OURS]) == {
            "principalName": "readWrite",
            "mobileIds": "readOnly",
        }
        assert told[OURS]["mobileIds"]["returned"] == "request"
        writable = self._mutability(told[MOBILE_ID])
        assert writable.pop("active") == "readWrite"
        assert writable.pop("user") == "immutable"
        assert set(writable.values()) == {"readOnly"}

    def test_of_what_can_be_done(self, hr: SCIM) -> None:
        """PATCH, Bulk, filters, sorting, ETags and cursors."""
        config: Any = hr("GET", "/ServiceProviderConfig").json
        assert {
            name: config[name]["supported"]
            for name in ("patch", "bulk", "filter", "changePassword", "sort", "etag")
        } == {
            "patch": True,
            "bulk": True,
            "filter": True,
            "changePassword": False,
            "sort": True,
            "etag": True,
        }
        assert config["pagination"]["cursor"] is True
        assert config["bulk"]["maxOperations"] == 1_000
        # A larger body is refused before anybody looks at it.
        assert config["bulk"]["maxPayloadSize"] == LARGEST_BODY

    @staticmethod
    def _mutability(schema: dict[str, Any]) -> dict[str, str]:
        return {name: attribute["mutability"] for name, attribute in schema.items()}


class TestWhatIsNotThere:
    """501, and nothing happens."""

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/Me"),
            ("PATCH", "/Me"),
        ],
    )
    def test_says_so(self, hr: SCIM, provider: Provider, method: str, path: str) -> None:
        """Never a wrong 200."""
        user = hr.create()
        profile = provider.profile(user["id"], ProfileState.ACTIVE)
        body = {"schemas": [MOBILE_ID], "user": {"$ref": user["meta"]["location"]}}
        place = path.format(user=user["id"], mobile_id=profile.id)
        answer = hr(method, place, None if method == "GET" else body)
        assert answer.status_code == 501
        assert hr("GET", f"/Users/{user['id']}").json == user
        assert hr.found("active eq true", "/MobileIDs") == [profile.id]


class TestScopes:
    """Reading, writing users and writing mobile IDs are three scopes."""

    @pytest.mark.parametrize(
        ("held", "method", "path", "needed"),
        [
            ("scim:write", "GET", "/Users", "scim:read"),
            ("scim:write", "GET", "/Users/x", "scim:read"),
            ("mobile-ids:write", "GET", "/MobileIDs/x", "scim:read"),
            ("scim:read", "POST", "/Users", "scim:write"),
            ("scim:read", "PUT", "/Users/x", "scim:write"),
            ("scim:read", "POST", "/Groups", "scim:write"),
            ("mobile-ids:write", "PATCH", "/Groups/x", "scim:write"),
            ("scim:read", "PATCH", "/Users/x", "scim:write"),
            ("mobile-ids:write", "DELETE", "/Users/x", "scim:write"),
            ("scim:write", "PATCH", "/MobileIDs/x", "mobile-ids:write"),
            ("scim:write", "DELETE", "/MobileIDs/x", "mobile-ids:write"),
        ],
    )
    def test_a_missing_one_is_named(
        self, provider: Provider, held: str, method: str, path: str, needed: str
    ) -> None:
        """403, before anything is looked at."""
        answer = provider.client("hr", held)(method, path, {} if method != "GET" else None)
        assert answer.status_code == 403
        assert answer.json is not None
        assert (
            answer.json["detail"]
            == f"This needs a token with the scope {needed}; yours has: {held}."
        )

    def test_a_stranger_learns_nothing(self, provider: Provider) -> None:
        """401 for every path."""
        for path in ("/Users", "/Users/x", "/ServiceProviderConfig", "/nothing"):
            assert provider.app.test_client().get(f"/scim/v2{path}").status_code == 401


class TestErrorsOfTheProduct:
    """Each has its meaning in SCIM; what is not expected has none."""

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (NotFound("user", "u-1"), 404),
            (VersionConflict("It has changed."), 409),
            (IllegalTransition("Mobile ID", "m", state="locked", event="x", right="y"), 409),
            (Unstorable("U+0000"), 400),
        ],
    )
    def test_are_translated_with_their_words(self, error: Exception, status: int) -> None:
        """The message is the product's own."""
        meaning = scim_error_of(error)
        assert meaning is not None
        assert (meaning.status, meaning.detail) == (status, str(error))

    def test_say_when_to_try_again(self) -> None:
        """A database that is too busy is no fault of the client."""
        meaning = scim_error_of(DatabaseUnavailable("busy"))
        assert meaning is not None
        assert (meaning.status, meaning.headers()) == (503, {"Retry-After": "5"})

    def test_others_are_not(self) -> None:
        """They are 500 without details, and a log entry with them."""
        assert scim_error_of(KeyError("x")) is None


class TestDialects:
    """What a known client says otherwise is taken from that client alone."""

    def test_are_read_for_the_client_that_speaks_them(self, provider: Provider, hr: SCIM) -> None:
        """Entra sends booleans as texts: what they mean is done, cascade and all."""
        user = hr.create(active=True)
        profile = provider.profile(user["id"], ProfileState.ACTIVE)
        path = f"/Users/{user['id']}"
        refused = hr.put(path, "active", "False")
        assert (refused.status_code, provider.state(profile.id)) == (400, ProfileState.ACTIVE)
        taken = provider.client("entra").put(path, "active", "False")
        assert taken.status_code == 200
        assert taken.json is not None
        assert taken.json["active"] is False
        assert provider.state(profile.id) is ProfileState.INACTIVE

    def test_are_read_in_bulk_requests(self, provider: Provider) -> None:
        """Each operation is as if it came alone."""
        operation = {
            "method": "POST",
            "path": "/Users",
            "bulkId": "1",
            "data": {"schemas": [USER], "userName": "anne", "active": "True"},
        }
        schemas = ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]
        for client, status in (("entra", "201"), ("hr", "400")):
            sent = {"schemas": schemas, "Operations": [operation]}
            answer: Any = provider.client(client)("POST", "/Bulk", sent).json
            assert answer["Operations"][0]["status"] == status

    def test_that_are_not_there_any_more_are_told(self) -> None:
        """A token outlives a release; it is refused rather than read in another dialect."""
        with pytest.raises(
            Forbidden, match='"klingon", which is not there any more; have one made'
        ):
            dialect_of(Speaker("klingon"))


@dataclass(frozen=True)
class Speaker:
    """A client, as far as its dialect goes."""

    dialect: str
    client: str = "hr"
    actor: Actor = SYSTEM
    scopes: Collection[str] = ()


class TestAnIndependentClient:
    """scim2-client, which checks every answer against the RFC and our own discovery."""

    @pytest.fixture
    def client(self, provider: Provider) -> WSGISCIMClient:
        """A client that has read our discovery."""
        client = WSGISCIMClient(
            provider.app,
            base_url=BASE,
            headers={"Authorization": "Bearer walk scim:read scim:write mobile-ids:write"},
        )
        client.discover()
        return client

    def test_creates_reads_changes_finds_and_deletes_a_user(self, client: WSGISCIMClient) -> None:
        """The whole life of a user."""
        user_model: Any = client.get_resource_model("User")
        user = user_model(user_name="anne", display_name="Änne", active=True)
        user[OURS] = {"principalName": "anne@corp.example.org"}
        made: Any = client.create(user)
        assert made.id
        assert client.query(user_model, made.id) == made
        found: Any = client.query(user_model, query_parameters={"filter": 'userName eq "ANNE"'})
        assert [one.id for one in found.resources] == [made.id]
        change = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "active", "value": False}],
        }
        changed: Any = client.modify(user_model, made.id, change)
        assert changed.active is False
        client.delete(user_model, made.id)
        gone: Any = client.query(user_model, made.id, raise_scim_errors=False)
        assert gone.status == 404

    def test_reads_mobile_ids(self, client: WSGISCIMClient, provider: Provider, hr: SCIM) -> None:
        """Our own type is as good as the RFC's."""
        profile = provider.profile(hr.create()["id"], ProfileState.ACTIVE)
        model: Any = client.get_resource_model("MobileID")
        read: Any = client.query(model, profile.id)
        assert (read.active, read.state, read.certificates[0].ca_status) == (
            True,
            "active",
            "valid",
        )
