"""Homes of mobid for tests, with keys, schema, a CA and a port."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from mobid.app import initialise
from mobid.ca.builtin import initialise as initialise_ca
from mobid.config import create_home, key_folder, load

if TYPE_CHECKING:
    from pathlib import Path

_PORTS: Final = range(20_000, 32_000)
"""Below those that the system gives to clients, so that a server that died finds its port free."""


def make_home(home: Path, *, database_url: str, port: int, more: str = "") -> None:
    """Make a home with keys, schema and a CA; what it says of times, unless `more` does, is for tests."""
    create_home(home)
    times = "" if "[times]" in more else '[times]\nattempt_lost = "1s"\n'
    with (home / "mobid.toml").open("a") as settings:
        settings.write(
            f'listen_port = {port}\ndatabase_url = "{database_url}"\n{more}{times}'
            "[limits]\nclaims_per_minute = 1000000\n"  # all phones of all tests are in one place
        )
    initialise_ca(key_folder(home).path, name="CA of a test", now=datetime.now(UTC))
    initialise(load(home, {}))


def free_port() -> int:
    """Return a port that nobody listens at now."""
    for _ in range(100):
        port = secrets.choice(_PORTS)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    pytest.fail("There is no free port.")
