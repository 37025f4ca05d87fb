"""A conversation of an independent client library (scim2-client) with a real server.

The library knows our schemas from discovery alone, and checks every answer against them and the RFC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from scim2_models import SearchRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scim2_client.engines.httpx2 import SyncSCIMClient
    from tests.conformance.conftest import Site

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OURS = "urn:mobid:scim:schemas:extension:mobileid:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
PEOPLE = (
    ("anne", "Änne", "Finance"),
    ("bert", "Bert", "Sales"),
    ("carl", "Émile", "Finance"),
)


class IdentityManager:
    """An identity manager that keeps people and groups here in step with its own."""

    def __init__(self, client: SyncSCIMClient) -> None:
        self.client = client
        self.user, self.group, self.mobile_id = self._models()
        self.enterprise = self.user.get_extension_model(ENTERPRISE)
        self.ours = self.user.get_extension_model(OURS)

    def _models(self) -> list[Any]:
        return [self.client.get_resource_model(name) for name in ("User", "Group", "MobileID")]

    def sync(self, user_name: str, name: str, department: str) -> Any:
        """Create a person."""
        person = self.user(
            user_name=user_name,
            display_name=name,
            external_id=f"external-{user_name}",
            active=True,
            emails=[
                {"value": f"{user_name}@example.org", "type": "work", "primary": True},
                {"value": f"{user_name}@home.example", "type": "home"},
            ],
        )
        person[ENTERPRISE] = {"department": department}
        return self.client.create(person)

    def patch(self, thing: Any, *operations: dict[str, Any]) -> Any:
        """Change something by PATCH."""
        body = {"schemas": [PATCH_OP], "Operations": list(operations)}
        return self.client.modify(type(thing), thing.id, body)

    def found(self, model: Any, text: str, **more: Any) -> list[str]:
        """Search by POST; return the names in the order of the answer."""
        asked: dict[str, Any] = {"filter": text, **more}
        page: Any = self.client.search(model, SearchRequest(**asked))
        assert page.total_results == len(page.resources or [])
        return [getattr(one, "user_name", None) or one.display_name for one in page.resources or []]

    def read(self, thing: Any, **parameters: Any) -> Any:
        """Read a resource again."""
        return self.client.query(type(thing), thing.id, parameters or None)


@pytest.fixture(scope="session")
def manager(site: Site) -> Iterator[IdentityManager]:
    """A client that has read discovery."""
    with site.client("idm") as client:
        client.discover()
        yield IdentityManager(client)


@pytest.fixture
def people(manager: IdentityManager) -> Iterator[dict[str, Any]]:
    """Three people who were synchronized."""
    made = {name: manager.sync(name, shown, where) for name, shown, where in PEOPLE}
    yield made
    for name in manager.found(manager.user, "userName pr"):
        if name in made:
            manager.client.delete(manager.user, made[name].id)


class TestPeople:
    """Synchronized, changed, found, deactivated, deleted."""

    def test_are_read_as_they_were_synchronized(
        self, manager: IdentityManager, people: dict[str, Any]
    ) -> None:
        """What POST answered is what GET answers, and what was sent."""
        anne = manager.read(people["anne"])
        assert anne == people["anne"]
        assert (anne.external_id, anne.active) == ("external-anne", True)
        assert anne[manager.enterprise].department == "Finance"

    def test_are_replaced_by_put(self, manager: IdentityManager, people: dict[str, Any]) -> None:
        """What is left out is gone, and a PUT of what was read changes nothing."""
        anne = manager.read(people["anne"])
        assert manager.client.replace(anne).meta.version == anne.meta.version
        anne.display_name, anne.title, anne.emails = "Anne", "Dr.", None
        changed = manager.client.replace(anne)
        assert (changed.display_name, changed.title, changed.emails) == ("Anne", "Dr.", None)
        assert manager.read(anne) == changed
        assert manager.found(manager.user, 'emails.value sw "anne@"') == []

    def test_are_changed_by_patch(self, manager: IdentityManager, people: dict[str, Any]) -> None:
        """One value of several by a path with a filter, and an attribute of an extension."""
        changed = manager.patch(
            people["bert"],
            {"op": "replace", "path": 'emails[type eq "work"].value', "value": "b@new.example"},
            {"op": "replace", "path": f"{ENTERPRISE}:department", "value": "Finance"},
            {"op": "remove", "path": 'emails[type eq "home"]'},
        )
        assert [one.value for one in changed.emails] == ["b@new.example"]
        assert manager.found(
            manager.user, f'{ENTERPRISE}:department eq "finance"', sort_by="userName"
        ) == ["anne", "bert", "carl"]

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ('userName eq "ANNE"', ["anne"]),
            ('externalId eq "external-bert"', ["bert"]),
            ('emails[type eq "work" and value ew "@example.org"]', ["anne", "bert", "carl"]),
            ('emails[type eq "home" and value ew "@example.org"]', []),
            ('displayName co "ile" or displayName sw "b"', ["bert", "carl"]),
            ('not (userName eq "anne") and active eq true', ["bert", "carl"]),
            (f'{ENTERPRISE}:department eq "FINANCE"', ["anne", "carl"]),
            ('title pr or userName gt "bert"', ["carl"]),
        ],
    )
    def test_are_found_and_sorted(
        self, manager: IdentityManager, people: dict[str, Any], text: str, names: list[str]
    ) -> None:
        """By filters of every kind, in both directions."""
        mine = f'({text}) and externalId sw "external-"'
        assert len(people) == 3
        assert manager.found(manager.user, mine, sort_by="userName") == names
        other_way = SearchRequest.SortOrder.descending
        assert (
            manager.found(manager.user, mine, sort_by="userName", sort_order=other_way)
            == names[::-1]
        )

    def test_are_found_beside_groups(
        self, manager: IdentityManager, people: dict[str, Any]
    ) -> None:
        """A search of everything has both kinds."""
        group = manager.client.create(manager.group(display_name="Bert"))
        asked: Any = {"filter": 'displayName eq "bert"'}
        page: Any = manager.client.search(search_request=SearchRequest(**asked))
        assert {one.id for one in page.resources} == {people["bert"].id, group.id}
        manager.client.delete(group)

    def test_are_deactivated_and_deleted(
        self, manager: IdentityManager, people: dict[str, Any]
    ) -> None:
        """Deactivated they are there; deleted they are not, and their name is free."""
        anne = people["anne"]
        changed = manager.patch(anne, {"op": "replace", "path": "active", "value": False})
        assert changed.active is False
        assert manager.found(manager.user, 'active eq false and userName eq "anne"') == ["anne"]
        manager.client.delete(manager.user, anne.id)
        gone: Any = manager.client.query(manager.user, anne.id, raise_scim_errors=False)
        assert gone.status == 404
        people["anne"] = manager.sync("anne", "Änne", "Finance")
        assert people["anne"].id != anne.id


class TestGroups:
    """With members who come and go."""

    def test_live_with_their_members(
        self, manager: IdentityManager, people: dict[str, Any]
    ) -> None:
        """PUT, PATCH, the groups of a person, a person who leaves, and DELETE."""
        anne, bert = people["anne"], people["bert"]
        group = manager.client.create(
            manager.group(display_name="Staff", members=[{"value": anne.id}])
        )
        assert [(one.display, one.type) for one in manager.read(anne).groups] == [
            ("Staff", "direct")
        ]
        changed = manager.patch(
            group,
            {"op": "add", "path": "members", "value": [{"value": bert.id}]},
            {"op": "remove", "path": f'members[value eq "{anne.id}"]'},
        )
        assert [one.value for one in changed.members] == [bert.id]
        assert manager.found(manager.user, f'groups.value eq "{group.id}"') == ["bert"]
        assert manager.found(manager.group, f'members eq "{bert.id}"') == ["Staff"]
        changed.display_name = "Everybody"
        changed.members = [{"value": one.id} for one in people.values()]
        assert len(manager.client.replace(changed).members) == 3
        manager.client.delete(manager.user, bert.id)
        left = manager.read(group)
        assert {one.value for one in left.members} == {anne.id, people["carl"].id}
        manager.client.delete(left)
        assert manager.read(anne).groups is None


class TestMobileIDs:
    """Made by their owners, seen and locked by the identity manager."""

    def test_are_read_with_certificates_and_locked(
        self, manager: IdentityManager, people: dict[str, Any], site: Site
    ) -> None:
        """A real Get with a phone; the certificates are those of the person, and Lock revokes them."""
        anne = people["anne"]
        mobile_id = site.get_mobile_id(anne.id)
        read: Any = manager.client.query(
            manager.mobile_id,
            mobile_id,
            {"attributes": ["user", "state", "active", "certificates", "certificates.value"]},
        )
        assert (read.active, read.state, read.user.value) == (True, "active", anne.id)
        for one in read.certificates:
            certificate = x509.load_der_x509_certificate(one.value)
            assert format(certificate.serial_number, "x") == one.serial
            assert (one.status, one.ca_status) == ("valid", "valid")
        named = manager.read(anne, attributes=[f"{OURS}:mobileIds"])
        assert [(one.value, one.state) for one in named[manager.ours].mobile_ids] == [
            (mobile_id, "active")
        ]
        assert manager.found(manager.user, f'{OURS}:mobileIds[state eq "active"]') == ["anne"]
        locked = manager.patch(read, {"op": "replace", "path": "active", "value": False})
        assert (locked.active, locked.state in {"locking", "locked"}) == (False, True)
