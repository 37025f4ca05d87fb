"""Version 0 of the option script: what decides as long as nobody has activated another."""

from __future__ import annotations

from importlib import resources
from typing import Final

SCRIPT_NAME: Final = "MobileIDScriptOptions"
SHIPPED_VERSION_0: Final = (
    resources.files(__package__ or "mobid.optionscripts")
    .joinpath(f"{SCRIPT_NAME}.txt")
    .read_text("utf-8")
)
