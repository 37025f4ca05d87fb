"""What commands share: the home they work on, how they print, and how they fail."""

from __future__ import annotations

import getpass
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import rich_click as click
from click.exceptions import Exit

from mobid.app import Product, is_ready, load_settings
from mobid.auth.errors import AuthError
from mobid.ca import CAError
from mobid.config import ConfigError, is_home
from mobid.domain.actors import Actor, ActorKind
from mobid.domain.errors import DomainError
from mobid.processes.authority import AuthorityError
from mobid.processes.errors import ProcessError
from mobid.storage import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mobid.config import Settings
    from mobid.config.load import Loaded

USAGE: Final = 2
"""The exit code for what was asked for wrongly."""

KNOWN_ERRORS: Final = (
    AuthError,
    AuthorityError,
    CAError,
    ConfigError,
    DomainError,
    ProcessError,
    StorageError,
)
"""Errors whose message is written for the person at the keyboard."""


output_option: Final = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the answer is printed.",
)


def fail(message: str, *, exit_code: int = 1) -> NoReturn:
    """End the command: say why on stderr, and what to do. Plain lines, so that nothing is cut."""
    click.echo(f"Error: {message}", err=True)
    raise Exit(exit_code)


def emit(output: str, data: object, text: str) -> None:
    """Print an answer, for people or for programs."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False) if output == "json" else text)


def home_of(context: click.Context) -> Path:
    """Return the home that the command works on; fail if there is none."""
    home: Path = context.obj
    if not is_home(home):
        fail(
            f'"{home}" is no home of mobid. Make one with: mobid --home {home} init',
            exit_code=USAGE,
        )
    return home


def loaded_of(context: click.Context) -> Loaded:
    """Return the settings of that home and where they come from; fail with every fault."""
    home = home_of(context)
    try:
        return load_settings(home, os.environ)
    except ConfigError as error:
        fail(str(error), exit_code=USAGE)


def settings_of(context: click.Context) -> Settings:
    """Return the settings of that home; fail with every fault."""
    return loaded_of(context).settings


@contextmanager
def opened(context: click.Context) -> Iterator[Product]:
    """Open the product for one command; what goes wrong is told in its own words."""
    settings = settings_of(context)
    with failures_told():
        if not is_ready(settings):
            fail(
                f"The database has not the schema of this version. Run: mobid --home {settings.home} migrate"
            )
        with Product(settings) as product:
            yield product


@contextmanager
def failures_told() -> Iterator[None]:
    """Turn errors that people can mend into failures of the command; faults of ours stay faults."""
    try:
        yield
    except KNOWN_ERRORS as error:
        fail(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        fail(
            f'"{error.filename}" cannot be used ({error.strerror}). '
            "Look at its permissions, and at the space on its disk."
        )


def operator() -> Actor:
    """Return who is at the keyboard, as the operating system knows them."""
    return Actor(ActorKind.OPERATOR, f"cli:{getpass.getuser()}")
