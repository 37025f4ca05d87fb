"""The process hooks over real processes: what front ends send, and what they are answered."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import zxingcpp
from PIL import Image
from sqlalchemy import text

from mobid.domain.actors import SYSTEM
from mobid.domain.mobile_ids import MobileID, ProfileState
from mobid.domain.users import UserState

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from mobid.storage import SQLUnits

GET = "/processes/MobileIDSelfServiceProcGet/start"
LOCK = "/processes/MobileIDSelfServiceProcLock/start"
PROBLEM = "application/problem+json"


class Caller:
    """A front end that calls for one of its users, each time with an assertion of its own."""

    def __init__(self, client: FlaskClient, front_end: Any, user_id: str) -> None:
        self._client = client
        self._front_end = front_end
        self.user_id = user_id

    def get(self, path: str, **claims: Any) -> TestResponse:
        """Look at something."""
        headers = self._front_end.headers(self.user_id, **claims)
        return self._client.get(path, headers=headers)

    def post(self, path: str, body: object = None, **claims: Any) -> TestResponse:
        """Do something."""
        headers = self._front_end.headers(self.user_id, **claims)
        return self._client.post(path, json={} if body is None else body, headers=headers)

    def act(self, instance: dict[str, Any], action: str, **answer: Any) -> TestResponse:
        """Take an action on a step as it was shown."""
        order = {"step_seq": instance["step"]["seq"], "input": answer}
        return self.post(f"/processes/instances/{instance['id']}/{action}", order)

    def at_qr(self) -> dict[str, Any]:
        """Start a Get and go on to its QR code."""
        started = self.post(GET).get_json()
        shown: dict[str, Any] = self.act(started, "next").get_json()
        return shown


@pytest.fixture
def caller(client: FlaskClient, front_end: Any, anne: str) -> Caller:
    """Anne, in front of the intranet."""
    return Caller(client, front_end, anne)


@pytest.fixture
def somebody_else(client: FlaskClient, front_end: Any, new_user: Callable[..., str]) -> Caller:
    """Bob, in front of the same intranet."""
    return Caller(client, front_end, new_user("bob"))


@pytest.fixture
def active_mobile_id(units: SQLUnits, anne: str) -> str:
    """The id of an active mobile ID of Anne's."""
    with units() as unit:
        profile = MobileID(
            id="m-1",
            user_id=anne,
            state=ProfileState.ACTIVE,
            profile_name="MobileID Anne",
            server_name="Mobile ID",
            user_label="anne@example.org",
            created_at=unit.now,
            changed_at=unit.now,
            valid_from=unit.now,
            valid_to=unit.now + timedelta(days=730),
        )
        unit.add(profile)
        unit.commit()
    return profile.id


