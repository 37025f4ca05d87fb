"""`mobid config`: all faults at once, what holds and where it comes from, and what there is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from click.testing import Result

PASSWORD = "correct-horse"


class Mobid(Protocol):
    """What the fixture gives."""

    home: Path

    def __call__(self, *words: str) -> Result:
        """Run the command."""

    def json(self, *words: str) -> Any:
        """Run it, and return what it answered."""


def say(mobid: Mobid, toml: str) -> None:
    """Put settings into the home's file."""
    (mobid.home / "mobid.toml").write_text(toml, encoding="utf-8")


class TestCheck:
    def test_a_fresh_home_can_be_used(self, mobid: Mobid) -> None:
        """What `init` makes has no fault."""
        assert mobid("config", "check").output == "The settings can be used.\n"
        assert mobid.json("config", "check") == {"ok": True, "faults": []}

    def test_every_fault_is_told_with_its_source(
        self, mobid: Mobid, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those of the file, of the environment, and of the CA's own table, in one go."""
        say(
            mobid,
            'listen_prot = 80\n[authority_settings]\nkinds = []\ncrl_hour = 5\n[mail]\nhost = "m"\n',
        )
        monkeypatch.setenv("MOBID_MAX_CODES", "many")

        done = mobid("config", "check", "-o", "json")

        assert done.exit_code == 1
        answer = json.loads(done.stdout)
        assert answer["ok"] is False
        assert [(one["setting"], one["source"]) for one in answer["faults"]] == [
            ("listen_prot", "mobid.toml"),
            ("max_codes", "MOBID_MAX_CODES"),
            ("mail.sender", "absent"),
            ("authority_settings", "mobid.toml"),
            ("authority_settings", "mobid.toml"),
        ]
        assert 'did you mean "listen_port"?' in answer["faults"][0]["problem"]
        assert answer["faults"][3]["problem"].startswith('"crl_hour" is no setting of the built-in')
        assert mobid("config", "check").output.startswith("5 settings are not usable:\n")

    def test_a_connector_that_is_not_installed_is_a_fault(self, mobid: Mobid) -> None:
        """The names that are there are told."""
        say(mobid, 'authority = "buildin"\n')

        done = mobid("config", "check")

        assert done.exit_code == 1
        told = 'authority (mobid.toml): There is no CA connector "buildin"; installed are: '
        assert told in done.output

    def test_a_process_of_its_own_says_the_same(self, mobid: Mobid) -> None:
        """As it runs in a deployment: exit code 1, and all of it on stdout."""
        environ = os.environ | {"MOBID_HOME": str(mobid.home), "MOBID_LISTEN_PORT": "0"}

        done = subprocess.run(
            [sys.executable, "-m", "mobid.cli", "config", "check"],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

        assert (done.returncode, done.stderr) == (1, "")
        assert "listen_port (MOBID_LISTEN_PORT)" in done.stdout


class TestShow:
    def test_each_setting_has_its_source(
        self, mobid: Mobid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Default, file, variable and secret file are told apart; a secret is not shown."""
        secret = tmp_path / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        say(
            mobid,
            'max_codes = 3\n[authority_settings]\ncrl_hours = 12\n[mail]\nhost = "mail.example.org"\n'
            f'sender = "mobid@example.org"\nusername = "mobid"\npassword_file = "{secret}"\n',
        )
        monkeypatch.setenv("MOBID_TIMES_CA", "5m")

        shown = {one.pop("name"): one for one in mobid.json("config", "show")}

        assert shown["max_codes"] == {"value": "3", "origin": "file", "source": "mobid.toml"}
        assert shown["times.ca"] == {
            "value": "5m",
            "origin": "variable",
            "source": "MOBID_TIMES_CA",
        }
        assert shown["times.approve"] == {"value": "10m", "origin": "default", "source": ""}
        assert shown["mail.password"] == {
            "value": "***",
            "origin": "secret file",
            "source": "mobid.toml",
        }
        assert shown["authority_settings"]["value"] == "***"
        assert shown["database_url"]["value"] == "mobid.db in the home"
        assert shown["public_url"]["value"] == "http://127.0.0.1:8080"
        text = mobid("config", "show").output
        assert "times.ca = 5m  (variable: MOBID_TIMES_CA)\n" in text
        assert PASSWORD not in text

    def test_without_a_mail_server_there_is_none(self, mobid: Mobid) -> None:
        """What is not set up says so, and what would hold otherwise."""
        shown = {one["name"]: one["value"] for one in mobid.json("config", "show")}

        assert (shown["mail.host"], shown["mail.port"]) == ("none", "587")

    def test_settings_that_cannot_be_used_are_not_shown(self, mobid: Mobid) -> None:
        """All faults are told instead."""
        say(mobid, "max_codes = 0\ndemo = 1\n")

        done = mobid("config", "show")

        assert done.exit_code == 2
        assert "2 settings are not usable:" in done.output


class TestDocs:
    def test_every_setting_is_listed(self, nowhere: Mobid) -> None:
        """No home is needed to read what can be set."""
        listed = {one["name"]: one for one in nowhere.json("config", "docs")}

        assert listed["mail.port"]["variable"] == "MOBID_MAIL_PORT"
        assert listed["mail.port"]["otherwise"] == "587"
        assert listed["mail.host"]["required"] is True
        assert listed["mail.password"]["secret"] is True
        assert (
            "| `listen_port` | The port it listens on. | 8080 |" in nowhere("config", "docs").output
        )
