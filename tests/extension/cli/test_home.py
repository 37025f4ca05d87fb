"""`mobid init`, and what commands say of a home that they cannot work on."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


class Mobid(Protocol):
    """What the fixtures give."""

    home: Path

    def __call__(self, *words: str) -> Result:
        """Run the command."""


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


class TestInit:
    def test_everything_private_is_for_its_owner_only(self, mobid: Mobid) -> None:
        """Nobody else on the machine can read a key, the settings or the home at all."""
        keys = sorted((mobid.home / "keys").iterdir())

        assert {"audit.key", "ca.key", "enrolment.key", "session.key"} <= {key.name for key in keys}
        assert {mode(key) for key in keys} == {0o600}
        assert mode(mobid.home) == mode(mobid.home / "keys") == 0o700
        assert mode(mobid.home / "mobid.toml") == mode(mobid.home / "mobid.db") == 0o600

    def test_it_can_be_repeated(self, mobid: Mobid) -> None:
        """A second init keeps every key: certificates that exist go on being the CA's."""
        before = {key.name: key.read_bytes() for key in (mobid.home / "keys").iterdir()}

        assert mobid("init").exit_code == 0

        after = {key.name: key.read_bytes() for key in (mobid.home / "keys").iterdir()}
        assert after == before

    def test_a_directory_in_use_is_left_alone(self, nowhere: Mobid) -> None:
        """Files of somebody else are named, and nothing is written."""
        nowhere.home.mkdir()
        (nowhere.home / "thesis.txt").write_text("mine")

        done = nowhere("init")

        assert done.exit_code == 1
        assert 'it holds "thesis.txt" already' in done.output
        assert [file.name for file in nowhere.home.iterdir()] == ["thesis.txt"]


class TestWithoutHome:
    @pytest.mark.parametrize(
        "command",
        [
            ("serve",),
            ("worker",),
            ("migrate",),
            ("token", "list"),
            ("frontend", "list"),
            ("scripts", "list"),
            ("ca", "show"),
            ("effects", "list"),
            ("audit", "verify"),
        ],
    )
    def test_every_command_names_the_remedy(self, nowhere: Mobid, command: tuple[str, ...]) -> None:
        """Without a home a command says where it looked and how to make one."""
        done = nowhere(*command)

        assert done.exit_code == 2
        assert "is no home of mobid. Make one with: mobid --home" in done.output.replace("\n", " ")

    def test_a_wrong_setting_is_named_with_what_is_right(self, mobid: Mobid) -> None:
        """All faults of the settings are told together."""
        with (mobid.home / "mobid.toml").open("a") as file:
            file.write('listen_port = "many"\npublik_url = "https://x.example"\n')

        done = mobid("token", "list")

        assert done.exit_code == 2
        assert "listen_port" in done.output
        assert "public_url" in done.output

    def test_a_key_that_others_can_read_stops_everything(self, mobid: Mobid) -> None:
        """A loose key file is named with its mode and the remedy."""
        key = mobid.home / "keys" / "enrolment.key"
        key.chmod(0o644)

        done = mobid("token", "list")

        assert done.exit_code == 1
        assert "enrolment.key" in done.output
        assert "chmod" in done.output
