"""Commands of `mobid` in processes that need not import everything again."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from multiprocessing.process import BaseProcess


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    code: int | None
    said: str
    complaints: str


class ForkedCommands:
    """Starts commands that need not import everything again, which takes longer than all else they do.

    Each is a process of its own, forked from one that has done nothing but import.
    """

    PROGRAM: Final = Path(__file__).with_name("forked")

    def __init__(self) -> None:
        self._context: Final = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["mobid.cli", "waitress"])
        sys.path.append(str(self.PROGRAM))
        self._program: Final = importlib.import_module("mobid_forked")

    def start(
        self, words: Sequence[str], environ: Mapping[str, str], log: Path, *, forked: bool = True
    ) -> BaseProcess:
        """Start a command that says everything into a log."""
        run = self._program.run if forked else self._program.run_from_the_start
        return self._started(run, words, environ, log, log)

    def run(self, words: Sequence[str], environ: Mapping[str, str], *, seconds: float) -> Done:
        """Run a command to its end; one that takes longer has no code."""
        with tempfile.TemporaryDirectory(prefix="mobid-command-") as folder:
            said, complaints = Path(folder, "stdout"), Path(folder, "stderr")
            process = self._started(self._program.run, words, environ, said, complaints)
            process.join(seconds)
            code = process.exitcode
            process.kill()
            process.join()
            process.close()
            return Done(code, said.read_text("utf-8"), complaints.read_text("utf-8"))

    def _started(
        self,
        run: Callable[..., None],
        words: Sequence[str],
        environ: Mapping[str, str],
        said: Path,
        complaints: Path,
    ) -> BaseProcess:
        process = self._context.Process(
            target=run,
            args=(words, dict(environ), str(said), str(complaints)),
            daemon=True,
        )
        process.start()
        return process


@cache
def forked_commands() -> ForkedCommands:
    """Return those of this process of the run."""
    return ForkedCommands()
