"""Processes of `mobid` that need not import everything again."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.process import BaseProcess


class ForkedServers:
    """Starts servers that need not import everything again, which takes longer than all else they do.

    Each is a process of its own, forked from one that has done nothing but import.
    """

    PROGRAM: Final = Path(__file__).parents[1] / "forked"

    def __init__(self) -> None:
        self._context: Final = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["mobid.cli", "waitress"])
        sys.path.append(str(self.PROGRAM))
        self._program: Final = importlib.import_module("mobid_forked")

    def start(
        self, words: Sequence[str], environ: Mapping[str, str], log: Path, *, forked: bool
    ) -> BaseProcess:
        """Start a command of `mobid` that says everything into a log."""
        process = self._context.Process(
            target=self._program.run if forked else self._program.run_from_the_start,
            args=(words, dict(environ), str(log)),
            daemon=True,
        )
        process.start()
        return process


@cache
def forked_servers() -> ForkedServers:
    """Return those of this process of the run."""
    return ForkedServers()