def refused(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Return a problem document, which must be this one."""
    assert answer.mimetype == PROBLEM
    problem: dict[str, Any] = answer.get_json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["detail"]
    return problem


class TestProcesses:
    """GET /processes."""

    def test_get_can_be_started_and_lock_cannot(self, caller: Caller) -> None:
        """A user without a mobile ID is told why there is nothing to lock."""
        get, lock = caller.get("/processes").get_json()
        assert get == {
            "process": "MobileIDSelfServiceProcGet",
            "name": "Get mobile ID",
            "startable": True,
            "reason": None,
            "mobile_id": None,
        }
        assert not lock["startable"]
        assert lock["reason"] == {
            "code": "MOBILE_ID_NOT_ACTIVE",
            "detail": "You have no active mobile ID.",
        }

    def test_lock_names_what_it_would_lock(self, caller: Caller, active_mobile_id: str) -> None:
        """A front end needs no SCIM access to offer Lock."""
        _, lock = caller.get("/processes").get_json()
        assert (lock["startable"], lock["mobile_id"]) == (True, active_mobile_id)

    def test_an_old_login_is_a_reason(self, caller: Caller, clock: Any) -> None:
        """It says what the front end is to do."""
        long_ago = int(clock().timestamp()) - 21 * 60
        get, _ = caller.get("/processes", auth_time=long_ago).get_json()
        assert get["reason"]["code"] == "REAUTH_REQUIRED"
        assert "Sign in again" in get["reason"]["detail"]

    def test_what_the_script_would_refuse_is_not_offered(self, caller: Caller, life: Any) -> None:
        """The reason is in the script's own words."""
        source = 'refuse("Ask your manager.")'
        stored = life.push("MobileIDScriptOptions", source, by=SYSTEM, comment="")
        life.activate("MobileIDScriptOptions", stored.version, expected=0, by=SYSTEM)
        get, _ = caller.get("/processes").get_json()
        assert get["reason"] == {"code": "REFUSED", "detail": "Ask your manager."}
        refused(caller.post(GET), 403, "REFUSED")


class TestGet:
    """A Get through the hooks."""

    def test_starting_answers_201_and_then_200_with_the_same_run(self, caller: Caller) -> None:
        """Two tabs start one Get."""
        first, second = caller.post(GET), caller.post(GET)
        assert (first.status_code, second.status_code) == (201, 200)
        assert first.get_json() == second.get_json()
        assert caller.get(first.headers["Location"]).get_json() == first.get_json()

    def test_no_body_is_an_empty_one(self, client: FlaskClient, front_end: Any, anne: str) -> None:
        """There is nothing to say when a Get is started."""
        assert client.post(GET, headers=front_end.headers(anne)).status_code == 201

    def test_an_instance_has_exactly_these_members(self, caller: Caller) -> None:
        """What front ends build on."""
        shown = caller.post(GET).get_json()
        assert shown.keys() == {
            *("id", "process", "name", "state", "step", "user", "mobile_id"),
            *("error", "expires_at", "warnings"),
        }
        assert shown["step"].keys() == {
            *("name", "seq", "title", "text", "actions", "form", "data", "hint"),
        }
        assert shown["state"] == "waiting_user"
        assert shown["step"]["name"] == "confirm"
        assert shown["step"]["actions"] == ["next", "cancel"]
        assert shown["step"]["data"]["valid_to"] == "2028-11-22T12:00:00+00:00"
        assert shown["expires_at"] == "2026-11-22T12:30:00+00:00"
        assert shown["user"] == {"id": caller.user_id, "user_name": "anne"}

    def test_the_form_has_the_choices_that_the_script_allows(
        self, caller: Caller, life: Any
    ) -> None:
        """And a choice counts."""
        source = (
            "options.certificates = [cert.AUTHENTICATION]\n"
            "options.selectable_certificates = [cert.SIGNATURE]"
        )
        stored = life.push("MobileIDScriptOptions", source, by=SYSTEM, comment="")
        life.activate("MobileIDScriptOptions", stored.version, expected=0, by=SYSTEM)
        shown = caller.post(GET).get_json()
        assert shown["step"]["form"] == [
            {
                "name": "certificates",
                "kind": "some_of",
                "label": "Also get",
                "required": False,
                "choices": [{"value": "signature", "label": "Signature"}],
            }
        ]
        problem = refused(
            caller.act(shown, "next", certificates=["encryption"]), 422, "INVALID_INPUT"
        )
        assert problem["errors"].keys() == {"certificates"}
        assert caller.act(shown, "next", certificates=["signature"]).status_code == 200

    def test_next_shows_the_code(self, caller: Caller) -> None:
        """As a link and for fingers."""
        shown = caller.at_qr()
        assert (shown["state"], shown["step"]["name"]) == ("waiting_device", "qr")
        assert shown["step"]["data"]["link"].startswith("https://mobid.example.org/e#1.")
        assert shown["mobile_id"]

    def test_a_hint_says_what_is_waited_for(self, caller: Caller) -> None:
        """An impatient Next is no error."""
        answer = caller.act(caller.at_qr(), "next")
        assert answer.status_code == 200
        assert answer.get_json()["step"]["hint"].startswith("Waiting for your phone.")

    def test_a_stale_action_answers_with_the_current_step(self, caller: Caller) -> None:
        """A double click learns what the first one did."""
        started = caller.post(GET).get_json()
        now = caller.act(started, "next").get_json()
        problem = refused(caller.act(started, "next"), 409, "STALE_STEP")
        assert problem["current"] == now

    def test_renew_and_its_end(self, caller: Caller) -> None:
        """Codes are counted."""
        shown = caller.at_qr()
        for _ in range(2):
            shown = caller.act(shown, "renew").get_json()
        refused(caller.act(shown, "renew"), 409, "TOO_MANY")

    def test_an_action_of_another_step_is_refused(self, caller: Caller) -> None:
        """The problem names the actions that there are."""
        problem = refused(caller.act(caller.at_qr(), "not_mine"), 409, "ILLEGAL_TRANSITION")
        assert "it knows next, renew, cancel" in problem["detail"]

    def test_a_cancelled_run_has_no_actions(self, caller: Caller) -> None:
        """And an action on it is refused."""
        ended = caller.act(caller.at_qr(), "cancel").get_json()
        assert (ended["state"], ended["step"]["actions"]) == ("cancelled", [])
        problem = refused(caller.act(ended, "next"), 409, "PROCESS_ENDED")
        assert "is cancelled; next is for a running one" in problem["detail"]

    def test_an_old_login_is_challenged(self, caller: Caller, clock: Any) -> None:
        """RFC 9470, 3: the front end learns how fresh a login has to be."""
        answer = caller.post(GET, auth_time=int(clock().timestamp()) - 21 * 60)
        refused(answer, 401, "REAUTH_REQUIRED")
        challenge = answer.headers["WWW-Authenticate"]
        assert 'error="insufficient_user_authentication", max_age="1200"' in challenge

    def test_an_inactive_user_gets_nothing(
        self, client: FlaskClient, front_end: Any, new_user: Callable[..., str]
    ) -> None:
        """Whatever the front end says."""
        eve = Caller(client, front_end, new_user("eve", state=UserState.INACTIVE))
        refused(eve.post(GET), 409, "USER_NOT_ACTIVE")

    def test_a_broken_script_is_a_reference_for_the_user(self, caller: Caller, life: Any) -> None:
        """And nothing of the script."""
        source = "options.certificates = [] if user.department else 1"
        stored = life.push("MobileIDScriptOptions", source, by=SYSTEM, comment="")
        life.activate("MobileIDScriptOptions", stored.version, expected=0, by=SYSTEM)
        problem = refused(caller.post(GET), 422, "OPTION_SCRIPT_ERROR")
        assert problem["reference"] in problem["detail"]
        assert "certificates" not in problem["detail"]

    def test_the_front_end_is_in_the_audit_record(self, caller: Caller, transactions: Any) -> None:
        """Who vouched for the user can be told later."""
        caller.post(GET)
        with transactions.reading() as connection:
            found = connection.execute(text("SELECT * FROM audit_events")).mappings().all()
        (start,) = [event for event in found if "get.start" in map(str, event.values())]
        assert "intranet" in str(start)


class TestPictures:
    """The QR code as PNG and SVG."""

    def test_the_png_says_the_link(self, caller: Caller) -> None:
        """A phone reads what `data` says."""
        shown = caller.at_qr()
        answer = caller.get(f"/processes/instances/{shown['id']}/qr.png")
        assert (answer.mimetype, answer.headers["Cache-Control"]) == ("image/png", "no-store")
        (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(answer.data)))
        assert found.text == shown["step"]["data"]["link"]

    def test_the_svg_is_labelled_and_hides_the_link(self, caller: Caller) -> None:
        """It goes into a page as it is."""
        shown = caller.at_qr()
        answer = caller.get(f"/processes/instances/{shown['id']}/qr.svg")
        assert (answer.mimetype, answer.headers["Cache-Control"]) == ("image/svg+xml", "no-store")
        assert 'aria-label="QR code to be scanned with the phone"' in answer.text
        assert shown["step"]["data"]["link"] not in answer.text

    def test_there_is_none_before_the_code(self, caller: Caller) -> None:
        """The problem says when there is one."""
        started = caller.post(GET).get_json()
        for kind in ("png", "svg"):
            problem = refused(
                caller.get(f"/processes/instances/{started['id']}/qr.{kind}"), 409, "NO_CODE"
            )
            assert "at step confirm has no code to show" in problem["detail"]

    def test_there_is_none_of_a_lapsed_code(self, caller: Caller, clock: Any) -> None:
        """Until it is renewed."""
        shown = caller.at_qr()
        clock.pass_by(timedelta(minutes=11))
        refused(caller.get(f"/processes/instances/{shown['id']}/qr.png"), 409, "NO_CODE")


