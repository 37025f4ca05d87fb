"""The errors of effects. A failing effect is none of them: its row carries what went wrong.

EffectsError
├── HandlersMissing     kinds of work without a handler, or handlers of unknown kinds
└── WorkerRunning       one process runs one worker
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class EffectsError(Exception):
    """The machinery of effects is used in a way that cannot work."""


class HandlersMissing(EffectsError):
    """Every kind of work needs exactly one handler."""

    def __init__(self, given: Collection[str], wanted: Collection[str]) -> None:
        super().__init__(
            f"Effects have handlers for {', '.join(given) or 'nothing'}; "
            f"exactly these kinds need one: {', '.join(wanted)}."
        )


class WorkerRunning(EffectsError):
    """The job engine is one per process, and so is the worker."""

    def __init__(self) -> None:
        super().__init__(
            "A worker runs in this process already, and one process runs one. "
            "Stop it first, or start the second one in a process of its own."
        )
