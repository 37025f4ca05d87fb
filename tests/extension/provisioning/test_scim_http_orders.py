"""Orders of mobile IDs over HTTP: POST, what is refused, PUT, and how a client takes one back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from mobid.domain.instances import Instance, InstanceState
from mobid.domain.mobile_ids import ProfileState
from mobid.storage import Transactions
from mobid.storage.tables import mails

if TYPE_CHECKING:
    from tests.extension.provisioning.conftest import SCIM, Provider
    from werkzeug.test import TestResponse

MOBILE_ID = "urn:mobid:scim:schemas:core:2.0:MobileID"
BASE = "https://id.example/scim/v2"


def orders(client: SCIM, user: object, **more: object) -> TestResponse:
    """Order a mobile ID."""
    return client("POST", "/MobileIDs", {"schemas": [MOBILE_ID], "user": user, **more})


def run_of(provider: Provider, user_id: str) -> Instance | None:
    """Return the Get of a user, if one runs."""
    with provider.units.reading() as unit:
        return unit.instances.running_get(user_id)


class TestOrder:
    """POST: a pending one, which its user activates."""

    def test_is_answered_with_what_there_is(self, hr: SCIM, provider: Provider) -> None:
        """201, pending and of no use yet; its user is invited by mail."""
        user = hr.create("anne", emails=[{"value": "anne@example.org"}], displayName="Änne")
        answer = orders(hr, {"value": user["id"]}, externalId="card-7")
        assert answer.status_code == 201, answer.text
        made: Any = answer.json
        assert answer.headers["Location"] == f"{BASE}/MobileIDs/{made['id']}"
        assert made == {
            "schemas": [MOBILE_ID],
            "id": made["id"],
            "externalId": "card-7",
            "user": {"value": user["id"], "$ref": f"{BASE}/Users/{user['id']}"},
            "active": False,
            "state": "pending",
            "profileName": "MobileID Änne",
            "serverName": "Mobile ID",
            "userId": "anne@example.org",
            "meta": made["meta"],
        }
        assert hr("GET", f"/MobileIDs/{made['id']}").json == made
        run = run_of(provider, user["id"])
        assert run is not None
        assert (run.mobile_id, str(run.actor)) == (made["id"], "scim_client:hr")
        assert run.expires_at == run.created_at + timedelta(days=14)
        with Transactions(provider.database.engine).reading() as connection:
            (mail,) = connection.execute(select(mails)).all()
        assert (mail.event, mail.to, mail.subject_id) == ("invitation", "anne@example.org", run.id)
        assert ("scim_client:hr", "mobile_id.order") in provider.audited()

    @pytest.mark.parametrize(
        "reference",
        [
            BASE + "/Users/{id}",
            "Users/{id}",
            "../Users/{id}",
            "/scim/v2/Users/{id}",
            "//id.example/scim/v2/Users/{id}",
        ],
    )
    @pytest.mark.parametrize("with_value", [False, True])
    def test_names_its_user_by_url(self, hr: SCIM, reference: str, with_value: bool) -> None:
        """Absolute or relative, alone or with the id."""
        user_id = hr.create()["id"]
        user = {"$ref": reference.format(id=user_id)} | ({"value": user_id} if with_value else {})
        made = orders(hr, user).json
        assert made is not None
        assert made["user"] == {"value": user_id, "$ref": f"{BASE}/Users/{user_id}"}

    @pytest.mark.parametrize(
        ("user", "words"),
        [
            ({"value": "u-404"}, 'user: there is no User "u-404".'),
            ({"$ref": f"{BASE}/Users/u-404"}, 'user: there is no User "u-404".'),
            ({"$ref": "https://elsewhere.example/scim/v2/Users/{id}"}, "is not the URL of a User"),
            (
                {"$ref": f"{BASE}/Groups/{{id}}"},
                "is not the URL of a User here, https://id.example",
            ),
            ({"$ref": f"{BASE}/Users/"}, "is not the URL of a User here"),
            ({"$ref": f"{BASE}/Users/{{id}}?attributes=id"}, "is not the URL of a User here"),
            ({"value": "u-404", "$ref": f"{BASE}/Users/{{id}}"}, "are two Users."),
            ({"value": ""}, 'user: there is no User "".'),
        ],
    )
    def test_of_nobody_is_refused(self, hr: SCIM, user: dict[str, str], words: str) -> None:
        """400 invalidValue, with what would be right."""
        user_id = hr.create()["id"]
        given = {name: value.replace("{id}", user_id) for name, value in user.items()}
        answer = orders(hr, given)
        assert (answer.status_code, refusal(answer)["scimType"]) == (400, "invalidValue")
        assert words in refusal(answer)["detail"]

    def test_of_a_deleted_user_is_refused(self, hr: SCIM) -> None:
        """There is none."""
        user_id = hr.create()["id"]
        hr("DELETE", f"/Users/{user_id}")
        assert orders(hr, {"value": user_id}).status_code == 400

    def test_without_a_user_is_refused(self, hr: SCIM) -> None:
        """It is required."""
        answer = hr("POST", "/MobileIDs", {"schemas": [MOBILE_ID]})
        assert (answer.status_code, refusal(answer)["scimType"]) == (400, "invalidValue")

    def test_needs_the_scope(self, hr: SCIM, provider: Provider) -> None:
        """Who may write users may not write mobile IDs."""
        user_id = hr.create()["id"]
        answer = orders(provider.client("hr", "scim:read", "scim:write"), {"value": user_id})
        assert answer.status_code == 403
        assert "mobile-ids:write" in refusal(answer)["detail"]

    def test_cannot_be_active(self, hr: SCIM) -> None:
        """400 mutability: nobody but its user makes it usable; false says nothing new."""
        user_id = hr.create()["id"]
        answer = orders(hr, {"value": user_id}, active=True)
        assert (answer.status_code, refusal(answer)["scimType"]) == (400, "mutability")
        assert orders(hr, {"value": user_id}, active=False).status_code == 201

    @pytest.mark.parametrize(
        "state", [ProfileState.PENDING, ProfileState.ACTIVE, ProfileState.INACTIVE]
    )
    def test_beside_a_live_one_is_a_conflict(
        self, hr: SCIM, provider: Provider, state: ProfileState
    ) -> None:
        """409, with its state or its Get."""
        user_id = hr.create()["id"]
        profile = provider.profile(user_id, state)
        answer = orders(hr, {"value": user_id})
        assert answer.status_code == 409
        about = f"get-{profile.id}" if state is ProfileState.PENDING else profile.id
        assert about in refusal(answer)["detail"]

    def test_beside_one_that_is_over_is_taken(self, hr: SCIM, provider: Provider) -> None:
        """Being locked leaves the slot."""
        user_id = hr.create()["id"]
        provider.profile(user_id, ProfileState.LOCKING)
        assert orders(hr, {"value": user_id}).status_code == 201
        assert orders(hr, {"value": user_id}).status_code == 409

    def test_for_an_inactive_user_is_a_conflict(self, hr: SCIM) -> None:
        """409: only an active one can get a mobile ID."""
        answer = orders(hr, {"value": hr.create(active=False)["id"]})
        assert answer.status_code == 409
        assert "account is inactive" in refusal(answer)["detail"]

    def test_under_an_identifier_that_is_taken_is_refused(
        self, hr: SCIM, provider: Provider
    ) -> None:
        """409 uniqueness, and nothing is ordered."""
        first, second = hr.create("anne")["id"], hr.create("bert")["id"]
        orders(hr, {"value": first}, externalId="card-7")
        answer = orders(hr, {"value": second}, externalId="card-7")
        assert (answer.status_code, refusal(answer)["scimType"]) == (409, "uniqueness")
        assert run_of(provider, second) is None


class TestTakenBack:
    """Before its user has come."""

    @pytest.fixture
    def ordered(self, hr: SCIM) -> Any:
        """What the client has ordered."""
        return orders(hr, {"value": hr.create()["id"]}).json

    def test_by_delete(self, hr: SCIM, provider: Provider, ordered: Any) -> None:
        """204, cancelled with its Get; another one can be ordered."""
        assert hr("DELETE", f"/MobileIDs/{ordered['id']}").status_code == 204
        assert provider.state(ordered["id"]) is ProfileState.CANCELLED
        assert run_of(provider, ordered["user"]["value"]) is None
        assert orders(hr, ordered["user"]).status_code == 201

    def test_not_by_writing_back_what_was_read(
        self, hr: SCIM, provider: Provider, ordered: Any
    ) -> None:
        """PUT of false where it is false changes nothing."""
        answer = hr("PUT", f"/MobileIDs/{ordered['id']}", ordered)
        assert (answer.status_code, answer.json) == (200, ordered)
        assert provider.state(ordered["id"]) is ProfileState.PENDING

    @pytest.mark.parametrize("method", ["PATCH", "DELETE"])
    def test_by_the_end_of_its_user(
        self, hr: SCIM, provider: Provider, ordered: Any, method: str
    ) -> None:
        """It fails with the Get."""
        path = f"/Users/{ordered['user']['value']}"
        if method == "PATCH":
            hr.put(path, "active", value=False)
        else:
            hr("DELETE", path)
        assert provider.state(ordered["id"]) is ProfileState.FAILED
        assert run_of(provider, ordered["user"]["value"]) is None


class TestPut:
    """The same rules as for PATCH: only a change of `active` counts."""

    def test_true_to_false_locks(self, hr: SCIM, provider: Provider) -> None:
        """And keeps what is not the client's."""
        profile = provider.profile(hr.create()["id"], ProfileState.ACTIVE)
        shown: Any = hr("GET", f"/MobileIDs/{profile.id}").json
        answer = hr("PUT", f"/MobileIDs/{profile.id}", shown | {"active": False})
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        assert (answer.json["state"], answer.json["active"]) == ("locking", False)

    @pytest.mark.parametrize("state", [each for each in ProfileState if each != "active"])
    def test_true_where_it_is_false_is_refused(
        self, hr: SCIM, provider: Provider, state: ProfileState
    ) -> None:
        """400 mutability."""
        profile = provider.profile(hr.create()["id"], state)
        shown: Any = hr("GET", f"/MobileIDs/{profile.id}").json
        answer = hr("PUT", f"/MobileIDs/{profile.id}", shown | {"active": True})
        assert (answer.status_code, refusal(answer)["scimType"]) == (400, "mutability")
        assert provider.state(profile.id) is state

    def test_without_active_changes_nothing_of_it(self, hr: SCIM, provider: Provider) -> None:
        """Its truth is elsewhere; an identifier that is left out is taken away."""
        user_id = hr.create()["id"]
        profile = provider.profile(user_id, ProfileState.ACTIVE)
        path = f"/MobileIDs/{profile.id}"
        hr.put(path, "externalId", "card-7")
        body = {"schemas": [MOBILE_ID], "user": {"value": user_id}}
        answer = hr("PUT", path, body)
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        assert (answer.json["active"], answer.json.get("externalId")) == (True, None)

    def test_of_another_user_is_refused(self, hr: SCIM, provider: Provider) -> None:
        """Whose it is never changes."""
        profile = provider.profile(hr.create("anne")["id"], ProfileState.ACTIVE)
        body = {"schemas": [MOBILE_ID], "user": {"value": hr.create("bert")["id"]}}
        answer = hr("PUT", f"/MobileIDs/{profile.id}", body)
        assert (answer.status_code, refusal(answer)["scimType"]) == (400, "mutability")

    def test_after_its_end_there_is_nothing_to_lock(
        self, hr: SCIM, provider: Provider, later: Any
    ) -> None:
        """It expires, whoever comes first."""
        profile = provider.profile(hr.create()["id"], ProfileState.ACTIVE)
        later.pass_by(timedelta(days=730))
        answer = hr.put(f"/MobileIDs/{profile.id}", "active", value=False)
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        assert (answer.json["state"], answer.json["active"]) == ("expired", False)


class TestAddress:
    """A user's address changes over SCIM."""

    def test_burns_the_code_and_tells_the_old_one(self, hr: SCIM, provider: Provider) -> None:
        """In the transaction of the change; other changes do neither."""
        user = hr.create("anne", emails=[{"value": "old@example.org"}])
        profile = provider.profile(user["id"], ProfileState.PENDING)
        hr.put(f"/Users/{user['id']}", "title", "Dr.")
        run = run_of(provider, user["id"])
        assert run is not None
        assert run.step == "qr"
        hr.put(f"/Users/{user['id']}", "emails", [{"value": "new@example.org"}])
        run = run_of(provider, user["id"])
        assert run is not None
        assert (run.step, run.state) == ("confirm", InstanceState.WAITING_USER)
        with provider.units.reading() as unit:
            enrolment = unit.enrolments.of_instance(f"get-{profile.id}")
        assert enrolment is not None
        assert enrolment.closed
        with Transactions(provider.database.engine).reading() as connection:
            told = [(row.event, row.to) for row in connection.execute(select(mails))]
        assert told == [("address_changed", "old@example.org")]


def refusal(answer: TestResponse) -> Any:
    """Return the error in an answer."""
    return answer.json
