"""Groups over HTTP: members come and go one by one, and users and option scripts see them at once."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import event, insert, select

from mobid.domain.users import UserState
from mobid.storage import ConstraintBroken, Transactions
from mobid.storage.tables import audit_events, group_members, users
from mobid.storage.users import UserRow, insert_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Database, StandingClock
    from tests.extension.provisioning.conftest import SCIM, Provider
    from werkzeug.test import TestResponse

BASE = "https://id.example/scim/v2"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
NOBODY = "00000000-0000-0000-0000-000000000000"


def send(client: SCIM, name: str, *members: str, **values: Any) -> TestResponse:
    """Send a new group."""
    body = {
        "schemas": [GROUP],
        "displayName": name,
        "members": [{"value": one} for one in members],
        **values,
    }
    return client("POST", "/Groups", body)


def create(client: SCIM, name: str, *members: str, **values: Any) -> Any:
    """Create a group and return it."""
    answer = send(client, name, *members, **values)
    assert answer.status_code == 201, answer.text
    return answer.json


def add(*members: str) -> dict[str, Any]:
    """Return the operation that adds members."""
    return {"op": "add", "path": "members", "value": [{"value": one} for one in members]}


def remove(member: str) -> dict[str, Any]:
    """Return the operation that removes one."""
    return {"op": "remove", "path": f'members[value eq "{member}"]'}


def read(client: SCIM, path: str) -> Any:
    """Read a resource."""
    answer = client("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json


def members(client: SCIM, group: Any) -> set[str]:
    """Return the ids of the members of a group, as it is now."""
    return {one["value"] for one in read(client, f"/Groups/{group['id']}").get("members", [])}


def groups(client: SCIM, user: Any) -> list[tuple[str, str]]:
    """Return the names of the groups that a user is in, and how."""
    shown = read(client, f"/Users/{user['id']}").get("groups", [])
    return [(one["display"], one["type"]) for one in shown]


class TestAGroup:
    """Create, read, change, delete."""

    def test_is_read_as_it_was_written(self, hr: SCIM) -> None:
        """Members have a URL and a type, which the client need not send, and a name for who asks."""
        anne = hr.create("anne", displayName="Änne")
        inner = create(hr, "Inner")
        made = create(hr, "Staff", anne["id"], inner["id"], externalId="g-1")
        assert {one.pop("value"): one for one in made["members"]} == {
            anne["id"]: {
                "$ref": f"{BASE}/Users/{anne['id']}",
                "type": "User",
            },
            inner["id"]: {
                "$ref": f"{BASE}/Groups/{inner['id']}",
                "type": "Group",
            },
        }
        named = read(hr, f"/Groups/{made['id']}?attributes=members.display")
        assert sorted(one["display"] for one in named["members"]) == ["Inner", "Änne"]
        found = read(hr, f"/Groups/{made['id']}")
        assert (found["displayName"], found["externalId"]) == ("Staff", "g-1")
        assert found["meta"] == made["meta"]
        assert "members" not in read(hr, f"/Groups/{made['id']}?excludedAttributes=members")

    def test_is_replaced_by_put(self, hr: SCIM) -> None:
        """Exactly the members that are sent are there afterwards."""
        anne, bert, carl = (hr.create(name)["id"] for name in ("anne", "bert", "carl"))
        group = create(hr, "Staff", anne, bert)
        body = {
            "schemas": [GROUP],
            "displayName": "All",
            "members": [{"value": bert}, {"value": carl}],
        }
        answer = hr("PUT", f"/Groups/{group['id']}", body)
        assert answer.status_code == 200
        assert members(hr, group) == {bert, carl}
        assert read(hr, f"/Groups/{group['id']}")["meta"]["version"] == 'W/"2"'
        assert hr("PUT", f"/Groups/{group['id']}", {**body, "members": []}).status_code == 200
        assert members(hr, group) == set()

    def test_changes_by_its_members_alone(self, hr: SCIM, later: StandingClock) -> None:
        """The version rises with each real change, and with no other one."""
        anne, bert = (hr.create(name)["id"] for name in ("anne", "bert"))
        group = create(hr, "Staff", anne)
        path = f"/Groups/{group['id']}"
        later.now = later.now.replace(minute=5)
        for operation, version in (
            (add(anne), 1),
            (remove(bert), 1),
            (add(anne, bert), 2),
            (remove(anne), 3),
            (remove(anne), 3),
            ({"op": "remove", "path": "members"}, 4),
        ):
            answer = hr.patch(path, operation)
            assert answer.status_code == 200, answer.text
            assert read(hr, path)["meta"]["version"] == f'W/"{version}"', operation
        assert members(hr, group) == set()
        assert read(hr, path)["meta"]["lastModified"] == "2026-11-22T12:05:01Z"

    def test_is_changed_at_its_version_only(self, hr: SCIM) -> None:
        """If-Match holds for members, too, and for DELETE."""
        anne = hr.create()["id"]
        path = f"/Groups/{create(hr, 'Staff')['id']}"
        assert hr.patch(path, add(anne), If_Match='W/"2"').status_code == 412
        assert hr.patch(path, add(anne), If_Match='W/"1"').status_code == 200
        assert hr("DELETE", path, If_Match='W/"1"').status_code == 412
        assert hr("DELETE", path, If_Match='W/"2"').status_code == 204

    def test_deleted_is_gone_from_everywhere(self, hr: SCIM) -> None:
        """404; no user is in it, no group has it, and its identifier is free."""
        anne = hr.create()
        inner = create(hr, "Inner", anne["id"], externalId="1")
        outer = create(hr, "Outer", inner["id"])
        assert hr("DELETE", f"/Groups/{inner['id']}").status_code == 204
        assert hr("GET", f"/Groups/{inner['id']}").status_code == 404
        assert hr("DELETE", f"/Groups/{inner['id']}").status_code == 404
        assert hr.patch(f"/Groups/{inner['id']}", add(anne["id"])).status_code == 404
        assert groups(hr, anne) == []
        assert members(hr, outer) == set()
        assert read(hr, f"/Groups/{outer['id']}")["meta"]["version"] == 'W/"2"'
        create(hr, "Inner", externalId="1")

    def test_loses_a_deleted_user(self, hr: SCIM, provider: Provider) -> None:
        """The group has another version, and the audit says how many it concerned."""
        anne = hr.create()
        group = create(hr, "Staff", anne["id"])
        assert hr("DELETE", f"/Users/{anne['id']}").status_code == 204
        assert members(hr, group) == set()
        assert read(hr, f"/Groups/{group['id']}")["meta"]["version"] == 'W/"2"'
        assert audited(provider)[-1] == ("user.delete", {"groups": 1})

    def test_is_audited_with_counts(self, hr: SCIM, provider: Provider) -> None:
        """How many came and went; who they were is in the log of nobody."""
        anne, bert = (hr.create(name)["id"] for name in ("anne", "bert"))
        path = f"/Groups/{create(hr, 'Staff', anne)['id']}"
        hr.patch(path, add(bert), remove(anne))
        hr.patch(path, add(bert))
        hr("DELETE", path)
        assert audited(provider)[2:] == [
            ("group.create", {"added": 1}),
            ("group.update", {"added": 1, "removed": 1}),
            ("group.delete", {"removed": 1, "groups": 0}),
        ]


def audited(provider: Provider) -> list[tuple[str, Any]]:
    """Return what was done, with details."""
    table = audit_events.c
    with Transactions(provider.database.engine).reading() as connection:
        rows = connection.execute(select(table.action, table.record).order_by(table.id))
        return [(row.action, json.loads(row.record)["details"]) for row in rows]


class TestMembers:
    """Each is there once, and is what the client says it is."""

    def test_may_be_strangers(self, hr: SCIM) -> None:
        """Whom only the client knows is kept and found by id, is nothing else, and can go again."""
        anne = hr.create()["id"]
        group = create(hr, "Staff", anne)
        path = f"/Groups/{group['id']}"
        answer = hr.patch(path, add(NOBODY))
        assert answer.status_code == 200
        assert {"value": NOBODY} in read(hr, path)["members"]
        assert len(read(hr, path)["members"]) == 2
        for filter_text, count in (
            (f'members.value eq "{NOBODY}"', 1),
            (f'members[value eq "{NOBODY}" and type pr]', 0),
            (f'members[value eq "{NOBODY}" and not (type eq "User")]', 1),
            (f'members[value eq "{NOBODY}" and display ne "x"]', 1),
            (f'members[value eq "{NOBODY}" and $ref co "s"]', 0),
        ):
            found = read(hr, f"/Groups?{urlencode({'filter': filter_text})}")
            assert found["totalResults"] == count, filter_text
        again = hr.patch(path, add(NOBODY))
        assert (again.status_code, again.json) == (200, read(hr, path))
        gone = hr.patch(path, {"op": "remove", "path": f'members[value eq "{NOBODY}"]'})
        assert gone.status_code == 200
        assert [one["value"] for one in read(hr, path)["members"]] == [anne]

    def test_are_no_strangers_whose_reference_leads_to_somebody(self, hr: SCIM) -> None:
        """A misspelled id beside the right URL: the one who is meant would not be a member."""
        anne = hr.create("anne")
        for other in (f"{BASE}/Users/{anne['id']}", "../Groups/x"):
            refused = send(hr, "Wheel", members=[{"value": "nne", "$ref": other}])
            assert refused.status_code == 400
            assert refused.json is not None
            assert "leads to somebody else" in refused.json["detail"]
        for reference in ("https://hr.example/Users/nne", "https://hr.example/people/7", None):
            assert (
                send(hr, "Wheel", members=[{"value": "nne", "$ref": reference}]).status_code == 201
            )

    def test_may_be_strangers_in_every_way_of_writing(self, hr: SCIM) -> None:
        """POST and PUT keep them as well, and they go with the group."""
        group = create(hr, "Staff", NOBODY)
        path = f"/Groups/{group['id']}"
        assert group["members"] == [{"value": NOBODY}]
        body = {"schemas": [GROUP], "displayName": "Staff", "members": [{"value": "other"}]}
        assert hr("PUT", path, body).status_code == 200
        assert read(hr, path)["members"] == [{"value": "other"}]
        assert hr("DELETE", path).status_code == 204

    def test_that_no_resource_can_be_called_are_refused(self, hr: SCIM) -> None:
        """400 `invalidValue`, in every way of writing, and nothing is written."""
        anne = hr.create()["id"]
        group = create(hr, "Staff")
        path = f"/Groups/{group['id']}"
        for member, why in (
            ("bulkId:anne", "has a meaning in Bulk requests alone"),
            ("x" * 1500, "at most 1,024 bytes"),
        ):
            body = {"schemas": [GROUP], "displayName": "x", "members": [{"value": member}]}
            for answer in (
                send(hr, "Other", anne, member),
                hr.patch(path, add(anne, member)),
                hr("PUT", path, body),
            ):
                assert answer.status_code == 400
                assert answer.json is not None
                assert answer.json["scimType"] == "invalidValue"
                assert why in answer.json["detail"]
        assert read(hr, path) == group
        assert read(hr, "/Groups")["totalResults"] == 1

    def test_that_are_deleted_are_refused(self, hr: SCIM) -> None:
        """A tombstone may be restored, and would not be in the group then."""
        anne = hr.create()["id"]
        hr("DELETE", f"/Users/{anne}")
        answer = send(hr, "Staff", anne)
        assert answer.status_code == 400
        assert answer.json is not None
        assert answer.json["detail"] == f'members: User "{anne}" is deleted.'

    def test_are_what_the_client_says(self, hr: SCIM) -> None:
        """A user is not added as a group; the case of the word does not matter."""
        anne = hr.create()["id"]
        path = f"/Groups/{create(hr, 'Staff')['id']}"
        value = {"value": anne, "type": "Group", "$ref": f"../Users/{anne}"}
        answer = hr.patch(path, {"op": "add", "path": "members", "value": [value]})
        assert answer.status_code == 400
        assert answer.json is not None
        assert answer.json["detail"] == f'members: "{anne}" is a User, by its id.'
        value["type"] = "user"
        answer = hr.patch(path, {"op": "add", "path": "members", "value": [value]})
        assert answer.status_code == 200

    @pytest.mark.parametrize(
        "form", [f"{BASE}/Users/{{}}", "Users/{}", "../Users/{}", "{}", "x/y/{}"]
    )
    def test_may_have_their_address(self, form: str, hr: SCIM) -> None:
        """Absolute or relative (RFC 7643, 2.3.7); what counts is whom it leads to."""
        anne = hr.create()["id"]
        path = f"/Groups/{create(hr, 'Staff')['id']}"
        value = {"value": anne, "$ref": form.format(anne)}
        answer = hr.patch(path, {"op": "add", "path": "members", "value": [value]})
        assert answer.status_code == 200, answer.text

    @pytest.mark.parametrize("form", ["Users/somebody", f"{BASE}/Groups/{{}}", "", "Users/{}/"])
    def test_are_not_two_at_once(self, form: str, hr: SCIM) -> None:
        """An id and an address of somebody else: neither is taken, and nobody comes into the group."""
        anne = hr.create()["id"]
        group = create(hr, "Staff")
        value = {"value": anne, "$ref": form.format(anne)}
        operation = {"op": "add", "path": "members", "value": [value]}
        answer = hr.patch(f"/Groups/{group['id']}", operation)
        assert answer.status_code == 400
        assert answer.json is not None
        assert answer.json["scimType"] == "invalidValue"
        assert answer.json["detail"].endswith(" leads elsewhere; leave it.")
        assert read(hr, f"/Groups/{group['id']}") == group

    def test_do_not_include_the_group_itself(self, hr: SCIM) -> None:
        """That much of a circle is seen at once."""
        group = create(hr, "Staff")
        assert hr.patch(f"/Groups/{group['id']}", add(group["id"])).status_code == 400

    @pytest.mark.parametrize(
        "row",
        [
            {"user_id": "anne", "subgroup_id": "g-2", "member_id": "anne"},
            {"user_id": "anne", "subgroup_id": None, "member_id": "bert"},
            {"user_id": None, "subgroup_id": "g", "member_id": "g"},
        ],
    )
    def test_are_of_one_kind_by_the_database(
        self, provider: Provider, row: dict[str, str | None]
    ) -> None:
        """Whatever our code does: a row names one user, one other group, or a stranger."""
        with (
            pytest.raises(ConstraintBroken, match="ck_group_members"),
            Transactions(provider.database.engine).writing() as connection,
        ):
            connection.execute(insert(group_members).values(group_id="g", **row))

    def test_that_many_add_at_once_are_all_there(self, provider: Provider, hr: SCIM) -> None:
        """Nobody is refused for another one's change, and nobody is lost."""
        ids = [hr.create(f"u-{number}")["id"] for number in range(6)]
        group = create(hr, "Staff")
        start = threading.Barrier(len(ids))
        said: list[int] = []

        def join(user_id: str) -> None:
            client = provider.client()
            start.wait()
            said.append(client.patch(f"/Groups/{group['id']}", add(user_id)).status_code)

        in_parallel(join, ids)
        assert said == [200] * len(ids)
        assert members(hr, group) == set(ids)
        assert read(hr, f"/Groups/{group['id']}")["meta"]["version"] == 'W/"7"'

    def test_that_are_deleted_meanwhile_are_not_there(self, provider: Provider, hr: SCIM) -> None:
        """Whoever comes first, no group is left with somebody who is gone."""
        ids = [hr.create(f"u-{number}")["id"] for number in range(6)]
        group = create(hr, "Staff", *ids[:3])
        start = threading.Barrier(2 * len(ids))

        def join(user_id: str) -> None:
            client = provider.client()
            start.wait()
            answer = client.patch(f"/Groups/{group['id']}", add(user_id))
            assert answer.status_code in {200, 400}, answer.text

        def leave(user_id: str) -> None:
            client = provider.client()
            start.wait()
            assert client("DELETE", f"/Users/{user_id}").status_code == 204

        in_parallel(
            lambda job: job[0](job[1]), [(what, one) for one in ids for what in (join, leave)]
        )
        assert members(hr, group) == set()

    def test_cost_the_same_however_many_there_are(self, provider: Provider, hr: SCIM) -> None:
        """Ten thousand members: adding one more is as many statements as in an empty group."""
        some = self._people(provider, 10_000)
        small, large = create(hr, "Small"), create(hr, "Large")
        with Transactions(provider.database.engine).writing() as connection:
            rows = [
                {"group_id": large["id"], "member_id": one, "user_id": one, "subgroup_id": None}
                for one in some
            ]
            connection.execute(insert(group_members), rows)
        anne = hr.create()["id"]
        counts = []
        for group in (small, large):
            with statements(provider.database) as seen:
                path = f"/Groups/{group['id']}?excludedAttributes=members"
                assert hr.patch(path, add(anne)).status_code == 200
            counts.append(len(seen))
        assert counts[0] == counts[1] <= 16
        assert len(members(hr, large)) == 10_001
        body = {"schemas": [GROUP], "displayName": "Large", "members": [{"value": anne}]}
        assert hr("PUT", f"/Groups/{large['id']}", body).status_code == 200
        assert members(hr, large) == {anne}

    @staticmethod
    def _people(provider: Provider, count: int) -> list[str]:
        with provider.units() as unit:
            at = unit.now
        row = UserRow(
            id="first",
            state=UserState.ACTIVE,
            user_name="first",
            user_name_key="first",
            display_name="First",
            created_at=at,
            changed_at=at,
            client="hr",
            doc='{"schemas":[]}',
        )
        with Transactions(provider.database.engine).writing() as connection:
            insert_user(connection, row)
            first = connection.execute(select(users)).mappings().one()
            names = [f"u-{number}" for number in range(count)]
            more = [{**first, "id": one, "user_name": one, "user_name_key": one} for one in names]
            connection.execute(insert(users), more)
        return names


