"""MobileIDs over HTTP: the cascades of users, Lock by a client, and the truth about certificates."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from mobid.domain.certificates import CAState, Wanted
from mobid.domain.instances import InstanceState
from mobid.domain.mobile_ids import ProfileState

if TYPE_CHECKING:
    from tests.extension.provisioning.conftest import SCIM, Provider

OURS = "urn:mobid:scim:schemas:extension:mobileid:2.0:User"
PENDING, ACTIVE, INACTIVE, LOCKING, FAILED, CANCELLED = (
    ProfileState.PENDING,
    ProfileState.ACTIVE,
    ProfileState.INACTIVE,
    ProfileState.LOCKING,
    ProfileState.FAILED,
    ProfileState.CANCELLED,
)
FINAL = [ProfileState.LOCKED, ProfileState.EXPIRED, FAILED, CANCELLED]


class TestAUsersStateReachesTheMobileID:
    """The cascade is committed before the answer."""

    @pytest.mark.parametrize(
        ("state", "after"),
        [
            (PENDING, FAILED),
            (ACTIVE, INACTIVE),
            (INACTIVE, INACTIVE),
            (LOCKING, LOCKING),
            *((state, state) for state in FINAL),
        ],
    )
    def test_when_it_is_deactivated(
        self, hr: SCIM, provider: Provider, state: ProfileState, after: ProfileState
    ) -> None:
        """A pending one fails, an active one is suspended, what has ended stays as it is."""
        user = hr.create(active=True)
        profile = provider.profile(user["id"], state)
        assert hr.put(f"/Users/{user['id']}", "active", value=False).status_code == 200
        assert provider.state(profile.id) is after

    @pytest.mark.parametrize(
        ("state", "after"),
        [
            (PENDING, FAILED),
            (ACTIVE, LOCKING),
            (INACTIVE, LOCKING),
            (LOCKING, LOCKING),
            *((state, state) for state in FINAL),
        ],
    )
    def test_when_it_is_deleted(
        self, hr: SCIM, provider: Provider, state: ProfileState, after: ProfileState
    ) -> None:
        """What is live is locked, and what had become of others can still be read."""
        user = hr.create()
        profile = provider.profile(user["id"], state)
        assert hr("DELETE", f"/Users/{user['id']}").status_code == 204
        assert provider.state(profile.id) is after
        shown = hr("GET", f"/MobileIDs/{profile.id}").json
        assert shown is not None
        assert shown["state"] == after

    def test_and_its_certificates(self, hr: SCIM, provider: Provider) -> None:
        """Wanted held; wanted valid again; active only when the CA has confirmed every release."""
        user = f"/Users/{(made := hr.create(active=True))['id']}"
        profile = provider.profile(made["id"], ACTIVE)
        hr.put(user, "active", value=False)
        assert self._wanted(provider, profile.id) == [Wanted.HELD, Wanted.HELD]
        provider.ca_says(profile.id, CAState.HELD)
        hr.put(user, "active", value=True)
        assert self._wanted(provider, profile.id) == [Wanted.VALID, Wanted.VALID]
        assert provider.state(profile.id) is INACTIVE
        hr("DELETE", user)
        assert self._wanted(provider, profile.id) == [Wanted.REVOKED, Wanted.REVOKED]

    def test_and_comes_back_at_once_where_the_ca_cannot_hold(
        self, hr: SCIM, provider: Provider
    ) -> None:
        """Every certificate has stayed valid in the CA, so there is nothing to wait for."""
        user = hr.create(active=True)
        profile = provider.profile(user["id"], ACTIVE, holdable=False)
        hr.put(f"/Users/{user['id']}", "active", value=False)
        hr.put(f"/Users/{user['id']}", "active", value=True)
        assert provider.state(profile.id) is ACTIVE

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_and_ends_the_running_get(self, hr: SCIM, provider: Provider, method: str) -> None:
        """It fails with USER_NOT_ACTIVE, and its code is burnt."""
        user = hr.create(active=True)
        profile = provider.profile(user["id"], PENDING)
        if method == "PATCH":
            hr.put(f"/Users/{user['id']}", "active", value=False)
        else:
            hr("DELETE", f"/Users/{user['id']}")
        with provider.units.reading() as unit:
            run = unit.instances.get(f"get-{profile.id}")
            enrolment = unit.enrolments.of_instance(run.id)
        assert (run.state, run.error) == (InstanceState.FAILED, "USER_NOT_ACTIVE")
        assert enrolment is not None
        assert enrolment.closed

    def test_only_if_it_moves(self, hr: SCIM, provider: Provider) -> None:
        """Other changes, and active removed, leave the mobile ID alone."""
        path = f"/Users/{(made := hr.create(active=True))['id']}"
        profile = provider.profile(made["id"], ACTIVE)
        hr.put(path, "title", "Dr.")
        hr.patch(path, {"op": "remove", "path": "active"})
        hr.put(path, "active", value=True)
        with provider.units.reading() as unit:
            assert unit.mobile_ids.get(profile.id) == profile

    def test_and_nothing_of_it_if_the_write_is_refused(self, hr: SCIM, provider: Provider) -> None:
        """Whole or not at all: 409, and the user is as active as the mobile ID."""
        hr.create("bert")
        user = hr.create("anne", active=True)
        profile = provider.profile(user["id"], ACTIVE)
        answer = hr.patch(
            f"/Users/{user['id']}",
            {"op": "replace", "path": "active", "value": False},
            {"op": "replace", "path": "userName", "value": "BERT"},
        )
        assert answer.status_code == 409
        assert provider.state(profile.id) is ACTIVE
        assert hr("GET", f"/Users/{user['id']}").json == user

    @staticmethod
    def _wanted(provider: Provider, mobile_id: str) -> list[Wanted]:
        return [one.wanted for one in provider.certificates(mobile_id)]


class TestReading:
    """What a client sees of a mobile ID."""

    def test_tells_everything(self, hr: SCIM, provider: Provider) -> None:
        """State, device and certificates, without the bytes."""
        user = hr.create()
        profile = provider.profile(user["id"], ACTIVE)
        first, second = provider.certificates(profile.id)
        answer = hr("GET", f"/MobileIDs/{profile.id}")
        assert answer.json == {
            "schemas": ["urn:mobid:scim:schemas:core:2.0:MobileID"],
            "id": profile.id,
            "meta": {
                "resourceType": "MobileID",
                "created": "2026-11-22T12:00:00Z",
                "lastModified": "2026-11-22T12:00:00Z",
                "location": f"https://id.example/scim/v2/MobileIDs/{profile.id}",
                "version": 'W/"1"',
            },
            "user": {
                "value": user["id"],
                "$ref": f"https://id.example/scim/v2/Users/{user['id']}",
            },
            "active": True,
            "state": "active",
            "profileName": "MobileID Änne",
            "serverName": "Mobile ID",
            "userId": "anne@example.org",
            "validFrom": "2026-11-22T12:00:00Z",
            "validTo": "2028-11-21T12:00:00Z",
            "device": {"name": "Änne's phone", "platform": "Android", "model": "Pixel"},
            "certificates": [
                {
                    "type": one.kind,
                    "serial": one.serial,
                    "status": "valid",
                    "caStatus": "valid",
                    "notAfter": "2028-11-21T12:00:00Z",
                }
                for one in (first, second)
            ],
        }
        assert answer.headers["ETag"] == 'W/"1"'

    def test_gives_certificates_to_who_asks(self, hr: SCIM, provider: Provider) -> None:
        """`certificates.value` is base64 of DER; one in quarantine is shown as such, and not given."""
        profile = provider.profile(hr.create()["id"], ACTIVE)
        provider.quarantine(profile.id)
        names = "certificates.value,certificates.status"
        shown = hr("GET", f"/MobileIDs/{profile.id}?attributes={names}").json
        second = provider.certificates(profile.id)[1]
        assert second.der is not None
        assert shown is not None
        assert shown["certificates"] == [
            {"status": "quarantined"},
            {"status": "valid", "value": base64.b64encode(second.der).decode()},
        ]

    @pytest.mark.parametrize("state", list(ProfileState))
    def test_active_tells_whether_it_can_be_used(
        self, hr: SCIM, provider: Provider, state: ProfileState
    ) -> None:
        """Truth first: true in state active, and in no other."""
        profile = provider.profile(hr.create()["id"], state)
        shown = hr("GET", f"/MobileIDs/{profile.id}").json
        assert shown is not None
        assert (shown["state"], shown["active"]) == (state, state is ACTIVE)

    def test_finds_by_owner_state_and_use(self, hr: SCIM, provider: Provider) -> None:
        """Filters are SQL here, too; an unknown state is nobody's."""
        anne, bert = hr.create("anne"), hr.create("bert")
        old = provider.profile(anne["id"], ProfileState.LOCKED).id
        new = provider.profile(anne["id"], ACTIVE).id
        other = provider.profile(bert["id"], PENDING).id
        for text, ids in {
            f'user.value eq "{anne["id"]}"': [old, new],
            f'user.value eq "{anne["id"]}" and state eq "locked"': [old],
            "active eq true": [new],
            "active eq false": [old, other],
            "active eq null": [],
            'state eq "pending"': [other],
            'state eq "asleep"': [],
            "state eq null": [],
            f'id eq "{other}"': [other],
        }.items():
            assert hr.found(text, "/MobileIDs") == ids, text

    def test_of_a_user_names_their_mobile_ids(self, hr: SCIM, provider: Provider) -> None:
        """On request, outside the user's version, without those that a client has deleted."""
        user = hr.create()
        gone = provider.profile(user["id"], ProfileState.LOCKED).id
        profile = provider.profile(user["id"], ACTIVE).id
        hr("DELETE", f"/MobileIDs/{gone}")
        assert hr("GET", f"/Users/{user['id']}").json == user
        for path in (f"/Users/{user['id']}", "/Users"):
            shown: Any = hr("GET", f"{path}?attributes={OURS}:mobileIds").json
            assert shown.get("Resources", [shown])[0][OURS]["mobileIds"] == [
                {
                    "value": profile,
                    "$ref": f"https://id.example/scim/v2/MobileIDs/{profile}",
                    "display": "MobileID Änne",
                    "state": "active",
                }
            ]


