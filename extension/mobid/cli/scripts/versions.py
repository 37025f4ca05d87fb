"""`mobid scripts push`, `activate`, `rollback`, `release`, `diff`, `show` and `list`: stored versions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import rich_click as click

from mobid.cli.context import USAGE, emit, fail, failures_told, opened, operator, output_option
from mobid.cli.scripts.authoring import as_text, results_as_text
from mobid.cli.scripts.files import FILE, NAME, RED, read, read_tests, tests_beside
from mobid.cli.scripts.trying import source_of
from mobid.optionscripts import SCRIPT_NAME
from mobid.processes.errors import InvalidInput, ScriptNotAccepted, ScriptTestsFailed
from mobid.processes.script_comparison import unified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mobid.processes.ports import StoredScript


@click.command()
@click.argument("file", type=FILE)
@NAME
@click.option("-m", "--comment", default="", help="What changes, for the list of versions.")
@click.option("--tests", type=FILE, help="Its tests, if they are not in NAME.tests.toml beside it.")
@output_option
@click.pass_context
def push(  # click calls it with what it read
    context: click.Context, *, file: Path, name: str, comment: str, tests: Path | None, output: str
) -> None:
    """Store a script as a new version with the tests beside it; it is not active yet."""
    beside = tests or tests_beside(file)
    promises = read_tests(beside) if beside.is_file() else []
    with opened(context) as product, failures_told():
        try:
            stored = product.scripts.push(
                name, read(file), by=operator(), comment=comment, tests=promises
            )
        except ScriptNotAccepted as error:
            fail(as_text(file, error.evaluation), exit_code=USAGE)
        except InvalidInput as error:
            where = f"{beside}: " if error.field == "tests" else ""
            fail(f"{where}{error}", exit_code=USAGE)
    data = {
        "name": name,
        "version": stored.version,
        "sha256": stored.sha256,
        "tests": len(stored.tests),
    }
    which = "" if name == SCRIPT_NAME else f" --name {name}"
    emit(
        output,
        data,
        f"{name} version {stored.version} is stored, with {_tests(stored)}. Activate it: "
        f"mobid --home {context.obj} scripts activate {stored.version}{which}",
    )


@click.command()
@click.argument("version", type=int)
@NAME
@click.option("--expected", type=int, help="Refuse unless this version is the active one.")
@output_option
@click.pass_context
def activate(
    context: click.Context, version: int, name: str, expected: int | None, output: str
) -> None:
    """Make a version the active one, if its tests pass; 0 is the shipped one.

    Exit 3 if tests failed.
    """
    with opened(context) as product, failures_told(), _red_told():
        before = product.scripts.active(name).version if expected is None else expected
        product.scripts.activate(name, version, expected=before, by=operator())
    data = {"name": name, "active": version, "replaced": before}
    said = (
        f"version {version} was active already; nothing was changed"
        if version == before
        else f"version {version} is active; it replaces version {before}"
    )
    emit(output, data, f"{name}: {said}.")


@click.command()
@NAME
@click.option("--expected", type=int, help="Refuse unless this version is the active one.")
@output_option
@click.pass_context
def rollback(context: click.Context, name: str, expected: int | None, output: str) -> None:
    """Activate again what was active before, if its tests still pass."""
    with opened(context) as product, failures_told(), _red_told():
        before = product.scripts.active(name).version if expected is None else expected
        after = product.scripts.rollback(name, expected=before, by=operator()).version
    data = {"name": name, "active": after, "replaced": before}
    emit(output, data, f"{name}: version {after} is active again; it replaces version {before}.")


@contextmanager
def _red_told() -> Iterator[None]:
    try:
        yield
    except ScriptTestsFailed as error:
        fail(f"Nothing was activated: {results_as_text(error.results)}", exit_code=RED)


@click.command()
@click.argument("version", type=int)
@NAME
@output_option
@click.pass_context
def release(context: click.Context, version: int, name: str, output: str) -> None:
    """Let a version in quarantine run again, after you have looked at it."""
    with opened(context) as product, failures_told():
        released = product.scripts.release(name, version, by=operator())
    said = "can run again" if released else "is not in quarantine; nothing was changed"
    data = {"name": name, "version": version, "released": released}
    emit(output, data, f"{name}: version {version} {said}.")


@click.command()
@click.argument("script", metavar="FILE|VERSION|active")
@click.argument("other", metavar="[FILE|VERSION]", default="active")
@NAME
@output_option
@click.pass_context
def diff(context: click.Context, script: str, other: str, name: str, output: str) -> None:
    """Show what is different in the text of a script from another, or from the active version.

    Exit 1 if there is anything, as diff does. What becomes of users is shown by run --filter.
    """
    with opened(context) as product, failures_told():
        after, before = source_of(product, name, script), source_of(product, name, other)
    lines = unified(before, after, other, script)
    emit(output, {"same": not lines, "diff": lines}, "\n".join(lines) or "They are the same.")
    context.exit(1 if lines else 0)


@click.command()
@click.argument("version", metavar="VERSION|active", default="active")
@NAME
@output_option
@click.pass_context
def show(context: click.Context, version: str, name: str, output: str) -> None:
    """Print the source of a version; with -o json its tests, too, and who stored it."""
    if version != "active" and not version.isdecimal():
        fail(f'"{version}" is no number of a version, and not "active".', exit_code=USAGE)
    with opened(context) as product, failures_told():
        scripts = product.scripts
        active = scripts.active(name)
        script = active if version == "active" else scripts.version(name, int(version))
    data = {
        **_summary(script, active=script.version == active.version),
        "source": script.source,
        "tests": [test.plain() for test in script.tests],
    }
    emit(output, data, script.source.rstrip("\n"))


@click.command("list")
@NAME
@output_option
@click.pass_context
def list_versions(context: click.Context, name: str, output: str) -> None:
    """List the versions, and say which one is active."""
    with opened(context) as product, failures_told():
        active = product.scripts.active(name).version
        versions = product.scripts.versions(name)
    data = [_summary(one, active=one.version == active) for one in versions]
    lines = [
        f"{'*' if one.version == active else ' '} {one.version}  {one.created_at:%Y-%m-%d %H:%M}"
        f"  {one.author}  {_tests(one)}  {_marked(one)}{one.comment}"
        for one in versions
    ]
    emit(output, data, "\n".join(lines))


def _tests(script: StoredScript) -> str:
    count = len(script.tests)
    return f"{count} test" if count == 1 else f"{count} tests"


def _marked(script: StoredScript) -> str:
    return "" if script.quarantined_at is None else f"IN QUARANTINE: {script.quarantined_why}  "


def _summary(script: StoredScript, *, active: bool) -> dict[str, Any]:
    quarantined = script.quarantined_at
    return {
        "version": script.version,
        "active": active,
        "author": script.author,
        "comment": script.comment,
        "created_at": script.created_at.isoformat(),
        "sha256": script.sha256,
        "tests": len(script.tests),
        "quarantined_at": quarantined and quarantined.isoformat(),
        "quarantined_why": script.quarantined_why,
    }
