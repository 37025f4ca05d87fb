"""`mobid demo`: everything at once in a home that is thrown away, or the whole path in the terminal."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import rich_click as click
from click.core import ParameterSource

from mobid.cli.context import USAGE, fail
from mobid.cli.serve import on_termination

if TYPE_CHECKING:
    from collections.abc import Iterator

PHONE: Final = Path(__file__).parents[4] / "examples" / "phone" / "phone.py"
"""Where the phone lies in a clone of the repository."""


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="Keep everything here."
)
@click.option("--walk", is_flag=True, help="Walk the whole path in the terminal, then stop.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the walk leaves what it saw.",
)
@click.option(
    "--phone",
    type=click.Path(path_type=Path),
    default=PHONE,
    help="The program that plays the phone.",
)
@click.option(
    "--mails",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write every mail into this folder, too, as it was sent (.eml).",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Settings for the new home (a mobid.toml), such as those of another CA.",
)
@click.pass_context
def demo(  # noqa: PLR0917  # click gives options by their names
    context: click.Context,
    port: int,
    home: Path | None,
    keep: Path | None,
    phone: Path,
    mails: Path | None,
    config: Path | None,
    *,
    walk: bool,
) -> None:
    """Start mobid with sample users and a CA of its own."""
    if not walk and keep is not None:
        fail("--keep says where the walk leaves what it saw; use it with --walk.", exit_code=USAGE)
    if walk and mails is not None:
        fail("The walk keeps its mails below --keep; use --mails without --walk.", exit_code=USAGE)
    if home is None:
        refuse_what_would_stay(context)
    with (
        on_termination(interrupt),
        tempfile.TemporaryDirectory(prefix="mobid-demo-") as scratch,
    ):
        place = home or Path(scratch, "home")
        if walk:
            sys.exit(run_walk(place, keep, phone, config))
        run_server(place, port, kept=home is not None, mails=mails, config=config)


def refuse_what_would_stay(context: click.Context) -> None:
    """A demo without a home of its own leaves nothing behind, so nothing may send it elsewhere."""
    group = context.parent
    if group is not None and group.get_parameter_source("home") is ParameterSource.COMMANDLINE:
        fail(
            f"The home of a demo stands after it: mobid demo --home {context.obj}", exit_code=USAGE
        )
    for variable in ("MOBID_DATABASE_URL", "MOBID_DATABASE_URL_FILE"):
        if variable in os.environ:
            fail(
                f"{variable} is set, and what this demo makes would stay in that database. "
                "Unset it, or keep the whole demo with: mobid demo --home DIRECTORY",
                exit_code=USAGE,
            )


def interrupt() -> NoReturn:
    """End as Ctrl-C does, so that whatever was started is stopped and what is scratch is removed."""
    raise KeyboardInterrupt


def run_walk(home: Path, keep: Path | None, phone: Path, config: Path | None) -> int:
    """Walk the path; the parts that only the walk needs are imported here, and named if missing."""
    if not phone.is_file():
        fail(
            f'There is no phone at "{phone}". Get examples/phone from the source of mobid, and name '
            "its phone.py with --phone.",
            exit_code=USAGE,
        )
    with extra_needed():
        from mobid.cli.demo.walk import walk  # noqa: PLC0415  # needs the extra "demo"
    return walk(home, keep, phone, config)


def run_server(
    home: Path, port: int, *, kept: bool, mails: Path | None, config: Path | None
) -> None:
    """Serve, with a mail server of its own."""
    with extra_needed():
        from mobid.cli.demo.server import serve_demo  # noqa: PLC0415  # needs the extra "demo"
    if mails is not None:
        mails.mkdir(parents=True, exist_ok=True)
    serve_demo(home, port, kept=kept, mails=mails, config=config)


@contextmanager
def extra_needed() -> Iterator[None]:
    """Name what is missing, and how to get it, if the extra "demo" is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        fail(
            f"The demo needs the extra \"demo\" ({error.name} is missing): pip install 'mobid[demo]'",
            exit_code=USAGE,
        )
