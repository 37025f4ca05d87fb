"""Canaille 0.3.6, a real identity server, keeps its people and groups here in step with its own.

An administrator works in Canaille's pages. Canaille tells us before a page comes back, so what they
did is here then: over SCIM, as Canaille sees it, and in the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
import sqlalchemy as sa

from mobid.domain.users import UserState
from mobid.storage.tables import external_ids, users

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
    from tests.conformance.canaille.conftest import Canaille
    from tests.conformance.conftest import Site

ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PASSWORD: Final = "a password of hers"


class Here:
    """What is here of Canaille's: over SCIM with its own token, and in the database."""

    def __init__(self, connection: httpx2.Client, database: sa.Engine) -> None:
        self._connection = connection
        self._database = database

    def found(self, endpoint: str, canaille_id: str) -> dict[str, Any]:
        """Return the one resource that Canaille calls so."""
        asked = {"filter": f'externalId eq "{canaille_id}"'}
        (one,) = self._connection.get(endpoint, params=asked).raise_for_status().json()["Resources"]
        return dict(one)

    def status(self, endpoint: str, resource_id: str) -> int:
        """Return with what status a resource can be read."""
        return self._connection.get(f"{endpoint}/{resource_id}").status_code

    def row(self, user_id: str) -> sa.Row[Any]:
        """Return the row of a user, deleted or not."""
        with self._database.connect() as connection:
            return connection.execute(sa.select(users).where(users.c.id == user_id)).one()

    def known_to(self, client: str) -> list[str]:
        """Return the external ids that a client has given to users and groups."""
        asked = sa.select(external_ids.c.external_id).where(external_ids.c.client == client)
        with self._database.connect() as connection:
            return [*connection.execute(asked).scalars()]


@pytest.fixture(scope="session")
def here(canaille: Canaille, site: Site) -> Iterator[Here]:
    """What is here of Canaille's, as it sees it."""
    database = sa.create_engine(site.database_url)
    with site.connection(canaille.token) as connection:
        yield Here(connection, database)
    database.dispose()


class TestPeople:
    """They are here as they are there."""

    def test_are_created_changed_locked_and_deleted(self, canaille: Canaille, here: Here) -> None:
        """It is one and the same user, from the first page to the tombstone."""
        canaille_id = canaille.create(
            "doris",
            given_name="Döris",
            display_name="Döris E.",
            **{"phone_numbers-0": "+49 555-123456"},
            street="Hauptstraße 1",
            department="Finance",
            password1=PASSWORD,
            password2=PASSWORD,
        )
        created = here.found("/Users", canaille_id)
        _check_doris(created)
        row = here.row(created["id"])
        assert (row.state, row.email) == (UserState.ACTIVE, "doris@example.org")
        assert "pbkdf2" not in row.doc

        canaille.fill("/profile/doris", action="edit-profile", title="Dr.", department="Research")
        changed = here.found("/Users", canaille_id)
        assert (changed["id"], changed["title"]) == (created["id"], "Dr.")
        assert changed[ENTERPRISE]["department"] == "Research"
        assert here.row(created["id"]).version > row.version

        for action, is_active in (("lock-execute", False), ("unlock", True)):
            canaille.fill("/profile/doris/settings", action=action)
            assert here.found("/Users", canaille_id)["active"] is is_active
            state = UserState.ACTIVE if is_active else UserState.INACTIVE
            assert here.row(created["id"]).state is state

        canaille.fill("/profile/doris/settings", action="delete-execute")
        assert here.status("/Users", created["id"]) == 404
        assert here.row(created["id"]).state is UserState.DELETED
        assert canaille_id not in here.known_to("canaille")


class TestGroups:
    """Canaille sends a group whole, and asks for each of its members before."""

    def test_come_with_their_members(self, canaille: Canaille, here: Here) -> None:
        """Somebody is put into a group, and has it."""
        canaille_id = canaille.create("emil")
        canaille.fill("/groups/add", "creategroupform", display_name="staff")
        group_id = canaille.group_id("staff")
        assert here.found("/Groups", group_id)["displayName"] == "staff"
        canaille.fill("/profile/emil/settings", action="edit-settings", groups=group_id)
        emil = here.found("/Users", canaille_id)
        group = here.found("/Groups", group_id)
        assert emil["id"] in {one["value"] for one in group["members"]}
        assert [(one["value"], one["display"]) for one in emil["groups"]] == [
            (group["id"], "staff")
        ]


class TestStrictDiscovery:
    """Why there is the dialect `rfc7643`."""

    def test_is_refused_for_one_member(self, canaille: Canaille, here: Here, site: Site) -> None:
        """Canaille gives up a provider that tells of cursors (RFC 9865), and sends nobody."""
        token = site.token("strict-canaille")
        canaille.keep_in_step("strict-mobid", site.base_url, token)
        assert canaille.create("fritz") in here.known_to("canaille")
        assert "SCIM protocol not supported by client strict-mobid" in canaille.log
        assert here.known_to("strict-canaille") == []
        why = canaille.discovers(site.base_url, token)
        assert why.startswith("1 validation error for ServiceProviderConfig\npagination\n")


def _check_doris(doris: dict[str, Any]) -> None:
    """Compare with what was typed in."""
    assert (doris["userName"], doris["displayName"], doris["active"]) == ("doris", "Döris E.", True)
    assert (doris["name"]["givenName"], doris["name"]["familyName"]) == ("Döris", "Example")
    assert doris["emails"] == [{"value": "doris@example.org"}]
    assert doris["phoneNumbers"] == [{"value": "+49 555-123456"}]
    assert doris["addresses"][0]["streetAddress"] == "Hauptstraße 1"
    assert doris[ENTERPRISE]["department"] == "Finance"
