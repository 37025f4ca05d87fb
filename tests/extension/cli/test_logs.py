"""What commands and servers log: one line per event on stderr, so that stdout stays the command's own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "kR3wV9_xQ-7mZpB1nYc5Tf8Ls2Hd4Gj6Ua0EiOqWr3v"


class Mobid(Protocol):
    """What the fixture gives."""

    home: Path


@pytest.fixture
def port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def ask(port: int, path: str) -> dict[str, str]:
    """Ask a server, and return the headers of its answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer mid_scim_x_{SECRET}"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return dict(answer.getheaders())


def test_a_server_logs_lines_of_json_from_its_start_to_its_end(mobid: Mobid, port: int) -> None:
    """Ready, each request with the id that its answer has, and nothing else, least of all a secret."""
    environ = os.environ | {"MOBID_LISTEN_PORT": str(port), "MOBID_HOME": str(mobid.home)}
    with subprocess.Popen(
        [sys.executable, "-m", "mobid.cli", "serve", "--no-jobs"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        assert server.stdout is not None
        ready = json.loads(server.stderr.readline())
        headers = ask(port, f"/scim/v2/Users?filter=x+{SECRET}")
        server.send_signal(signal.SIGTERM)
        lines: list[dict[str, Any]] = [json.loads(line) for line in server.stderr]
        said = server.stdout.read()
        assert server.wait(30) == 0

    assert (ready["event"], ready["level"]) == ("server_ready", "info")
    (request,) = [one for one in lines if one["event"] == "request"]
    assert (request["route"], request["status"]) == ("/scim/v2/Users", 401)
    assert request["request_id"] == headers["X-Request-Id"]
    assert SECRET not in json.dumps(lines)
    assert said == ""


def test_level_and_form_are_settings(mobid: Mobid, port: int) -> None:
    """Whoever debugs sees watchers, too, and may want lines for people."""
    environ = os.environ | {
        "MOBID_LISTEN_PORT": str(port),
        "MOBID_HOME": str(mobid.home),
        "MOBID_LOG_LEVEL": "debug",
        "MOBID_LOG_FORMAT": "console",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "mobid.cli", "serve", "--no-jobs"],
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        assert "server_ready" in server.stderr.readline()
        ask(port, "/healthz")
        seen = next(line for line in server.stderr if "route=" in line)
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0

    assert "[debug" in seen
    assert "route=/healthz" in seen
