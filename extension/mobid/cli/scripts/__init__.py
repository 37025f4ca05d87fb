"""`mobid scripts`: option scripts from files, so that they can live in git, and their versions."""

from __future__ import annotations

import rich_click as click

from mobid.cli.scripts.authoring import check, test
from mobid.cli.scripts.describing import manual, stub
from mobid.cli.scripts.trying import run
from mobid.cli.scripts.versions import (
    activate,
    diff,
    list_versions,
    push,
    release,
    rollback,
    show,
)

__all__ = ["scripts"]


@click.group()
def scripts() -> None:
    """The option scripts and their versions.

    Exit codes: 0 it is done, and good; 1 it can not be done now, or `diff` found differences; 2 the
    script, its tests or the command is wrong; 3 tests failed.
    """


for command in (
    check,
    test,
    run,
    diff,
    push,
    activate,
    rollback,
    release,
    show,
    list_versions,
    stub,
    manual,
):
    scripts.add_command(command)
