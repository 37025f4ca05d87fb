"""`mobid mobile-ids` and `mobid ca declare-gone`: what an operator does from a shell, and what is told."""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from mobid.app import Product, create_app
from mobid.config import load
from mobid.domain.certificates import CAState, Certificate, Wanted
from mobid.domain.mobile_ids import Device, MobileID, ProfileState
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

USER = "urn:ietf:params:scim:schemas:core:2.0:User"


class Mobid(Protocol):
    """What the fixture gives."""

    home: Path

    def __call__(self, *words: str) -> Result:
        """Run the command."""

    def json(self, *words: str) -> Any:
        """Run it, and return what it answered."""


class IdM:
    """An identity manager, for which one deletion is one too many; and mobile IDs of its users."""

    def __init__(self, product: Product, token: str) -> None:
        self._product = product
        self._http = create_app(product).test_client()
        self._headers = {"Authorization": f"Bearer {token}"}

    def joins(self, name: str, ca: str = "elsewhere") -> str:
        """Create a user who has an active mobile ID, of a CA that cannot hold; return its id."""
        user = self.asks("POST", "/Users", {"schemas": [USER], "userName": name})
        with self._product.units() as unit:
            profile = MobileID(
                id=f"m-{name}",
                user_id=user["id"],
                state=ProfileState.ACTIVE,
                profile_name=f"MobileID {name}",
                server_name="Mobile ID",
                user_label=name,
                created_at=unit.now,
                changed_at=unit.now,
                valid_from=unit.now,
                valid_to=unit.now + timedelta(days=730),
                device=Device(name="Pixel"),
            )
            unit.add(profile, certificate_of(profile, ca))
            unit.commit()
        return profile.id

    def deletes(self, mobile_id: str) -> None:
        """Delete a user."""
        with self._product.units.reading() as unit:
            user_id = unit.mobile_ids.get(mobile_id).user_id
        self.asks("DELETE", f"/Users/{user_id}")

    def locks(self, mobile_id: str) -> None:
        """Lock a mobile ID."""
        self.asks("DELETE", f"/MobileIDs/{mobile_id}")

    def asks(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that succeeds."""
        answer = self._http.open(f"/scim/v2{path}", method=method, json=body, headers=self._headers)
        assert answer.status_code in {200, 201, 204}, answer.text
        return answer.json


@pytest.fixture
def idm(mobid: Mobid) -> Iterator[IdM]:
    """One that calls the same home."""
    with (mobid.home / "mobid.toml").open("a") as settings:
        settings.write("\n[guard]\ndeletions = 0\npercent = 0\n")
    scopes = ["--scope", "scim:read", "--scope", "scim:write", "--scope", "mobile-ids:write"]
    made = mobid.json("token", "create", "--client", "hr", *scopes)
    with Product(load(mobid.home, os.environ)) as product:
        yield IdM(product, made["token"])


def certificate_of(profile: MobileID, ca: str) -> Certificate:
    """Return a certificate that its CA calls valid."""
    digest = hashlib.sha256(profile.id.encode())
    return Certificate(
        id=f"c-{profile.id}",
        mobile_id=profile.id,
        kind=Kind.AUTHENTICATION,
        ca=ca,
        csr=b"csr",
        key_hash=digest.digest(),
        subject=b"subject",
        san="",
        not_before=profile.created_at,
        not_after=profile.created_at + timedelta(days=730),
        profile_hash="profile",
        ordered_at=profile.created_at,
        wanted=Wanted.VALID,
        ca_state=CAState.VALID,
        der=b"der",
        holdable=False,
        serial=digest.hexdigest()[:16],
    )


class TestHolds:
    """An operator's hold, from its beginning to its end."""

    def test_comes_with_a_reason_and_goes(self, mobid: Mobid, idm: IdM) -> None:
        """And is shown with who placed it, and what the CA says meanwhile."""
        mobile_id = idm.joins("anne")

        held = mobid.json("mobile-ids", "hold", mobile_id, "--reason", "Left in a taxi")

        assert held["state"] == "inactive"
        ((hold,), (certificate,)) = held["holds"], held["certificates"]
        assert (hold["hold"], hold["why"]) == ("operator", "Left in a taxi")
        assert hold["placed_by"].startswith("operator:cli:")
        assert (certificate["wanted"], certificate["ca_state"]) == ("held", "valid")
        assert certificate["settled"] is True
        still_valid = "still valid in the CA elsewhere, which cannot suspend certificates"
        assert still_valid in certificate["standing"]
        assert mobid.json("mobile-ids", "show", mobile_id) == held
        shown = mobid("mobile-ids", "show", mobile_id).output
        assert "m-anne is inactive; MobileID anne of anne, who is active." in shown
        assert "Left in a taxi" in shown
        assert still_valid in shown
        assert mobid.json("mobile-ids", "lift", mobile_id)["state"] == "active"

    def test_needs_the_reason(self, mobid: Mobid, idm: IdM) -> None:
        """The command does not begin without one."""
        mobile_id = idm.joins("anne")
        assert mobid("mobile-ids", "hold", mobile_id).exit_code == 2
        done = mobid("mobile-ids", "hold", mobile_id, "--reason", " ")
        assert done.exit_code == 1
        assert 'Input "reason" must say why' in done.output

    def test_tells_id_state_and_remedy(self, mobid: Mobid, idm: IdM) -> None:
        """What cannot be done says what stands in the way."""
        mobile_id = idm.joins("anne")
        assert 'There is no mobile ID "m-404" here.' in mobid("mobile-ids", "show", "m-404").output
        lift = mobid("mobile-ids", "lift", mobile_id)
        assert (lift.exit_code, "m-anne is active and has no hold operator" in lift.output) == (
            1,
            True,
        )
        idm.locks(mobile_id)
        done = mobid("mobile-ids", "hold", mobile_id, "--reason", "Lost")
        assert "Mobile ID m-anne is locking; hold is for an active or inactive one." in done.output

    def test_are_listed(self, mobid: Mobid, idm: IdM) -> None:
        """All, by state, and by hold."""
        assert mobid("mobile-ids", "list").output.strip() == "There is no mobile ID."
        ids = [idm.joins("anne"), idm.joins("bert")]
        mobid("mobile-ids", "hold", ids[0], "--reason", "Lost")

        assert {one["id"] for one in mobid.json("mobile-ids", "list")} == set(ids)
        (held,) = mobid.json("mobile-ids", "list", "--hold", "operator")
        (free,) = mobid.json("mobile-ids", "list", "--state", "active")
        assert (held["id"], free["id"]) == (ids[0], ids[1])
        assert "m-anne  inactive  anne  held: operator" in mobid("mobile-ids", "list").output


class TestMassChange:
    """Deletions that an operator has to decide about."""

    def test_are_restored_by_client(self, mobid: Mobid, idm: IdM) -> None:
        """All that one client has deleted too much."""
        ids = [idm.joins("anne"), idm.joins("bert")]
        for mobile_id in ids:
            idm.deletes(mobile_id)
        shown = mobid("mobile-ids", "show", ids[0]).output
        assert "m-anne is inactive; MobileID anne of anne, who is deleted." in shown
        assert "hold mass_change: placed by scim_client:hr" in shown

        restored = mobid.json("mobile-ids", "restore", "--client", "hr")

        assert restored["refused"] == {}
        assert {one["id"]: one["state"] for one in restored["done"]} == dict.fromkeys(ids, "active")
        assert {one["userName"] for one in idm.asks("GET", "/Users")["Resources"]} == {
            "anne",
            "bert",
        }

    def test_are_released_by_id(self, mobid: Mobid, idm: IdM) -> None:
        """One by one; what is not held is refused, and the others are done."""
        ids = [idm.joins("anne"), idm.joins("bert")]
        idm.deletes(ids[0])

        done = mobid("mobile-ids", "release", *ids)

        assert done.exit_code == 1
        assert "m-anne is locking." in done.output
        assert "Mobile ID m-bert is active and has no hold mass_change to lift" in done.output
        assert mobid.json("mobile-ids", "show", ids[1])["state"] == "active"

    def test_a_name_that_is_taken_is_told(self, mobid: Mobid, idm: IdM) -> None:
        """And nothing of that user is changed."""
        mobile_id = idm.joins("anne")
        idm.deletes(mobile_id)
        idm.asks("POST", "/Users", {"schemas": [USER], "userName": "ANNE"})

        done = mobid("mobile-ids", "restore", "--client", "hr")

        assert done.exit_code == 1
        assert 'has the userName "anne" now; rename or delete that one first' in done.output
        assert mobid.json("mobile-ids", "show", mobile_id)["holds"][0]["hold"] == "mass_change"

    @pytest.mark.parametrize("words", [(), ("--client", "hr", "m-anne")])
    def test_are_named_in_one_way(self, mobid: Mobid, idm: IdM, words: tuple[str, ...]) -> None:
        """By client or by id."""
        idm.joins("anne")
        done = mobid("mobile-ids", "release", *words)
        assert done.exit_code == 2
        assert "Name mobile IDs, or a client with --client" in done.output

    def test_of_a_client_that_has_none(self, mobid: Mobid) -> None:
        """Is no error."""
        done = mobid("mobile-ids", "release", "--client", "hr")
        assert (done.exit_code, done.output.strip()) == (0, "There was nothing to do.")


class TestCAGone:
    """A CA that will never confirm."""

    def test_is_declared_in_so_many_words(self, mobid: Mobid, idm: IdM) -> None:
        """First what it means, then with --yes."""
        mobile_id = idm.joins("anne")
        idm.locks(mobile_id)
        assert mobid.json("mobile-ids", "show", mobile_id)["state"] == "locking"

        asked = mobid("ca", "declare-gone", "elsewhere")
        assert asked.exit_code == 1
        assert '1 revocations wait for the CA "elsewhere".' in asked.output
        assert "never be confirmed by it" in asked.output
        assert mobid.json("mobile-ids", "show", mobile_id)["state"] == "locking"

        done = mobid.json("ca", "declare-gone", "elsewhere", "--yes")

        assert done == {"ca": "elsewhere", "given_up": 1, "confirmed_by_the_ca": False}
        shown = mobid.json("mobile-ids", "show", mobile_id)
        assert shown["state"] == "locked"
        (certificate,) = shown["certificates"]
        assert (certificate["wanted"], certificate["ca_state"]) == ("revoked", "valid")
        assert "not confirmed by the CA elsewhere, which last said valid" in certificate["standing"]

    def test_one_that_answers_is_not_gone(self, mobid: Mobid) -> None:
        """It is told of every revocation until it confirms."""
        done = mobid("ca", "declare-gone", "builtin", "--yes")
        assert done.exit_code == 1
        assert 'The CA "builtin" answers, so it is not gone.' in done.output

    def test_an_unknown_one_is_named(self, mobid: Mobid) -> None:
        """Nothing waits for it."""
        done = mobid("ca", "declare-gone", "elsewhere", "--yes")
        assert done.exit_code == 1
        assert 'There is no CA with revocations to confirm "elsewhere" here.' in done.output
