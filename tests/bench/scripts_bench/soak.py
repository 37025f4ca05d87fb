"""Hostile scripts on many threads, mixed with honest ones: who gets a wrong answer, and what is left over."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mobid_scripts.limits import Limits
from mobid_scripts.sandbox import Sandbox
from scripts_bench.words import (  # type: ignore[import-not-found]  # found beside scripts.py
    BOMB,
    DECIDED,
    DECLARATION,
    DEFAULTS,
    NOW,
    TYPICAL,
    USER,
)

_ESCAPES: Final = Path(__file__).parents[2] / "scripts" / "escapes"
_HONEST_EVERY: Final = 3


@dataclass(slots=True)
class Soaked:
    """What came of it. All but `outcomes`, `honest` and `seconds` is to be zero or unchanged."""

    honest: int = 0
    wrong: int = 0
    reached: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    same_server: bool = True
    descriptors: tuple[int, int] = (0, 0)
    children: int = 0
    seconds: float = 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong, and nothing was left behind."""
        return (
            not (self.wrong or self.reached or self.children)
            and self.same_server
            and self.descriptors[0] == self.descriptors[1]
        )


def soak(runs: int, threads: int) -> Soaked:
    """Run so many hostile scripts, and an honest one after every third."""
    index = json.loads((_ESCAPES / "index.json").read_text("utf-8"))
    hostile = [
        (_ESCAPES / one["file"]).read_bytes().decode("utf-8", "surrogatepass") for one in index
    ]
    hostile.append(BOMB)
    limits = Limits(cpu_seconds=0.1, wall_seconds=20, wait_seconds=120, concurrent=threads)
    soaked = Soaked()
    with Sandbox(DECLARATION, limits) as sandbox, ThreadPoolExecutor(threads) as pool:
        sandbox.check("")
        server = sandbox.server_pid
        before = _descriptors(server)
        started = time.monotonic()
        tasks = []
        for number in range(runs):
            tasks.append((False, pool.submit(_run, sandbox, hostile[number % len(hostile)])))
            if number % _HONEST_EVERY == 0:
                tasks.append((True, pool.submit(_run, sandbox, TYPICAL)))
        for honest, task in tasks:
            outcome = task.result()
            soaked.outcomes[outcome.outcome] += not honest
            soaked.honest += honest
            soaked.wrong += honest and outcome.options != DECIDED
            soaked.reached += not honest and (
                outcome.options is not None or "PWNED" in " ".join(outcome.log)
            )
        soaked.seconds = time.monotonic() - started
        soaked.same_server = sandbox.server_pid == server
        soaked.descriptors = (before, _descriptors(server))
        children = Path(f"/proc/{server}/task/{server}/children")
        soaked.children = len(children.read_text("ascii").split())
    return soaked


def _run(sandbox: Sandbox, source: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - an Outcome
    return sandbox.run(source, USER, defaults=DEFAULTS, now=NOW)


def _descriptors(server: int | None) -> int:
    """Count the open descriptors of this process and of the fork server."""
    both = (Path("/proc/self/fd"), Path(f"/proc/{server}/fd"))
    return sum(len(list(folder.iterdir())) for folder in both)