class TestLock:
    """A Lock through the hooks."""

    def test_lock_with_a_reason(self, caller: Caller, active_mobile_id: str) -> None:
        """Two calls, and the mobile ID cannot be used any more."""
        started = caller.post(LOCK, {"mobile_id": active_mobile_id})
        assert started.status_code == 201
        assert caller.post(LOCK, {"mobile_id": active_mobile_id}).status_code == 200
        shown = caller.act(started.get_json(), "next", reason="lost_or_stolen").get_json()
        assert shown["step"]["name"] == "locking"

    def test_no_fresh_login_is_needed(
        self, caller: Caller, active_mobile_id: str, clock: Any
    ) -> None:
        """Nothing but the state of the mobile ID stands between a user and Lock."""
        long_ago = int(clock().timestamp()) - 86_400
        order = {"mobile_id": active_mobile_id}
        assert caller.post(LOCK, order, auth_time=long_ago).status_code == 201

    def test_it_must_be_said_which(self, caller: Caller) -> None:
        """Nothing is locked by default."""
        problem = refused(caller.post(LOCK), 422, "INVALID_INPUT")
        assert problem["errors"].keys() == {"mobile_id"}

    def test_get_takes_none(self, caller: Caller) -> None:
        """What would be ignored is refused."""
        refused(caller.post(GET, {"mobile_id": "m-1"}), 422, "INVALID_INPUT")

    def test_somebody_elses_is_not_found(
        self, somebody_else: Caller, active_mobile_id: str
    ) -> None:
        """As if there were no such mobile ID."""
        foreign = refused(
            somebody_else.post(LOCK, {"mobile_id": active_mobile_id}), 404, "NOT_FOUND"
        )
        unknown = refused(somebody_else.post(LOCK, {"mobile_id": "m-2"}), 404, "NOT_FOUND")
        assert foreign["detail"].replace("m-1", "m-2") == unknown["detail"]


