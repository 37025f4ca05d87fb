"""`mobid init`, and what commands say of a home that they cannot work on."""

from __future__ import annotations

import socket
import stat
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import pytest
from click.testing import CliRunner

from mobid.cli import main

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

    @pytest.mark.parametrize("name", ["what?", "two\nlines"])
    def test_a_path_that_no_database_can_have_is_refused_at_once(
        self, tmp_path: Path, name: str
    ) -> None:
        """The remedy is told before there is a directory of that name."""
        done = CliRunner().invoke(main, ["--home", str(tmp_path / name), "init"])

        assert done.exit_code == 1
        assert "a database URL cannot hold this path" in done.output
        assert list(tmp_path.iterdir()) == []


class TestServe:
    def test_a_port_in_use_is_named_with_its_setting(self, mobid: Mobid) -> None:
        """Whoever has the port already, it is told what to change."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with (mobid.home / "mobid.toml").open("a") as file:
                file.write(f"listen_port = {port}\n")

            done = mobid("serve", "--no-jobs")

        assert done.exit_code == 1
        assert f"127.0.0.1:{port} cannot be used (Address already in use)" in done.output
        assert "listen_port" in done.output

    def test_a_home_that_cannot_be_written_is_told_by_the_file(self, mobid: Mobid) -> None:
        """Permissions and full disks are a person's to mend, so they are told in a line."""
        (mobid.home / "server.lock").mkdir()

        done = mobid("serve")

        assert done.exit_code == 1
        assert f'"{mobid.home / "server.lock"}" cannot be used (Is a directory)' in done.output


class TestVersion:
    def test_it_is_told(self, nowhere: Mobid) -> None:
        """What to name when asking for help; no home is needed for it."""
        assert nowhere("--version").output == f"mobid {version('mobid')}\n"


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
