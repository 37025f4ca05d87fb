"""`mobid scripts`: check, store and activate option scripts from files, so that they can live in git."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Final

import rich_click as click

from mobid.cli.context import (
    USAGE,
    emit,
    fail,
    failures_told,
    opened,
    operator,
    output_option,
)
from mobid.processes.errors import ScriptNotAccepted
from mobid.processes.ports import Outcome

if TYPE_CHECKING:
    from mobid.processes.ports import Evaluation

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
NAME: Final = click.option(
    "--name", default="MobileIDScriptOptions", show_default=True, help="Which option script."
)


@click.group()
def scripts() -> None:
    """The option scripts and their versions."""


@scripts.command()
@click.argument("file", type=FILE)
@NAME
@output_option
@click.pass_context
def check(context: click.Context, file: Path, name: str, output: str) -> None:
    """Check a script; exit 2 with every fault if it would not be accepted."""
    with opened(context) as product, failures_told():
        evaluation = product.scripts.check(name, read(file))
    emit(output, as_data(evaluation), as_text(file, evaluation))
    context.exit(0 if evaluation.outcome is Outcome.OK else USAGE)


@scripts.command()
@click.argument("file", type=FILE)
@NAME
@click.option("-m", "--comment", default="", help="What changes, for the list of versions.")
@output_option
@click.pass_context
def push(context: click.Context, file: Path, name: str, comment: str, output: str) -> None:
    """Store a script as a new version, which is not active yet."""
    with opened(context) as product, failures_told():
        try:
            stored = product.scripts.push(name, read(file), by=operator(), comment=comment)
        except ScriptNotAccepted as error:
            fail(as_text(file, error.evaluation), exit_code=USAGE)
    data = {"name": name, "version": stored.version, "sha256": stored.sha256}
    emit(
        output,
        data,
        f"{name} version {stored.version} is stored. Activate it: "
        f"mobid scripts activate {stored.version}",
    )


@scripts.command()
@click.argument("version", type=int)
@NAME
@click.option("--expected", type=int, help="Refuse unless this version is the active one.")
@output_option
@click.pass_context
def activate(
    context: click.Context, version: int, name: str, expected: int | None, output: str
) -> None:
    """Make a version the active one; 0 is the shipped one, an older one is a roll-back."""
    with opened(context) as product, failures_told():
        before = product.scripts.active(name).version if expected is None else expected
        product.scripts.activate(name, version, expected=before, by=operator())
    data = {"name": name, "active": version, "replaced": before}
    emit(output, data, f"{name}: version {version} is active; it replaces version {before}.")


@scripts.command("list")
@NAME
@output_option
@click.pass_context
def list_versions(context: click.Context, name: str, output: str) -> None:
    """List the versions, and say which one is active."""
    with opened(context) as product, failures_told():
        active = product.scripts.active(name).version
        versions = product.scripts.versions(name)
    data = [
        {
            "version": one.version,
            "active": one.version == active,
            "author": one.author,
            "comment": one.comment,
            "created_at": one.created_at.isoformat(),
            "sha256": one.sha256,
        }
        for one in versions
    ]
    lines = [
        f"{'*' if one.version == active else ' '} {one.version}  {one.created_at:%Y-%m-%d %H:%M}"
        f"  {one.author}  {one.comment}"
        for one in versions
    ]
    emit(output, data, "\n".join(lines))


def read(file: Path) -> str:
    """Return the text of a script file."""
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        fail(f'"{file}" is not UTF-8 (byte {error.start}). Save it as UTF-8.', exit_code=USAGE)


def as_data(evaluation: Evaluation) -> dict[str, object]:
    """Return an evaluation as plain values."""
    return {
        "outcome": evaluation.outcome.value,
        "diagnostics": [
            {"code": one.code, "line": one.line, "column": one.column, "message": one.message}
            for one in evaluation.diagnostics
        ],
    }


def as_text(file: Path, evaluation: Evaluation) -> str:
    """Return every fault with its place, its line and a caret, as compilers do."""
    if evaluation.outcome is Outcome.OK:
        return f"{file}: ok"
    shown = []
    for fault in evaluation.diagnostics:
        shown.append(f"{file}:{fault.line or 1}:{fault.column or 1}: {fault.message}")
        if fault.caret:
            shown.append(indent(fault.caret, "    "))
    return "\n".join(shown) or f"{file}: {evaluation.outcome}"
