"""How far it has come, for a person or a program: a bar on a terminal, and the result on standard output."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .syncing import Tally

Item = TypeVar("Item")


def _console() -> Console:
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


@dataclass(slots=True)
class Terminal:
    """Tells on standard error; bars only where somebody looks."""

    console: Console = field(default_factory=_console)

    def steps(self, title: str, items: Sequence[Item]) -> Iterator[Item]:
        """Give the items under a bar; an item counts once the next one is asked for."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        bar = Progress(
            *columns,
            TimeRemainingColumn(),
            console=self.console,
            disable=not (self.console.is_terminal and items),
        )
        with bar:
            yield from bar.track(items, description=f"{title:<20}")

    def refused(self, what: str, words: str) -> None:
        """Tell of one thing that was refused."""
        self.console.print(f"{what}: {words}")

    def wait(self, seconds: float) -> None:
        """Say that the service provider is waited for, and wait."""
        self.console.print(f"The service provider asks to wait, or is away: {seconds:.1f} s")
        time.sleep(seconds)

    def complain(self, words: str) -> None:
        """Say why the program ends."""
        self.console.print(words)


def result(tally: Tally, *, dry: bool, as_json: bool) -> None:
    """Tell what was done, or would have been."""
    if as_json:
        sys.stdout.write(json.dumps({**asdict(tally), "dry_run": dry}) + "\n")
        return
    if dry:
        sys.stdout.write("Dry run: nothing was written.\n")
    sys.stdout.write(
        f"{tally.people} people: {tally.created} created, {tally.changed} changed, "
        f"{tally.deactivated} deactivated, {tally.refused} refused. "
        f"Groups: {tally.groups_created} created, {tally.groups_changed} changed.\n"
    )
