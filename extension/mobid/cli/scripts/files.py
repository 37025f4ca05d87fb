"""Files of scripts and of tests, the words of the site for them, and waiting for them to change."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click

from mobid.app.languages import languages
from mobid.cli.context import USAGE, fail, failures_told, settings_of
from mobid.config import is_home
from mobid.optionscripts import ENDING, NAMES, SCRIPT_NAME, plain_tests
from mobid.processes.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mobid.optionscripts import ScriptLanguage

RED: Final = 3
"""The exit code for tests that failed."""

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
FILES: Final = click.Path(exists=True, path_type=Path)
NAME: Final = click.option(
    "--name",
    type=click.Choice(NAMES),
    default=SCRIPT_NAME,
    show_default=True,
    help="Which script.",
)
WATCH: Final = click.option("--watch", is_flag=True, help="Do it again whenever a file is saved.")

_SCRIPTS: Final = ("*.txt", "*.py")
_EVERY: Final = 0.3


class Unreadable(Exception):
    """A file that is no text, or that nobody here may read."""

    def __init__(self, file: Path, why: str) -> None:
        self.file = file
        super().__init__(f"{file}: {why}")


def text_of(file: Path) -> str:
    """Return the text of a file; raise `Unreadable`."""
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(
            file, f"this is not UTF-8 (byte {error.start}). Save it as UTF-8."
        ) from None
    except OSError as error:
        raise Unreadable(file, f"this can not be read ({error.strerror}).") from None


def read(file: Path) -> str:
    """Return the text of a file, or fail."""
    try:
        return text_of(file)
    except Unreadable as error:
        fail(str(error), exit_code=USAGE)


def scripts_in(path: Path) -> Sequence[Path]:
    """Return a script, or all scripts of a folder."""
    if path.is_file():
        return [path]
    found = sorted(file for pattern in _SCRIPTS for file in path.glob(pattern))
    if not found:
        fail(
            f'There is no script in "{path}": it has no file {" or ".join(_SCRIPTS)}.',
            exit_code=USAGE,
        )
    return found


def tests_beside(script: Path) -> Path:
    """Return where the tests of a script are, whether there are any or not."""
    return script.with_name(script.stem + ENDING)


def read_tests(file: Path) -> list[object]:
    """Return the tests in a file as plain values; fail with what is wrong with it."""
    try:
        return plain_tests(read(file))
    except InvalidInput as error:
        fail(f"{file}: {error}", exit_code=USAGE)


@contextmanager
def language_of(context: click.Context, name: str) -> Iterator[ScriptLanguage]:
    """Give the language of a script as the home has it; without a home, as any site could have it."""
    settings = settings_of(context) if is_home(context.obj) else None
    if settings is None:
        click.echo(f'("{context.obj}" is no home of mobid: any site\'s words are known.)', err=True)
    with failures_told(), languages(settings) as known:
        yield known[name]


def pause() -> None:
    """Wait until it is worth looking again."""
    threading.Event().wait(_EVERY)


def saved(path: Path, wait: Callable[[], None] = pause) -> Iterator[None]:
    """Yield now, and whenever a script or its tests below a path are saved, made, or removed."""
    seen = None
    while True:
        found = _state(path)
        if found != seen:
            seen = found
            yield
        else:
            wait()


def _state(path: Path) -> dict[Path, int]:
    """Return when each file was changed; one that goes away meanwhile is not there."""
    folder, stem = (path, "") if path.is_dir() else (path.parent, path.stem)
    found = {}
    for file in folder.iterdir():
        if file.name.startswith(stem) and file.suffix in {".txt", ".py", ".toml"}:
            try:
                found[file] = file.stat().st_mtime_ns
            except FileNotFoundError:
                continue
    return found
