"""Users over HTTP: written, read, found and deleted alike on both databases."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, insert, select

from mobid.domain.mobile_ids import ProfileState
from mobid.domain.users import UserState
from mobid.provisioning.types import USER_TYPE
from mobid.storage import Transactions
from mobid.storage.tables import users
from mobid_scim.errors import InvalidFilter
from mobid_scim.filter import parse
from mobid_scim.match import matches
from mobid_scim.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from tests.conftest import Database, StandingClock
    from tests.extension.provisioning.conftest import SCIM, Provider

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OURS = "urn:mobid:scim:schemas:extension:mobileid:2.0:User"
NOBODY = "00000000-0000-0000-0000-000000000000"
ANNE: dict[str, Any] = {
    "externalId": "4711",
    "displayName": "Änne Example",
    "name": {"familyName": "Straße", "givenName": "Änne"},
    "active": True,
    "emails": [
        {"value": "anne@home.example", "type": "home"},
        {"value": "Anne@Example.org", "type": "work", "primary": True},
    ],
    ENTERPRISE: {"employeeNumber": "E-1", "department": "Finance"},
    OURS: {"principalName": "anne@corp.example.org"},
}


class TestAUser:
    """Create, read, change, delete."""

    def test_is_read_as_it_was_written(self, hr: SCIM) -> None:
        """201 with Location and ETag; a GET answers the same, extensions and all."""
        answer = hr(
            "POST",
            "/Users",
            {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE, OURS],
                "userName": "Anne",
                **ANNE,
            },
        )
        made = answer.json
        assert made is not None
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"https://id.example/scim/v2/Users/{made['id']}"
        assert answer.headers["ETag"] == 'W/"1"' == made["meta"]["version"]
        assert made["meta"]["created"] == "2026-11-22T12:00:00Z"
        assert {name: made[name] for name in ANNE} == ANNE
        assert hr("GET", f"/Users/{made['id']}").json == made

    def test_as_others_see_it(self, hr: SCIM, provider: Provider) -> None:
        """Processes get the names for certificates, the primary address and all attributes."""
        made = hr.create("Anne", **ANNE)
        with provider.units.reading() as unit:
            user = unit.users.get(made["id"])
        assert (user.state, user.display_name, user.email, user.principal_name) == (
            UserState.ACTIVE,
            "Änne Example",
            "Anne@Example.org",
            "anne@corp.example.org",
        )
        assert user.attributes["department"] == "Finance"

    def test_changes_with_a_new_version(self, hr: SCIM, later: StandingClock) -> None:
        """PATCH answers 200 with what is stored; the later time shows in lastModified."""
        made = hr.create(**ANNE)
        later.now = later.now.replace(minute=5)
        changed = hr.put(f"/Users/{made['id']}", "name.familyName", "Beispiel")
        assert changed.status_code == 200
        assert changed.json == hr("GET", f"/Users/{made['id']}").json
        assert changed.json is not None
        assert changed.json["name"] == {"familyName": "Beispiel", "givenName": "Änne"}
        assert changed.json["meta"]["version"] == 'W/"2"'
        assert changed.json["meta"]["lastModified"] == "2026-11-22T12:05:01Z"
        assert hr.found('name.familyName eq "beispiel"') == [made["id"]]
        assert hr.found('name.familyName eq "straße"') == []

    def test_keeps_its_version_if_nothing_changes(self, hr: SCIM, provider: Provider) -> None:
        """Endless synchronisation begins with a version that changes by itself."""
        made = hr.create(**ANNE)
        audited = provider.audited()
        assert hr.put(f"/Users/{made['id']}", "displayName", "Änne Example").json == made
        assert provider.audited() == audited

    def test_is_changed_at_its_version_only(self, hr: SCIM) -> None:
        """If-Match: 412 for another version, and nothing is written."""
        path = f"/Users/{hr.create()['id']}"
        answer = hr.put(path, "title", "Dr.", If_Match='W/"7"')
        assert answer.status_code == 412
        assert hr.put(path, "title", "Dr.", If_Match='W/"1"').status_code == 200
        assert hr("DELETE", path, If_Match='W/"1"').status_code == 412
        unchanged = hr("GET", f"{path}?excludedAttributes=groups", If_None_Match='W/"2"')
        assert unchanged.status_code == 304
        assert hr("DELETE", path, If_Match='W/"2"').status_code == 204

    def test_deleted_is_gone_and_its_names_are_free(self, hr: SCIM, provider: Provider) -> None:
        """204, then 404 everywhere; userName and externalId can be given again."""
        made = hr.create(**ANNE)
        path = f"/Users/{made['id']}"
        assert hr("DELETE", path).status_code == 204
        for again in (hr("GET", path), hr("DELETE", path), hr.put(path, "title", "Dr.")):
            assert again.status_code == 404
        assert hr.found('userName eq "anne"') == []
        assert hr.create(**ANNE)["id"] != made["id"]
        with provider.units.reading() as unit:
            assert unit.users.get(made["id"]).state is UserState.DELETED

    @pytest.mark.parametrize("user_id", [NOBODY, "x" * 2000, "%00", "%ED%A0%80", "a%2Fb"])
    def test_that_is_not_there_is_404(self, hr: SCIM, user_id: str) -> None:
        """Whatever the id looks like."""
        assert hr("GET", f"/Users/{user_id}").status_code == 404

    def test_is_audited(self, hr: SCIM, idm: SCIM, provider: Provider) -> None:
        """Who did what, in the transaction that did it."""
        path = f"/Users/{hr.create()['id']}"
        idm.put(path, "active", value=False)
        idm.put(path, "active", value=True)
        hr("DELETE", path)
        assert provider.audited() == [
            ("scim_client:hr", "user.create"),
            ("scim_client:idm", "user.deactivate"),
            ("scim_client:idm", "user.update"),
            ("scim_client:idm", "user.activate"),
            ("scim_client:idm", "user.update"),
            ("scim_client:hr", "user.delete"),
        ]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("displayName", "ä" * 600),
            ("externalId", "x" * 1100),
            ("userName", "x" * 1100),
        ],
    )
    def test_that_no_index_can_hold_is_refused(self, hr: SCIM, name: str, value: object) -> None:
        """Not a 500 on one of the databases; the message names the attribute and the limit."""
        made = hr.create()
        answer = hr.put(f"/Users/{made['id']}", name, value)
        assert answer.status_code == 400
        assert answer.json is not None
        assert answer.json["scimType"] == "invalidValue"
        assert answer.json["detail"].startswith(name)
        assert "is searched by; at most 1,024 bytes" in answer.json["detail"]


class TestPUT:
    """The whole of a user in the place of what was there (RFC 7644, 3.5.1)."""

    def test_leaves_nothing_of_what_is_not_sent(self, hr: SCIM) -> None:
        """Neither to be read, nor to be found by; what others gave stays."""
        made = hr.create("Anne", **ANNE)
        path, body = f"/Users/{made['id']}", {"schemas": made["schemas"][:1], "userName": "Anna"}
        changed: Any = hr("PUT", path, body).json
        assert set(changed) == {"schemas", "id", "userName", "meta"}
        assert changed["meta"]["version"] == 'W/"2"'
        assert hr("GET", path).json == changed
        for text in ('userName eq "anna"', "displayName eq null", "emails eq null"):
            assert hr.found(text) == [made["id"]], text
        for text in ("emails pr", f"{ENTERPRISE}:department pr", 'externalId eq "4711"'):
            assert hr.found(text) == [], text

    def test_of_what_was_read_changes_nothing(self, hr: SCIM, provider: Provider) -> None:
        """The version stays, and nothing is audited."""
        made = hr.create("Anne", **ANNE)
        audited = provider.audited()
        assert hr("PUT", f"/Users/{made['id']}", made).json == made
        assert provider.audited() == audited

    def test_meets_the_same_rules(self, hr: SCIM) -> None:
        """Unique names, versions, and ids that exist."""
        hr.create("bert")
        path, body = f"/Users/{hr.create()['id']}", {"schemas": [USER_TYPE.schema.id]}
        assert hr("PUT", path, {**body, "userName": "BERT"}).status_code == 409
        assert hr("PUT", path, body).status_code == 400
        assert hr("PUT", path, {**body, "userName": "a"}, If_Match='W/"2"').status_code == 412
        assert hr("PUT", f"/Users/{NOBODY}", {**body, "userName": "a"}).status_code == 404


class TestActive:
    """Only a written true or false moves a user's state."""

    def test_absent_at_creation_is_active_and_unassigned(
        self, hr: SCIM, provider: Provider
    ) -> None:
        """The user may have a mobile ID, and the attribute is not invented."""
        made = hr.create()
        assert "active" not in made
        assert hr.found("active eq null") == [made["id"]]
        assert self._state(provider, made["id"]) is UserState.ACTIVE

    def test_removed_leaves_the_state(self, hr: SCIM, provider: Provider) -> None:
        """Removing is no decision; the next written true is one."""
        path = f"/Users/{hr.create(active=False)['id']}"
        answer = hr.patch(path, {"op": "remove", "path": "active"})
        assert answer.json is not None
        assert "active" not in answer.json
        assert self._state(provider, path.rpartition("/")[2]) is UserState.INACTIVE
        assert hr.put(path, "active", value=True).status_code == 200
        assert self._state(provider, path.rpartition("/")[2]) is UserState.ACTIVE

    def test_absent_from_a_put_leaves_the_state(self, hr: SCIM, provider: Provider) -> None:
        """An IdM that does not speak of it decides nothing; the attribute is unassigned."""
        made = hr.create(active=False)
        path = f"/Users/{made['id']}"
        answer = hr("PUT", path, {"schemas": made["schemas"], "userName": "anne"})
        assert answer.json is not None
        assert "active" not in answer.json
        assert hr.found("active eq null") == [made["id"]]
        assert self._state(provider, made["id"]) is UserState.INACTIVE

    def test_written_by_a_put_moves_the_state_and_the_mobile_id(
        self, hr: SCIM, provider: Provider
    ) -> None:
        """False suspends, true brings back, as in a PATCH, and both are audited."""
        made = hr.create()
        profile = provider.profile(made["id"], ProfileState.ACTIVE)
        path, body = f"/Users/{made['id']}", {"schemas": made["schemas"], "userName": "anne"}
        for active, user, mobile_id in (
            (False, UserState.INACTIVE, ProfileState.INACTIVE),
            (True, UserState.ACTIVE, ProfileState.INACTIVE),
        ):
            assert hr("PUT", path, {**body, "active": active}).status_code == 200
            assert self._state(provider, made["id"]) is user
            assert provider.state(profile.id) is mobile_id
        actions = [action for _, action in provider.audited()]
        assert actions.index("user.deactivate") < actions.index("user.activate")

    @staticmethod
    def _state(provider: Provider, user_id: str) -> UserState:
        with provider.units.reading() as unit:
            return unit.users.get(user_id).state


