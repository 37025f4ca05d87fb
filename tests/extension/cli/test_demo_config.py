"""`mobid demo --config`: the settings of a new home, such as those of another CA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from mobid.cli.demo.server import demo_settings
from mobid.config import UnsafeFile, is_home

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A private file of settings."""
    path = tmp_path / "other.toml"
    path.touch(mode=0o600)
    path.write_text("listen_port = 9999\nmax_codes = 3\n")
    return path


def test_a_new_home_gets_them(tmp_path: Path, config: Path) -> None:
    """They hold, but for the demo's own address; the home keeps them."""
    settings = demo_settings(tmp_path / "home", 8081, config)
    assert (settings.max_codes, settings.listen_port) == (3, 8081)
    assert demo_settings(tmp_path / "home", 8082).max_codes == 3


def test_a_home_with_settings_keeps_its_own(
    tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written over."""
    demo_settings(tmp_path / "home", 8081)
    with pytest.raises(click.exceptions.Exit):
        demo_settings(tmp_path / "home", 8081, config)
    assert "has settings already; --config is for a new home." in capsys.readouterr().err


def test_settings_that_others_can_read_are_refused(tmp_path: Path, config: Path) -> None:
    """They may hold secrets; no home is made."""
    config.chmod(0o644)
    with pytest.raises(UnsafeFile, match="Run: chmod 600"):
        demo_settings(tmp_path / "home", 8081, config)
    assert not is_home(tmp_path / "home")
