"""`mobid demo`: where it keeps what it makes, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

START_TIMEOUT = 60.0


class Mobid(Protocol):
    """What the fixture gives."""

    home: Path

    def __call__(self, *words: str) -> Result:
        """Run the command."""


def test_a_home_in_the_wrong_place_is_not_overlooked(nowhere: Mobid) -> None:
    """Who names a home before the word demo is told to name it after; nothing is thrown away."""
    done = nowhere("demo", "--port", "0")

    assert done.exit_code == 2
    assert f"mobid demo --home {nowhere.home}" in done.output


@pytest.mark.parametrize("variable", ["MOBID_DATABASE_URL", "MOBID_DATABASE_URL_FILE"])
def test_a_demo_that_is_thrown_away_has_its_own_database(
    monkeypatch: pytest.MonkeyPatch, bare: Mobid, variable: str
) -> None:
    """Otherwise its users, its tokens and its CA would stay in somebody's database."""
    monkeypatch.setenv(variable, "postgresql://localhost:1/production")

    done = bare("demo", "--port", "0")

    assert done.exit_code == 2
    assert f"{variable} is set" in done.output
    assert "--home" in done.output


def test_a_body_of_some_megabytes_is_refused_by_the_surface(tmp_path: Path) -> None:
    """Up to there the server reads it, so that SCIM clients get an answer that they can read."""
    home = tmp_path / "home"
    command = [sys.executable, "-m", "mobid.cli", "demo", "--port", "0", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            assert "ready" in demo.stdout.readline()
            told = json.loads((home / "demo.json").read_text())
            body = json.dumps({"userName": "a" * (3 * 1024 * 1024)}).encode()
            connection = HTTPConnection(told["base_url"].removeprefix("http://"))
            connection.request(
                "POST",
                "/scim/v2/Users",
                body,
                {
                    "Authorization": f"Bearer {told['scim_token']}",
                    "Content-Type": "application/scim+json",
                },
            )
            answer = connection.getresponse()
            document = json.loads(answer.read())
            connection.close()
        finally:
            demo.terminate()
    assert (answer.status, answer.getheader("Content-Type")) == (413, "application/scim+json")
    assert document["detail"] == "The body is larger than 1048576 bytes."


def test_a_demo_that_is_ended_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    """Its home has keys in it, so it is thrown away on SIGTERM, too, and not only on Ctrl-C."""
    command = [sys.executable, "-m", "mobid.cli", "demo", "--port", "0"]
    with subprocess.Popen(command, env=os.environ | {"TMPDIR": str(tmp_path)}) as demo:
        deadline = time.monotonic() + START_TIMEOUT
        while not list(tmp_path.glob("mobid-demo-*/home")) and time.monotonic() < deadline:
            assert demo.poll() is None
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(START_TIMEOUT) != 0

    assert list(tmp_path.glob("mobid-demo-*")) == []
