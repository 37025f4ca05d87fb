"""The command `mobid` in a process that is forked from one in which everything is imported already."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mobid import crashpoints
from mobid.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run(words: Sequence[str], environ: Mapping[str, str], said: str, complaints: str) -> None:
    """Become this command, with this environment, and with files for what it says."""
    _say_it_into(said, complaints)
    os.environ.clear()
    os.environ.update(environ)
    # The environment was asked when this was imported, and that was another process.
    vars(crashpoints)["_SET"] = crashpoints.armed(environ)
    main(words, prog_name="mobid")


def run_from_the_start(
    words: Sequence[str], environ: Mapping[str, str], said: str, complaints: str
) -> None:
    """Do the same by a Python that begins anew, whose command line the system then shows."""
    _say_it_into(said, complaints)
    os.execve(sys.executable, [sys.executable, "-m", "mobid.cli", *words], environ)  # noqa: S606  # ourselves


def _say_it_into(said: str, complaints: str) -> None:
    for number, path in ((1, said), (2, complaints)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(file, number)
