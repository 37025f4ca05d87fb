"""The settings of a home, checked as a whole: what `mobid.config` says, and what the CA's connector says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from mobid.ca import Surroundings, faults_of_settings
from mobid.config import key_folder
from mobid.config.load import load_with_origins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mobid.config.load import Loaded

ANYWHERE: Final = "https://localhost"
"""Settings of a CA are right or wrong whatever our own address is, which may be wrong itself."""


def load_settings(home: Path, environ: Mapping[str, str]) -> Loaded:
    """Return the settings of a home; raise `InvalidSettings` with all faults, the CA's included."""
    return load_with_origins(home, environ, check_authority=faults_of_authority)


def faults_of_authority(name: str, settings: Mapping[str, object], home: Path) -> Sequence[str]:
    """Return what the connector finds wrong with its table; it is asked without database and keys."""
    surroundings = Surroundings(
        clock=lambda: datetime.now(UTC), key_folder=key_folder(home).path, public_url=ANYWHERE
    )
    return faults_of_settings(name, settings, surroundings)
