"""`mobid scripts run`: what a script would decide, for a sample, a real user, or many."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click
from click import progressbar

from mobid.cli.context import USAGE, emit, fail, failures_told, opened, operator, output_option
from mobid.cli.scripts.authoring import as_data, as_text
from mobid.cli.scripts.files import NAME, read
from mobid.optionscripts import sample_user, shown
from mobid.processes.errors import InvalidInput, ScriptNotAccepted
from mobid.processes.ports import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mobid.app import Product
    from mobid.domain.users import User
    from mobid.processes.ports import Evaluation
    from mobid.processes.script_comparison import Change, Comparison
    from mobid_scripts.kinds import OptionKind

_GROUPS: Final = "groups"


@click.command()
@click.argument("script", metavar="FILE|VERSION|active")
@NAME
@click.option("--user-id", help="A real user, by id.")
@click.option("--filter", "filter_text", help="All users that a SCIM filter matches.")
@click.option(
    "-u",
    "--user",
    "attributes",
    multiple=True,
    metavar="ATTRIBUTE=VALUE|FILE",
    help="A sample: userName=ada, department=Finance, groups=staff,site-north …; or a file of JSON "
    'with such attributes, {"userName": "ada", "groups": ["staff"]}.',
)
@output_option
@click.pass_context
def run(  # click calls it with what it read
    context: click.Context,
    *,
    script: str,
    name: str,
    user_id: str | None,
    filter_text: str | None,
    attributes: Sequence[str],
    output: str,
) -> None:
    """Run a script, stored or not, without any effect.

    On a sample or a real user: options or refusal, and the log. With a filter: the differences to
    the active version, with what concerns most users first.
    """
    if sum(map(bool, (user_id, filter_text, attributes))) != 1:
        fail("Say on whom: --user, --user-id or --filter, and one of them only.", exit_code=USAGE)
    with opened(context) as product, failures_told():
        source = source_of(product, name, script)
        if filter_text:
            end = _on_many(
                product.comparisons.run(name, source, filter_text, by=operator()), script
            )
            emit(output, asdict(end), as_table(end, _kinds(product, name)))
            return
        if user_id:
            evaluation = product.scripts.dry_run_on(name, source, user_id, by=operator())
        else:
            sample = _sample(product, name, attributes)
            evaluation = product.scripts.dry_run(name, source, sample)
        data = as_data(evaluation) | {
            "options": evaluation.values,
            "refusal": evaluation.refusal,
            "log": list(evaluation.log),
        }
        emit(output, data, _decided(script, evaluation, _kinds(product, name)))
    ended = evaluation.outcome in {Outcome.OK, Outcome.REFUSED}
    context.exit(0 if ended else USAGE)


def source_of(product: Product, name: str, script: str) -> str:
    """Return the text of a file, of a version by its number, or of the active one."""
    if script == "active":
        return product.scripts.active(name).source
    if Path(script).is_file():
        return read(Path(script))
    if not script.isdecimal():
        fail(
            f'There is no file "{script}", and it is no number of a version, and not "active".',
            exit_code=USAGE,
        )
    return product.scripts.version(name, int(script)).source


def _sample(product: Product, name: str, attributes: Sequence[str]) -> User:
    plain: dict[str, object] = {}
    for given in attributes:
        plain |= _in_words(given) if "=" in given else _in_file(Path(given))
    try:
        # A test of nothing is read with the same care, and knows the same attributes.
        (read_back,) = product.scripts.language(name).read_tests(
            [{"name": "--user", "user": plain, "refused": ""}]
        )
    except InvalidInput as error:
        fail(f"The sample {error.right}", exit_code=USAGE)
    return sample_user(read_back.user)


def _in_words(given: str) -> dict[str, object]:
    attribute, _, value = given.partition("=")
    return {attribute: value.split(",") if attribute == _GROUPS else value}


def _in_file(file: Path) -> dict[str, object]:
    if not file.is_file():
        fail(
            f'"{file}" is neither ATTRIBUTE=VALUE, such as department=Finance, nor a file of JSON.',
            exit_code=USAGE,
        )
    try:
        found = json.loads(read(file))
    except (ValueError, RecursionError) as error:
        fail(f"{file}: this is no JSON: {error}", exit_code=USAGE)
    if not isinstance(found, dict):
        fail(f"{file}: this must be one user: an object of attributes.", exit_code=USAGE)
    return found


def _kinds(product: Product, name: str) -> Mapping[str, OptionKind]:
    return {kind.name: kind for kind in product.languages[name].declaration.options}


def _decided(script: str, evaluation: Evaluation, kinds: Mapping[str, OptionKind]) -> str:
    lines = [f"log: {line}" for line in evaluation.log]
    if evaluation.refusal is not None:
        lines.append(f"refused: {evaluation.refusal}")
    elif evaluation.values is None:
        lines.append(as_text(script, evaluation))
    else:
        lines += [f"{n}: {shown(kinds[n], value)}" for n, value in evaluation.values.items()]
    return "\n".join(lines)


def _on_many(steps: Iterator[Comparison], script: str) -> Comparison:
    try:
        return _with_progress(steps)
    except ScriptNotAccepted as error:
        fail(as_text(script, error.evaluation), exit_code=USAGE)
    except InvalidInput as error:
        fail(str(error), exit_code=USAGE)


def _with_progress(steps: Iterator[Comparison]) -> Comparison:
    """Go through all steps, with a bar on a terminal; return the end."""
    now = next(steps)
    hidden = not sys.stderr.isatty()
    with progressbar(
        length=max(now.total, 1), label="Users", file=sys.stderr, hidden=hidden
    ) as bar:
        done = 0
        for now in steps:
            bar.update(now.done - done)
            done = now.done
    return now


def as_table(end: Comparison, kinds: Mapping[str, OptionKind]) -> str:
    """Return a comparison as a person reads it: one line for all who differ in the same way."""
    if not end.done:
        return "No user matches the filter."
    lines = [f"{end.done} of {end.total} users, {end.same} without a difference."]
    for line in end.lines:
        changes = "; ".join(_changed(change, kinds) for change in line.changes)
        some = ", ".join(line.examples) + (", …" if line.count > len(line.examples) else "")
        users = "user" if line.count == 1 else "users"
        lines.append(f"{line.count:>6} {users}: {changes}  ({some})")
    if end.others:
        lines.append(f"{end.others:>6} more, with other differences")
    if end.ended != "complete":
        lines.append("It took too long and was ended: this is not all.")
    return "\n".join(lines)


def _changed(change: Change, kinds: Mapping[str, OptionKind]) -> str:
    if change.before is None and change.after is None:
        return f"{change.what} changes"
    if change.what == "outcome":
        return f"from {_ended(change.before)} to {_ended(change.after)}"
    kind = kinds.get(change.what)
    before, after = (
        str(value) if kind is None else shown(kind, value)
        for value in (change.before, change.after)
    )
    return f"{change.what} from {before} to {after}"


def _ended(outcome: object) -> str:
    """Return how a script ended, as a reader of the table would say it."""
    how, _, why = str(outcome).partition(": ")
    if how == Outcome.OK:
        return "options"
    return f'a refusal, "{why}"' if how == Outcome.REFUSED else f"an error, {why or how}"