class TestLockByAClient:
    """Through `active`, and by DELETE."""

    def test_true_to_false_locks(self, hr: SCIM, provider: Provider) -> None:
        """The answer says locking: nothing is called locked before the CA has said revoked."""
        profile = provider.profile(hr.create()["id"], ACTIVE)
        answer = hr.put(f"/MobileIDs/{profile.id}", "active", value=False)
        assert answer.status_code == 200
        shown = answer.json
        assert shown is not None
        assert (shown["active"], shown["state"], shown["meta"]["version"]) == (
            False,
            "locking",
            'W/"2"',
        )
        assert {(one["status"], one["caStatus"]) for one in shown["certificates"]} == {
            ("revoked", "valid")
        }
        with provider.units.reading() as unit:
            locked = unit.mobile_ids.get(profile.id)
        assert str(locked.locked_by) == "scim_client:hr"
        assert ("scim_client:hr", "mobile_id.lock") in provider.audited()

    @pytest.mark.parametrize("state", [each for each in ProfileState if each is not ACTIVE])
    def test_false_where_it_is_false_changes_nothing(
        self, hr: SCIM, provider: Provider, state: ProfileState
    ) -> None:
        """An IdM may write back what it read."""
        profile = provider.profile(hr.create()["id"], state)
        assert hr.put(f"/MobileIDs/{profile.id}", "active", value=False).status_code == 200
        with provider.units.reading() as unit:
            assert unit.mobile_ids.get(profile.id) == profile

    @pytest.mark.parametrize("state", [each for each in ProfileState if each is not ACTIVE])
    def test_true_where_it_is_false_is_refused(
        self, hr: SCIM, provider: Provider, state: ProfileState
    ) -> None:
        """400 `mutability`: no client makes a mobile ID usable."""
        profile = provider.profile(hr.create()["id"], state)
        answer = hr.put(f"/MobileIDs/{profile.id}", "active", value=True)
        assert answer.status_code == 400
        assert answer.json is not None
        assert answer.json["scimType"] == "mutability"
        assert "tells whether it can be used" in answer.json["detail"]
        assert provider.state(profile.id) is state

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "remove", "path": "active"},
            {"op": "replace", "path": "state", "value": "locked"},
            {"op": "replace", "path": "user.value", "value": "somebody-else"},
            {"op": "replace", "path": "certificates", "value": []},
        ],
    )
    def test_nothing_else_can_be_written(
        self, hr: SCIM, provider: Provider, operation: dict[str, Any]
    ) -> None:
        """400 `mutability`, and the mobile ID is as before."""
        profile = provider.profile(hr.create()["id"], ACTIVE)
        answer = hr.patch(f"/MobileIDs/{profile.id}", operation)
        assert answer.status_code == 400
        assert answer.json is not None
        assert answer.json["scimType"] == "mutability"
        assert provider.state(profile.id) is ACTIVE

    @pytest.mark.parametrize(
        ("state", "after"),
        [
            (PENDING, CANCELLED),
            (ACTIVE, LOCKING),
            (INACTIVE, LOCKING),
            (LOCKING, LOCKING),
            *((state, state) for state in FINAL),
        ],
    )
    def test_delete_locks_and_hides(
        self, hr: SCIM, provider: Provider, state: ProfileState, after: ProfileState
    ) -> None:
        """204, then 404; the row goes its way until the CA has confirmed."""
        profile = provider.profile(hr.create()["id"], state)
        path = f"/MobileIDs/{profile.id}"
        hr.put(path, "externalId", "card-7")
        assert hr("DELETE", path).status_code == 204
        assert provider.state(profile.id) is after
        for again in (hr("GET", path), hr("DELETE", path), hr.put(path, "active", value=False)):
            assert again.status_code == 404
        assert hr.found(f'id eq "{profile.id}"', "/MobileIDs") == []

    def test_by_who_has_read_an_older_version_is_refused(
        self, hr: SCIM, provider: Provider
    ) -> None:
        """If-Match: 412, and nothing is locked."""
        profile = provider.profile(hr.create()["id"], ACTIVE)
        path = f"/MobileIDs/{profile.id}"
        hr.put(path, "externalId", "card-7")
        assert hr.put(path, "active", value=False, If_Match='W/"1"').status_code == 412
        assert hr("DELETE", path, If_Match='W/"1"').status_code == 412
        assert provider.state(profile.id) is ACTIVE
        assert hr("DELETE", path, If_Match='W/"2"').status_code == 204

    def test_identifiers_are_each_clients_own(
        self, hr: SCIM, idm: SCIM, provider: Provider
    ) -> None:
        """`externalId` is unique per client and type, and a new one is a new version."""
        first = provider.profile(hr.create("anne")["id"], ACTIVE).id
        other = provider.profile(hr.create("bert", externalId="7")["id"], ACTIVE).id
        changed = hr.put(f"/MobileIDs/{first}", "externalId", "7")
        assert changed.json is not None
        assert (changed.json["externalId"], changed.headers["ETag"]) == ("7", 'W/"2"')
        assert hr.put(f"/MobileIDs/{other}", "externalId", "7").status_code == 409
        assert idm.put(f"/MobileIDs/{other}", "externalId", "7").status_code == 200
        assert idm.found('externalId eq "7"', "/MobileIDs") == [other]
