"""`mobid scripts check` and `test`: what is wrong with a script, and whether it keeps its word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, NoReturn

import rich_click as click

from mobid.cli.context import USAGE, emit, fail, failures_told, opened, output_option
from mobid.cli.scripts.files import (
    FILE,
    FILES,
    NAME,
    RED,
    WATCH,
    Unreadable,
    language_of,
    saved,
    scripts_in,
    tests_beside,
    text_of,
)
from mobid.optionscripts import plain_tests
from mobid.processes.errors import InvalidInput
from mobid.processes.ports import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mobid.optionscripts import ScriptLanguage
    from mobid.processes.ports import Evaluation
    from mobid.processes.script_tests import ScriptTestResult


@dataclass(frozen=True, slots=True)
class Report:
    """What is said of one script, and with which exit code."""

    data: dict[str, object]
    text: str
    exit_code: int


@click.command()
@click.argument("path", type=FILES, metavar="FILE|FOLDER")
@NAME
@WATCH
@output_option
@click.pass_context
def check(context: click.Context, path: Path, name: str, watch: bool, output: str) -> None:  # noqa: FBT001 - click calls it
    """Check a script, or all in a folder; exit 2 with every fault if one would not be accepted.

    Neither a database nor a home is needed.
    """
    with language_of(context, name) as language:
        _again(context, path, output, lambda file: _checked(language, file), watch=watch)


@click.command()
@click.argument("what", metavar="FILE|FOLDER|VERSION")
@NAME
@click.option("--tests", type=FILE, help="Its tests, if they are not in NAME.tests.toml beside it.")
@WATCH
@output_option
@click.pass_context
def test(
    context: click.Context, *, what: str, name: str, tests: Path | None, watch: bool, output: str
) -> None:
    """Run the tests of a script, or of all in a folder; exit 3 if one failed.

    Neither a database nor a home is needed, but for a stored version: its own tests are run.
    """
    path = Path(what)
    if what.isdecimal() and not path.exists():
        if tests is not None or watch:
            fail("A stored version has its own tests, and does not change.", exit_code=USAGE)
        _test_stored(context, name, int(what), output)
    if not path.exists():
        fail(f'There is no file "{what}", and it is no number of a version.', exit_code=USAGE)
    if tests is not None and path.is_dir():
        fail("--tests goes with one script; a folder has tests beside each.", exit_code=USAGE)

    def tested(language: ScriptLanguage, file: Path) -> Report:
        return _tested(language, file, tests or tests_beside(file), needed=path.is_file())

    with language_of(context, name) as language:
        _again(context, path, output, lambda file: tested(language, file), watch=watch)


def _test_stored(context: click.Context, name: str, version: int, output: str) -> NoReturn:
    with opened(context) as product, failures_told():
        results = product.scripts.test_version(name, version)
    passed = all(result.passed for result in results)
    data = {"version": version, "passed": passed, "tests": results_as_data(results)}
    emit(output, data, f"{name} {version}: {results_as_text(results)}")
    context.exit(0 if passed else RED)


def _again(
    context: click.Context,
    path: Path,
    output: str,
    report_on: Callable[[Path], Report],
    *,
    watch: bool,
) -> None:
    """Say what there is to say, once or whenever something is saved; exit with the worst code."""
    for _ in saved(path):
        reports = [_report(report_on, file) for file in scripts_in(path)]
        data = [report.data for report in reports]
        text = "\n".join(report.text for report in reports)
        emit(output, data if path.is_dir() else data[0], text)
        if not watch:
            codes = {report.exit_code for report in reports}
            context.exit(next((code for code in (USAGE, RED) if code in codes), 0))


def _report(report_on: Callable[[Path], Report], file: Path) -> Report:
    """Report on a file; one that can not be read keeps nobody from the others."""
    try:
        return report_on(file)
    except Unreadable as error:
        data: dict[str, object] = {"file": str(error.file), "problem": str(error)}
        return Report(data, str(error), USAGE)


def _checked(language: ScriptLanguage, file: Path) -> Report:
    evaluation = language.check(text_of(file))
    exit_code = 0 if evaluation.outcome is Outcome.OK else USAGE
    return Report({"file": str(file), **as_data(evaluation)}, as_text(file, evaluation), exit_code)


def _tested(language: ScriptLanguage, file: Path, tests: Path, *, needed: bool) -> Report:
    checked = _checked(language, file)
    if checked.exit_code:
        return checked
    if not tests.is_file():
        text = f'{file}: there are no tests; put them into "{tests}"'
        return Report({"file": str(file), "tests": []}, text, USAGE if needed else 0)
    try:
        promises = language.read_tests(plain_tests(text_of(tests)))
    except InvalidInput as error:
        return Report({"file": str(tests), "problem": str(error)}, f"{tests}: {error}", USAGE)
    results = language.test(text_of(file), promises, at=datetime.now(UTC))
    passed = all(result.passed for result in results)
    return Report(
        {"file": str(file), "passed": passed, "tests": results_as_data(results)},
        f"{file}: {results_as_text(results)}",
        0 if passed else RED,
    )


def results_as_data(results: Sequence[ScriptTestResult]) -> list[dict[str, object]]:
    """Return results as plain values."""
    return [
        {"name": one.name, "passed": one.passed, "problems": list(one.problems)} for one in results
    ]


def results_as_text(results: Sequence[ScriptTestResult]) -> str:
    """Return how many tests passed, and what is wrong with the others."""
    red = [result for result in results if not result.passed]
    lines = [f"{len(results) - len(red)} of {len(results)} tests passed"]
    for result in red:
        lines += [f"  {result.name}", *(f"    {problem}" for problem in result.problems)]
    return "\n".join(lines)


def as_data(evaluation: Evaluation) -> dict[str, object]:
    """Return an evaluation as plain values."""
    return {
        "outcome": evaluation.outcome.value,
        "diagnostics": [
            {"code": one.code, "line": one.line, "column": one.column, "message": one.message}
            for one in evaluation.diagnostics
        ],
    }


def as_text(file: Path | str, evaluation: Evaluation) -> str:
    """Return every fault with its place, its line and a caret, as compilers do."""
    if evaluation.outcome is Outcome.OK:
        return f"{file}: ok"
    shown = []
    for fault in evaluation.diagnostics:
        shown.append(f"{file}:{fault.line or 1}:{fault.column or 1}: {fault.message}")
        if fault.caret:
            shown.append(indent(fault.caret, "    "))
    return "\n".join(shown) or f"{file}: {evaluation.outcome}"
