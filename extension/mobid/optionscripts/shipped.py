"""Version 0 of our scripts: what decides as long as nobody has activated another."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from importlib import resources
from typing import Final

from mobid.processes.ports import StoredScript

SCRIPT_NAME: Final = "MobileIDScriptOptions"
EXPIRING_NAME: Final = "MobileIDScriptExpiringOptions"
NAMES: Final = (SCRIPT_NAME, EXPIRING_NAME)


def _source(name: str) -> str:
    folder = resources.files(__package__ or "mobid.optionscripts")
    return folder.joinpath(f"{name}.txt").read_text("utf-8")


def _shipped(name: str) -> StoredScript:
    source = _source(name)
    return StoredScript(
        name=name,
        version=0,
        source=source,
        sha256=hashlib.sha256(source.encode()).hexdigest(),
        author="mobid",
        comment="The shipped defaults.",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


SHIPPED: Final = _shipped(SCRIPT_NAME)
SHIPPED_EXPIRING: Final = _shipped(EXPIRING_NAME)
SHIPPED_VERSION_0: Final = SHIPPED.source