class TestOwner:
    """Owner is part of every query."""

    def test_somebody_elses_run_is_not_found(self, caller: Caller, somebody_else: Caller) -> None:
        """To look at, to act on, as a picture."""
        shown = caller.at_qr()
        path = f"/processes/instances/{shown['id']}"
        refused(somebody_else.get(path), 404, "NOT_FOUND")
        refused(somebody_else.get(f"{path}/qr.png"), 404, "NOT_FOUND")
        refused(somebody_else.act(shown, "cancel"), 404, "NOT_FOUND")
        assert caller.get(path).get_json() == shown

    def test_a_process_that_is_not_there(self, caller: Caller) -> None:
        """Operators' twins are not there either."""
        for name in ("Nope", "MobileIDProcSupplyMobileIDForUser", "instances"):
            problem = refused(caller.post(f"/processes/{name}/start"), 404, "NOT_FOUND")
            assert f'no process "{name}"' in problem["detail"]

    def test_a_user_whom_scim_never_wrote(self, client: FlaskClient, front_end: Any) -> None:
        """A front end learns that it sent a wrong id."""
        nobody = Caller(client, front_end, "nobody")
        refused(nobody.get("/processes"), 404, "NOT_FOUND")
        refused(nobody.post(GET), 404, "NOT_FOUND")


class TestSilentCA:
    """A CA that never answered."""

    @pytest.fixture
    def runner(self, silent_ca_runner: Any) -> Any:
        """Get and Lock without any word of the CA."""
        return silent_ca_runner

    def test_nothing_can_be_ordered_yet(self, caller: Caller) -> None:
        """The answer says when to come back."""
        answer = caller.post(GET)
        refused(answer, 503, "CA_UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) > 0
