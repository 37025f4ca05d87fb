"""Looking again and again until something is true, and for how long at most."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


PATIENCE: Final = 60.0
"""Seconds."""


def until(true: Callable[[], object], what: str, *, seconds: float = PATIENCE) -> None:
    """Look again and again until something is true."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if true():
            return
        pause.wait(0.05)
    pytest.fail(f"{what}: not within {seconds} s")
