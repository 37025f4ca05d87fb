"""Users whom a client has deleted with too many others, and whom an operator brings back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mobid.config import Guard
from mobid.domain.actors import Actor, ActorKind
from mobid.domain.mobile_ids import ProfileState
from mobid.processes.care import Care
from mobid.processes.mass_changes import MassChangeGuard

if TYPE_CHECKING:
    from tests.extension.provisioning.conftest import SCIM, Provider

OLGA = Actor(ActorKind.OPERATOR, "olga")
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


@pytest.fixture
def guard() -> MassChangeGuard:
    """One deletion is one too many."""
    return MassChangeGuard(Guard(deletions=0, percent=0))


class TestRestored:
    """As if nothing had happened, but for the version."""

    def test_everything_is_as_before(self, hr: SCIM, provider: Provider) -> None:
        """Names, identifiers, what it is found by, groups, and the mobile ID."""
        user = hr.create("anne", externalId="7", emails=[{"value": "anne@example.org"}])
        kept, gone = (self.group(hr, name, user["id"]) for name in ("Kept", "Gone"))
        profile = provider.profile(user["id"], ProfileState.ACTIVE, holdable=False)
        path = f"/Users/{user['id']}"
        before: Any = hr("GET", path).json
        assert hr("DELETE", path).status_code == 204
        assert hr("GET", path).status_code == 404
        assert hr.found('externalId eq "7"') == []
        assert provider.state(profile.id) is ProfileState.INACTIVE
        hr("DELETE", f"/Groups/{gone}")
        version = self.version_of(hr, kept)

        Care(provider.units, self.settlement(provider)).restore(profile.id, by=OLGA)

        after: Any = hr("GET", path).json
        assert {one["value"] for one in before.pop("groups")} == {kept, gone}
        assert [one["value"] for one in after.pop("groups")] == [kept]
        for one in (before, after):
            del one["meta"]
        assert after == before
        assert hr.found('externalId eq "7"') == [user["id"]]
        assert hr.found('emails.value eq "anne@example.org"') == [user["id"]]
        assert provider.state(profile.id) is ProfileState.ACTIVE
        assert self.version_of(hr, kept) > version

    @staticmethod
    def group(hr: SCIM, name: str, member: str) -> str:
        """Create a group, and return its id."""
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": member}]}
        made = hr("POST", "/Groups", body)
        assert made.status_code == 201, made.text
        assert made.json is not None
        return str(made.json["id"])

    @staticmethod
    def version_of(hr: SCIM, group_id: str) -> str:
        """Return the version of a group."""
        shown: Any = hr("GET", f"/Groups/{group_id}").json
        return str(shown["meta"]["version"])

    @staticmethod
    def settlement(provider: Provider) -> Any:
        """Return what moves mobile IDs on."""
        return provider.repository("User").parts.settlement