class TestUniqueness:
    """Kept by the database, so that it holds under a race."""

    def test_of_user_names_does_not_mind_case(self, hr: SCIM) -> None:
        """409 `uniqueness` names what is taken."""
        hr.create("Straße")
        answer = self._create(hr, "STRASSE")
        assert answer.status_code == 409
        assert answer.json is not None
        assert answer.json["scimType"] == "uniqueness"
        assert 'has the userName "STRASSE"; send another' in answer.json["detail"]

    def test_of_user_names_holds_for_changes(self, hr: SCIM) -> None:
        """A PATCH meets it, too, and leaves everything as it was."""
        hr.create("anne")
        other = hr.create("bert")
        answer = hr.put(f"/Users/{other['id']}", "userName", "ANNE")
        assert answer.status_code == 409
        assert hr("GET", f"/Users/{other['id']}").json == other

    def test_of_external_ids_is_among_one_clients_users(self, hr: SCIM, idm: SCIM) -> None:
        """Two clients may use the same one, and neither sees the other's."""
        made = hr.create("anne", externalId="7")
        other = hr.create("bert")
        answer = hr.put(f"/Users/{other['id']}", "externalId", "7")
        assert answer.status_code == 409
        assert answer.json is not None
        assert 'has the externalId "7"; send another' in answer.json["detail"]
        assert idm.put(f"/Users/{other['id']}", "externalId", "7").status_code == 200
        assert "externalId" not in hr("GET", f"/Users/{other['id']}").json  # type: ignore[operator]  # JSON, or the test fails
        assert hr.found('externalId eq "7"') == [made["id"]]
        assert idm.found('externalId eq "7"') == [other["id"]]

    def test_holds_under_a_race(self, provider: Provider) -> None:
        """Of two that create the same user at once, one gets 201 and the other 409."""
        start = threading.Barrier(2)
        answers: list[int] = []

        def create() -> None:
            client = provider.client()
            start.wait()
            answers.append(self._create(client, "anne").status_code)

        threads = [threading.Thread(target=create) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [201, 409]

    def test_lost_updates_do_not_happen(self, provider: Provider, hr: SCIM) -> None:
        """Two that change different attributes at once: both changes stand."""
        path = f"/Users/{hr.create()['id']}"
        start = threading.Barrier(2)

        def change(name: str) -> None:
            client = provider.client()
            start.wait()
            assert client.put(path, name, "x").status_code == 200

        threads = [threading.Thread(target=change, args=[name]) for name in ("title", "nickName")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        user = hr("GET", path).json
        assert user is not None
        assert (user["title"], user["nickName"], user["meta"]["version"]) == ("x", "x", 'W/"3"')

    @staticmethod
    def _create(client: SCIM, user_name: str) -> Any:
        schemas = ["urn:ietf:params:scim:schemas:core:2.0:User"]
        return client("POST", "/Users", {"schemas": schemas, "userName": user_name})


class TestFinding:
    """Filters, pages and counts are SQL."""

    @pytest.mark.parametrize(
        "text",
        [
            'userName eq "ANNE"',
            'externalId eq "4711"',
            'displayName eq "äNNE example"',
            "active eq true",
            'name.familyName eq "STRASSE"',
            'name.givenName eq "änne"',
            'emails eq "anne@HOME.example"',
            'emails.value eq "anne@example.org"',
            'meta.created eq "2026-11-22T13:00:00+01:00"',
            f'{ENTERPRISE}:employeeNumber eq "e-1"',
            f'{ENTERPRISE}:department eq "finance"',
            f'{OURS}:principalName eq "ANNE@corp.example.org"',
            'userName eq "anne" and (active eq true and emails eq "anne@home.example")',
        ],
    )
    def test_by_what_anne_has(self, hr: SCIM, text: str, later: StandingClock) -> None:
        """Anne is found and Bert is not."""
        anne = hr.create("Anne", **ANNE)
        later.now = later.now.replace(hour=13)
        hr.create("Bert", externalId="4712", active=False, emails=[{"value": "bert@example.org"}])
        later.now = later.now.replace(hour=12, second=0)
        assert anne["meta"]["created"] == "2026-11-22T12:00:01Z"
        text = text.replace("13:00:00+01:00", "13:00:01+01:00")
        assert hr.found(text) == [anne["id"]]
        assert hr.found(f'id eq "{anne["id"]}" and {text}') == [anne["id"]]

    @pytest.mark.parametrize(
        "text",
        [
            "active eq null",
            "externalId eq null",
            "emails eq null",
            "displayName eq null",
            f"{ENTERPRISE}:department eq null",
        ],
    )
    def test_by_what_bert_has_not(self, hr: SCIM, text: str) -> None:
        """An unassigned attribute equals null."""
        hr.create("Anne", **ANNE)
        bert = hr.create("Bert")
        assert hr.found(text) == [bert["id"]]

    @pytest.mark.parametrize(
        "text",
        ['userName eq "%"', 'userName eq ""', f'userName eq "{"x" * 2000}"', 'id eq "ANNE"'],
    )
    def test_nobody(self, hr: SCIM, text: str) -> None:
        """Wildcards mean nothing, and what no user can have finds nobody."""
        hr.create("Anne", **ANNE)
        assert hr.found(text) == []

    def test_by_all_that_anne_has_in_common_with_nobody(self, hr: SCIM) -> None:
        """Every operator, over columns, rows, extensions, and brackets that mean one address."""
        anne = hr.create("Anne", **ANNE)
        hr.create("Bert", emails=[{"value": "anne@example.org.bert", "type": "home"}])
        for text in (
            'userName sw "an" and userName ew "NE" and userName co "nn" and userName lt "b"',
            'emails[type eq "work" and value ew "example.ORG" and primary eq true]',
            'emails[type eq "home"].value sw "anne@home"',
            'name pr and not (emails[not (primary eq true) and type ne "home"])',
            f'{ENTERPRISE}:department co "nan" or {OURS}:principalName sw "nobody"',
            f'schemas eq "{ENTERPRISE}"',
            'meta.resourceType eq "User" and externalId sw "47" and externalId ne "47"',
            f'meta.location ew "{anne["id"]}" and meta.version eq "W/\\"1\\""',
        ):
            assert hr.found(text) == [anne["id"]], text

    def test_by_texts_longer_than_an_index_holds(self, hr: SCIM) -> None:
        """The whole text decides, not its beginning."""
        made = [hr.create(f"u{end}", nickName="x" * 1900 + end)["id"] for end in "ab"]
        assert hr.found(f'nickName eq "{"x" * 1900}b"') == [made[1]]
        assert hr.found(f'nickName gt "{"x" * 1900}a"') == [made[1]]
        assert hr.found(f'nickName ew "{"x" * 1000}A"') == [made[0]]
        assert set(hr.found(f'nickName sw "{"x" * 1000}"')) == set(made)

    @pytest.mark.parametrize(
        "step",
        [
            "({}) and title ne null",
            "not ({}) or title pr",
            "({} or title pr) and title pr",
            "title eq null and (title pr or ({}))",
            "title eq null and not (title pr or not ({}))",
            "title pr or ({0} and (title eq null or title pr))",
        ],
    )
    def test_as_deep_as_a_filter_may_be(self, hr: SCIM, step: str) -> None:
        """Neither database runs out of anything at the engine's own limits."""
        made = Resource(USER_TYPE, hr.create(emails=[{"value": "a@example.org"}]))
        deeper = 'emails[value co "a" and not (type eq "x" or (type eq "y" and value pr))]'
        text = ""
        with suppress(InvalidFilter):
            while parse(deeper, USER_TYPE):
                text, deeper = deeper, step.format(deeper)
        assert text.count("(") >= 30
        assert hr.found(text) == [made.values["id"]] * matches(parse(text, USER_TYPE), made)

    def test_by_something_unknown_is_refused(self, hr: SCIM) -> None:
        """400 `invalidFilter`, never a wrong 200."""
        answer = hr("GET", "/Users?filter=password%20eq%20null")
        assert answer.status_code == 400
        assert answer.json is not None
        assert answer.json["scimType"] == "invalidFilter"
        assert "User has no attribute" in answer.json["detail"]

    def test_pages_cover_everybody_once(self, hr: SCIM) -> None:
        """In a stable order, with the total on every page, the empty ones too."""
        made = {hr.create(f"user-{number}")["id"] for number in range(5)}
        seen: list[str] = []
        for start in (1, 3, 5, 7):
            page = hr("GET", f"/Users?startIndex={start}&count=2").json
            assert page is not None
            assert (page["totalResults"], page["startIndex"]) == (5, start)
            assert page["itemsPerPage"] == len(page["Resources"])
            seen += [each["id"] for each in page["Resources"]]
        assert len(seen) == 5
        assert set(seen) == made
        assert hr("GET", "/Users?count=0").json == {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": 5,
            "startIndex": 1,
            "itemsPerPage": 0,
            "Resources": [],
        }

    @pytest.mark.parametrize(
        ("searched", "index"),
        [
            ('userName eq "anne"', "ux_users_user_name_key"),
            ('userName sw "an"', "ux_users_user_name_key"),
            ('userName ew "ne"', "ix_user_values_value_key_reversed"),
            ('displayName sw "an"', "ix_users_display_name_key"),
            ('emails eq "anne@example.org"', "ix_user_values_value_key"),
            ('emails.value sw "anne@"', "ix_user_values_value_key"),
            ('emails.value ew "@example.org"', "ix_user_values_value_key_reversed"),
            ('emails[type eq "work" and value eq "a@b"]', "ix_user_values_value_key"),
            (f'{ENTERPRISE}:employeeNumber eq "7"', "ix_user_values_value_key"),
            ('groups.value eq "7"', "group_members"),
            ('externalId eq "7"', "external_ids"),
        ],
    )
    def test_goes_through_an_index(
        self, database: Database, hr: SCIM, searched: str, index: str
    ) -> None:
        """The plan begins with the value that is looked for, not with all users."""
        said: list[tuple[str, Any]] = []
        listener = (database.engine, "before_cursor_execute", _remember(said))
        event.listen(*listener)
        hr.found(searched)
        event.remove(*listener)
        statement, values = next(each for each in said if "FROM users" in each[0])
        explain = "EXPLAIN QUERY PLAN " if database.name == "sqlite" else "EXPLAIN "
        hr.create()
        with Transactions(database.engine).begin() as connection:
            if database.name == "postgresql":
                # Few users are read whole, or in their order, whatever is looked for among them.
                _crowd(connection)
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = str(connection.exec_driver_sql(explain + statement, values).all())
        assert index in plan
        assert "SCAN users" not in plan


def _crowd(connection: Connection) -> None:
    """Have many users of other names until the transaction ends, and let the planner know."""
    one = connection.execute(select(users)).mappings().one()
    many = range(1000)
    names = ("id", "user_name", "user_name_key", "display_name_key")
    more = [{**one, **{name: f"{name} {number}" for name in names}} for number in many]
    connection.execute(insert(users), more)
    connection.exec_driver_sql("ANALYZE users")


def _remember(said: list[tuple[str, Any]]) -> Callable[..., None]:
    return lambda _connection, _cursor, statement, values, *_: said.append((statement, values))