def in_parallel(work: Callable[[Any], None], jobs: list[Any]) -> None:
    """Do the same to each of some things at once; what fails fails the test."""
    failed: list[BaseException] = []

    def do(job: Any) -> None:
        try:
            work(job)
        except BaseException as error:  # noqa: BLE001  # told to the thread of the test
            failed.append(error)

    threads = [threading.Thread(target=do, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Note every statement that is executed."""
    said: list[str] = []

    def note(*arguments: Any) -> None:
        said.append(arguments[2])

    event.listen(database.engine, "before_cursor_execute", note)
    yield said
    event.remove(database.engine, "before_cursor_execute", note)


class TestTheGroupsOfAUser:
    """Computed, at any depth, for clients and for option scripts."""

    def test_are_direct_and_indirect(self, hr: SCIM) -> None:
        """Each once; direct where it is both; a circle ends."""
        anne, bert = hr.create("anne"), hr.create("bert")
        inner = create(hr, "Inner", anne["id"])
        middle = create(hr, "Middle", inner["id"])
        outer = create(hr, "Outer", middle["id"], anne["id"])
        hr.patch(f"/Groups/{inner['id']}", add(outer["id"]))
        assert groups(hr, anne) == [
            ("Inner", "direct"),
            ("Middle", "indirect"),
            ("Outer", "direct"),
        ]
        assert groups(hr, bert) == []
        ref = read(hr, f"/Users/{anne['id']}")["groups"][0]
        assert (ref["value"], ref["$ref"]) == (inner["id"], f"{BASE}/Groups/{inner['id']}")

    def test_are_never_said_to_be_as_they_were(self, hr: SCIM) -> None:
        """They change without the user's version: what shows them is 304 to nobody."""
        anne = hr.create("anne")
        path = f"/Users/{anne['id']}"
        group = create(hr, "Inner", anne["id"])
        answer = hr("GET", path, If_None_Match='W/"1"')
        assert (answer.status_code, answer.headers["ETag"]) == (200, 'W/"1"')
        assert answer.json is not None
        assert [one["display"] for one in answer.json["groups"]] == ["Inner"]
        shown = "attributes=urn:mobid:scim:schemas:extension:mobileid:2.0:User:mobileIds"
        assert hr("GET", f"{path}?{shown}", If_None_Match='W/"1"').status_code == 200
        assert hr("GET", f"{path}?attributes=emails", If_None_Match='W/"1"').status_code == 304
        named = hr("GET", f"/Groups/{group['id']}?attributes=members.display", If_None_Match="*")
        assert named.status_code == 200
        assert hr("GET", f"/Groups/{group['id']}", If_None_Match='W/"1"').status_code == 304

    def test_are_found_by(self, hr: SCIM) -> None:
        """By id, by name, by kind of membership; and groups by their members."""
        anne, bert, carl = hr.create("anne"), hr.create("bert"), hr.create("carl")
        inner = create(hr, "Inner", anne["id"], carl["id"])
        outer = create(hr, "Outer", inner["id"], bert["id"], carl["id"])
        assert set(hr.found(f'groups eq "{inner["id"]}"')) == {anne["id"], carl["id"]}
        assert len(hr.found('groups.display eq "OUTER"')) == 3
        assert hr.found('groups[display sw "out" and type eq "indirect"]') == [anne["id"]]
        assert hr.found('not (groups.type eq "direct")') == []
        assert hr.found(f'id eq "{outer["id"]}" and members eq "{bert["id"]}"', "/Groups") == [
            outer["id"]
        ]
        assert hr.found('members[type eq "Group" and display eq "inner"]', "/Groups") == [
            outer["id"]
        ]

    def test_are_not_a_clients_to_write(self, hr: SCIM) -> None:
        """Ignored in PUT, refused in PATCH unless it is the same, and no change of the version."""
        anne = hr.create("anne")
        create(hr, "Staff", anne["id"])
        user = read(hr, f"/Users/{anne['id']}")
        assert user["meta"]["version"] == 'W/"1"'
        assert hr("PUT", f"/Users/{anne['id']}", {**user, "groups": []}).json == user
        assert hr.put(f"/Users/{anne['id']}", "groups", []).status_code == 400

    def test_are_what_scripts_ask_for(self, hr: SCIM, provider: Provider) -> None:
        """The names of all of them; none is an empty list."""
        anne, bert = hr.create("anne", name={"givenName": "Änne"}), hr.create("bert")
        inner = create(hr, "Inner", anne["id"])
        create(hr, "Outer", inner["id"])
        with provider.units.reading() as unit:
            seen = unit.users.get(anne["id"]).attributes
            assert (seen["groups"], seen["givenName"]) == (["Inner", "Outer"], "Änne")
            assert unit.users.get(bert["id"]).attributes["groups"] == []
            assert [one.attributes["groups"] for one in unit.users.there(9)] == [
                ["Inner", "Outer"],
                [],
            ]
