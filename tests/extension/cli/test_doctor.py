"""`mobid doctor`: one table of everything, and an exit code for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result
    from tests.conftest import Database


class Mobid(Protocol):
    """What the fixture gives."""

    home: Path

    def __call__(self, *words: str) -> Result:
        """Run the command."""

    def json(self, *words: str) -> Any:
        """Run it, and return what it answered."""


def findings(done: Result) -> dict[str, Any]:
    """Return what was found, by name."""
    return {one["name"]: one for one in json.loads(done.stdout)["findings"]}


def test_a_fresh_home_is_well(mobid: Mobid) -> None:
    """A process of its own, as a service engineer runs it: nothing has failed."""
    done = subprocess.run(
        [sys.executable, "-m", "mobid.cli", "--home", str(mobid.home), "doctor", "-o", "json"],
        env=os.environ | {"HTTPS_PROXY": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    found = {one["name"]: one["health"] for one in answer["findings"]}
    assert {
        "settings", "home", "key audit.key", "disk", "time", "public URL", "mail", "database",
        "durability", "schema", "CA", "CA certificate", "CA answers", "sandbox", "sandbox seccomp",
        "dead letters", "revocations",
    } <= found.keys()  # fmt: skip
    assert "failed" not in found.values()


def test_the_table_has_a_remedy_where_one_is_needed(mobid: Mobid) -> None:
    """A loose key is told with its mode, and the exit code says that something failed."""
    (mobid.home / "keys" / "session.key").chmod(0o644)

    done = mobid("doctor")

    assert done.exit_code == 1
    assert "failed   key session.key" in done.output
    assert "has mode 0644" in done.output
    assert "ok       settings" in done.output
    assert "failed   start" in done.output


def test_faults_of_the_settings_come_first(mobid: Mobid) -> None:
    """What stands on them is not looked at."""
    (mobid.home / "mobid.toml").write_text("max_codes = 0\n[authority_settings]\nkinds = []\n")

    done = mobid("doctor", "-o", "json")

    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert [(one["name"], one["health"]) for one in answer["findings"]] == [
        ("settings", "failed"),
        ("settings", "failed"),
    ]


def test_a_database_that_is_gone_hides_nothing_else(mobid: Mobid) -> None:
    """Home and machine are looked at all the same."""
    (mobid.home / "mobid.db").unlink()

    found = findings(mobid("doctor", "-o", "json"))

    assert found["database"]["health"] == "failed"
    assert found["home"]["health"] == "ok"
    assert "CA" not in found
    assert not (mobid.home / "mobid.db").exists()


@pytest.mark.parametrize("name", ["ca.key", "ca.pem"])
def test_a_ca_without_its_files_is_found(mobid: Mobid, name: str) -> None:
    """No server would start; the file is named."""
    (mobid.home / "keys" / name).unlink()

    done = mobid("doctor", "-o", "json")

    assert done.exit_code == 1
    assert f"{name} is missing" in findings(done)["start"]["seen"]


def test_a_postgresql_is_looked_at_as_well(
    nowhere: Mobid, fresh_postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server of the tests may lose what it acknowledged, and that is found; the rest is well."""
    monkeypatch.setenv("MOBID_DATABASE_URL", fresh_postgresql.url)
    assert nowhere("init").exit_code == 0

    done = nowhere("doctor", "-o", "json")

    assert done.exit_code == 1
    found = findings(done)
    assert [name for name, one in found.items() if one["health"] == "failed"] == ["durability"]
    assert found["database"]["seen"].startswith("PostgreSQL ")
    assert found["clocks"]["health"] == found["CA"]["health"] == "ok"
    assert fresh_postgresql.url not in done.stdout
