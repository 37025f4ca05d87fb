"""How much a run may take of the machine. The step budget is part of the language: `execution.MOST_STEPS`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

LAYERS = ("rlimits", "no_new_privs", "landlock", "seccomp")


def _processors() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of each run, and of the sandbox around them.

    `cpu_seconds` is processor time, compiling included; `wall_seconds` catches what uses none.
    `memory_bytes` comes on top of what the fork server itself has. No more than `concurrent` runs go on at
    once; who waits longer than `wait_seconds` for a turn is told so. Where a layer in `required` can not be
    put up, nothing runs. `development` lets scripts run on a system that has no walls, to write and try them;
    never where a mobile ID is issued.
    """

    cpu_seconds: float = 1.0
    wall_seconds: float = 3.0
    memory_bytes: int = 64 << 20
    concurrent: int = field(default_factory=_processors)
    wait_seconds: float = 10.0
    required: frozenset[str] = frozenset({"rlimits", "no_new_privs", "seccomp"})
    development: bool = False

    def __post_init__(self) -> None:
        if unknown := sorted(self.required - set(LAYERS)):
            raise ValueError(
                f"There is no layer {', '.join(unknown)}; there are {', '.join(LAYERS)}."
            )
        for name in ("cpu_seconds", "wall_seconds", "memory_bytes", "concurrent", "wait_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"Limit {name} is {getattr(self, name)}; it must be more than 0.")
