"""`mobid token` and `mobid frontend`: who may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mobid_scim.dialects import DIALECTS

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


class Mobid(Protocol):
    """What the fixture gives."""

    home: Path

    def __call__(self, *words: str) -> Result:
        """Run the command."""

    def json(self, *words: str) -> Any:
        """Run it, and return what it answered."""


class TestToken:
    def test_a_token_is_shown_once(self, mobid: Mobid) -> None:
        """What was made is printed; the list has no secret in it, and neither has the database."""
        made = mobid.json("token", "create", "--client", "hr", "--scope", "scim:read")
        secret = made["token"].split("_", 3)[3]

        listed = mobid("token", "list").output

        assert "hr" in listed
        assert secret not in listed
        assert secret.encode() not in (mobid.home / "mobid.db").read_bytes()

    def test_a_revoked_one_is_said_to_be(self, mobid: Mobid) -> None:
        """The list tells which tokens are good."""
        made = mobid.json("token", "create", "--client", "hr", "--scope", "scim:read")

        assert mobid("token", "revoke", made["id"]).exit_code == 0

        (listed,) = mobid.json("token", "list")
        assert listed["revoked"] is True

    def test_a_token_may_be_for_a_client_that_speaks_otherwise(self, mobid: Mobid) -> None:
        """The list tells; an unknown dialect is refused with those that there are."""
        create = ("token", "create", "--client", "entra", "--scope", "scim:read", "--dialect")
        assert mobid.json(*create, "entra")["dialect"] == "entra"
        assert "speaks entra" in mobid("token", "list").output
        assert [one["dialect"] for one in mobid.json("token", "list")] == ["entra"]
        refused = mobid(*create, "klingon")
        assert refused.exit_code == 2
        assert all(f"'{name}'" in refused.output for name in DIALECTS)

    def test_scopes_of_two_audiences_make_no_token(self, mobid: Mobid) -> None:
        """A token is for SCIM or for administrators; the message names the scope that does not fit."""
        done = mobid(
            "token", "create", "--client", "hr", "--scope", "scim:read", "--scope", "admin:read"
        )

        assert done.exit_code == 1
        assert "admin:read" in done.output

    @pytest.mark.parametrize("days", ["900", "0", "1000000000", "99999999999999999999"])
    def test_a_life_of_years_is_refused(self, mobid: Mobid, days: str) -> None:
        """The longest life is named, and so it is for numbers that no calendar has."""
        done = mobid("token", "create", "--client", "hr", "--scope", "scim:read", "--days", days)

        assert done.exit_code == 2
        assert "365" in done.output

    def test_an_unknown_token_cannot_be_revoked(self, mobid: Mobid) -> None:
        """A typing error is told, not swallowed."""
        done = mobid("token", "revoke", "nosuch")

        assert done.exit_code == 1
        assert 'There is no token "nosuch"' in done.output


class TestFrontend:
    def test_a_public_key_makes_a_front_end(self, mobid: Mobid, tmp_path: Path) -> None:
        """EC P-256 and Ed25519 are both taken."""
        for name, key in (
            ("portal", ec.generate_private_key(ec.SECP256R1()).public_key()),
            ("kiosk", ed25519.Ed25519PrivateKey.generate().public_key()),
        ):
            file = tmp_path / f"{name}.pem"
            file.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
            assert mobid("frontend", "add", name, "--public-key", str(file)).exit_code == 0

        names = [one["name"] for one in mobid.json("frontend", "list")]

        assert sorted(names) == ["kiosk", "portal"]

    def test_what_is_no_public_key_is_refused(self, mobid: Mobid, tmp_path: Path) -> None:
        """The message says what would be right, and does not show the file."""
        file = tmp_path / "key.pem"
        file.write_text("-----BEGIN NONSENSE-----")

        done = mobid("frontend", "add", "portal", "--public-key", str(file))

        assert done.exit_code == 1
        assert "public key" in done.output
        assert "NONSENSE" not in done.output
