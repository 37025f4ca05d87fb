"""Bulk requests over SCIM (RFC 7644, 3.7): one unit of work, in which each operation can be undone alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mobid.config import Guard
from mobid.domain.mobile_ids import Hold, ProfileState
from mobid.processes.mass_changes import MassChangeGuard
from mobid.storage import SQLUnits

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from tests.conftest import Database, StandingClock
    from tests.extension.provisioning.conftest import SCIM, Provider

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
MOBILE_ID = "urn:mobid:scim:schemas:core:2.0:MobileID"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

Nudged = list[tuple[str, str]]


@pytest.fixture
def nudged() -> Nudged:
    """What commits have nudged."""
    return []


@pytest.fixture
def units(database: Database, clock: StandingClock, nudged: Nudged) -> SQLUnits:
    """Units of work that tell what they nudge; one that nudges anything of `m-99` is lost."""

    def nudge(_: Connection, kind: str, row_id: str, attempt: int) -> None:
        if row_id.startswith("m-99"):
            raise OSError("The queue is away.")
        assert attempt
        nudged.append((kind, row_id))

    return SQLUnits(database.engine, clock=clock, nudge=nudge)


def post(path: str, bulk_id: str, **data: Any) -> dict[str, Any]:
    """Return an operation that creates."""
    schema = {"/Users": USER, "/Groups": GROUP, "/MobileIDs": MOBILE_ID}[path]
    return {
        "method": "POST",
        "path": path,
        "bulkId": bulk_id,
        "data": {"schemas": [schema], **data},
    }


def put(path: str, name: str, value: object, **members: Any) -> dict[str, Any]:
    """Return an operation that replaces one attribute."""
    return patch(path, {"op": "replace", "path": name, "value": value}, **members)


def patch(path: str, *operations: dict[str, Any], **members: Any) -> dict[str, Any]:
    """Return an operation that patches."""
    data = {"schemas": [PATCH_OP], "Operations": list(operations)}
    return {"method": "PATCH", "path": path, "data": data, **members}


def send(client: SCIM, *operations: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    """Send a request and return what became of its operations."""
    body = {"schemas": [BULK], "Operations": list(operations), **members}
    answer = client("POST", "/Bulk", body)
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    found: list[dict[str, Any]] = answer.json["Operations"]
    return found


def statuses(results: list[dict[str, Any]]) -> list[int]:
    """Return how each ended."""
    return [int(one["status"]) for one in results]


class TestTogether:
    """Many operations at once."""

    def test_may_refer_to_each_other(self, hr: SCIM, provider: Provider) -> None:
        """A group comes before its members and holds them, and an order names its user."""
        results = send(
            hr,
            post("/Groups", "g", displayName="Staff", members=[{"value": "bulkId:u"}]),
            post("/MobileIDs", "m", user={"value": "bulkId:u"}),
            post("/Users", "u", userName="anne", emails=[{"value": "anne@example.org"}]),
        )
        assert statuses(results) == [201, 201, 201]
        group, order, user = (
            hr("GET", one["location"].removeprefix("https://id.example/scim/v2")).json or {}
            for one in results
        )
        assert [one["value"] for one in group["members"]] == [user["id"]]
        assert order["user"]["value"] == user["id"]
        assert [action for _, action in provider.audited()][:1] == ["user.create"]

    def test_may_refer_in_a_circle(self, hr: SCIM) -> None:
        """Two groups that are in each other."""
        results = send(
            hr,
            post("/Groups", "a", displayName="A", members=[{"value": "bulkId:b"}]),
            post("/Groups", "b", displayName="B", members=[{"value": "bulkId:a"}]),
        )
        assert statuses(results) == [201, 201]
        one, other = (each["location"].rpartition("/")[2] for each in results)
        assert hr.found(f'members.value eq "{one}"', "/Groups") == [other]
        assert hr.found(f'members.value eq "{other}"', "/Groups") == [one]

    def test_see_what_the_ones_before_did(self, hr: SCIM, provider: Provider) -> None:
        """The same user and mobile ID, again and again: each change meets the one before it."""
        user = hr.create(active=True)
        profile = provider.profile(user["id"], ProfileState.ACTIVE)
        path = f"/Users/{user['id']}"
        results = send(
            hr,
            put(path, "active", value=False),
            put(path, "active", value=True),
            put(path, "active", value=False, version=user["meta"]["version"]),
            put(path, "title", "Dr."),
        )
        assert statuses(results) == [200, 200, 412, 200]
        assert [one.get("version") for one in results] == ['W/"2"', 'W/"3"', None, 'W/"4"']
        with provider.units.reading() as unit:
            assert unit.mobile_ids.get(profile.id).holds == {}

    def test_have_their_cascades(self, hr: SCIM, provider: Provider, nudged: Nudged) -> None:
        """A deletion locks the mobile ID, and its certificates are worked on once it is committed."""
        users = [hr.create(f"user-{number}")["id"] for number in range(3)]
        profiles = [provider.profile(user, ProfileState.ACTIVE) for user in users]
        nudged.clear()
        results = send(hr, *({"method": "DELETE", "path": f"/Users/{user}"} for user in users))
        assert statuses(results) == [204] * 3
        assert {provider.state(one.id) for one in profiles} == {ProfileState.LOCKING}
        kinds = ("authentication", "signature")
        wanted = {("certificate", f"{one.id}-{kind}") for one in profiles for kind in kinds}
        assert wanted <= set(nudged)
        assert len(nudged) == len(set(nudged))

    def test_need_the_scope_of_each(self, provider: Provider) -> None:
        """As if each came alone."""
        client = provider.client("hr", "scim:write")
        results = send(
            client,
            post("/Users", "u", userName="anne"),
            post("/MobileIDs", "m", user={"value": "bulkId:u"}),
        )
        assert statuses(results) == [201, 403]


class TestAFailedOperation:
    """It leaves nothing, and takes nothing with it."""

    def test_is_undone_alone(self, hr: SCIM, provider: Provider) -> None:
        """What the database refuses is told as it is told alone, and the next one goes on."""
        results = send(
            hr,
            post("/Users", "1", userName="anne"),
            post("/Users", "2", userName="ANNE"),
            post("/Users", "3", userName="ben"),
        )
        assert statuses(results) == [201, 409, 201]
        refused = results[1]["response"]
        assert (refused["scimType"], refused["detail"]) == (
            "uniqueness",
            'Another User has the userName "ANNE"; send another one.',
        )
        assert len(hr.found("userName pr")) == 2
        assert [action for _, action in provider.audited()] == ["user.create"] * 2

    def test_has_no_audit_no_cascade_and_no_nudge(
        self, hr: SCIM, provider: Provider, nudged: Nudged
    ) -> None:
        """Whatever it had done before it failed."""
        hr.create("ben", externalId="taken")
        user = hr.create(active=True)["id"]
        profile = provider.profile(user, ProfileState.ACTIVE)
        before = provider.audited()
        nudged.clear()
        path = f"/Users/{user}"
        both: list[dict[str, Any]] = [
            {"op": "replace", "path": "active", "value": False},
            {"op": "replace", "path": "externalId", "value": "taken"},
        ]
        results = send(hr, patch(path, *both), put(path, "title", "Dr."))
        assert statuses(results) == [409, 200]
        assert provider.state(profile.id) is ProfileState.ACTIVE
        assert provider.audited() == [*before, ("scim_client:hr", "user.update")]
        assert nudged == []
        shown: Any = hr("GET", path).json
        assert (shown["active"], shown["title"]) == (True, "Dr.")
        # And what was undone can be done: nothing of it is remembered.
        assert statuses(send(hr, patch(path, *both), patch(path, both[0]))) == [409, 200]
        assert provider.state(profile.id) is ProfileState.INACTIVE
        assert len(nudged) == 2

    def test_may_end_the_request(self, hr: SCIM) -> None:
        """After so many errors the rest is not begun; what was done stays."""
        results = send(
            hr,
            post("/Users", "1", userName="anne"),
            {"method": "DELETE", "path": "/Users/unknown"},
            post("/Users", "3", userName="ben"),
            failOnErrors=1,
        )
        assert statuses(results) == [201, 404]
        assert len(hr.found("userName pr")) == 1


class TestTheWhole:
    """It is committed at its end, or not at all."""

    def test_is_lost_if_it_cannot_be_committed(self, hr: SCIM, provider: Provider) -> None:
        """An error of the end is the answer, and nothing is stored."""
        user = hr.create()["id"]
        provider.count = 98
        profile = provider.profile(user, ProfileState.ACTIVE)
        before = provider.audited()
        operations = [
            post("/Users", "1", userName="ben"),
            {"method": "DELETE", "path": f"/Users/{user}"},
        ]
        answer = hr("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})
        assert answer.status_code == 500
        assert provider.state(profile.id) is ProfileState.ACTIVE
        assert provider.audited() == before
        assert len(hr.found("userName pr")) == 1

    def test_is_bounded(self, hr: SCIM) -> None:
        """One operation too many: none is done."""
        many = [post("/Users", str(number), userName=f"u{number}") for number in range(1_001)]
        answer = hr("POST", "/Bulk", {"schemas": [BULK], "Operations": many})
        assert answer.status_code == 413
        assert hr.found("userName pr") == []


class TestMassChanges:
    """The guard counts every operation of a request."""

    @pytest.fixture
    def guard(self) -> MassChangeGuard:
        """Two deletions a day, and no share of all users."""
        return MassChangeGuard(Guard(deletions=2, percent=1, window=timedelta(days=1)))

    def test_are_stopped_within_one_request(self, hr: SCIM, provider: Provider) -> None:
        """Beyond the limit mobile IDs are suspended; one that failed does not count."""
        users = [hr.create(f"user-{number}")["id"] for number in range(4)]
        profiles = [provider.profile(user, ProfileState.ACTIVE) for user in users]
        old = {"version": 'W/"99"'}
        results = send(
            hr,
            {"method": "DELETE", "path": f"/Users/{users[0]}", **old},
            *({"method": "DELETE", "path": f"/Users/{user}"} for user in users),
        )
        assert statuses(results) == [412, 204, 204, 204, 204]
        states = [provider.state(one.id) for one in profiles]
        assert states == [ProfileState.LOCKING] * 2 + [ProfileState.INACTIVE] * 2
        with provider.units.reading() as unit:
            assert unit.mobile_ids.held(Hold.MASS_CHANGE, by="hr") == [
                profiles[2].id,
                profiles[3].id,
            ]
