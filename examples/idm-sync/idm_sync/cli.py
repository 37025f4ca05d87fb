"""The command line: `--sample` writes a file of people, everything else syncs one."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx2

from .errors import SyncError, Usage
from .line import PATIENCE, Patient, open_line
from .people import read_people, write_people
from .provider import Provider
from .sample import sample
from .syncing import Syncing
from .telling import Terminal, result

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN_VARIABLE: Final = "SCIM_TOKEN"  # noqa: S105  the name of a variable, not a token
MOST_PEOPLE: Final = 1_000_000
STOPPED: Final = 128 + signal.SIGINT


def main(arguments: Sequence[str]) -> int:
    """Run once; return 0 in step, 1 refused in part or failed, 2 wrong usage, 3 too many would leave."""
    options = _parser().parse_args(arguments)
    terminal = Terminal()
    try:
        return _run(options, terminal)
    except SyncError as error:
        terminal.complain(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        terminal.complain("Stopped. What was written is written; run it again to go on.")
        return STOPPED


def _run(options: argparse.Namespace, terminal: Terminal) -> int:
    if options.sample is not None:
        write_people(options.people, sample(options.sample))
        return 0
    if options.url is None:
        raise Usage("Say where the service provider is: --url https://host/scim/v2")
    people = read_people(options.people)
    token = _token(options.token_file)
    line = Patient(httpx2.HTTPTransport(), terminal.wait, options.patience)
    with open_line(options.url, token, line) as http:
        syncing = Syncing(Provider(http), terminal, dry=options.dry_run)
        tally = syncing.run(people, most_leavers=options.most_leavers)
    result(tally, dry=options.dry_run, as_json=options.json)
    return 1 if tally.refused else 0


def _token(file: Path | None) -> str:
    """Return the token from a file or the environment: arguments can be seen by others."""
    if file is not None:
        try:
            token = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise Usage(f"The token file {file} cannot be read.") from None
    else:
        token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token.isascii() or not token.isprintable() or not token:
        raise Usage(f"Give a token: --token-file, or the variable {TOKEN_VARIABLE}.")
    return token


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sync.py", description="Keep a SCIM service provider in step with a file of people."
    )
    parser.add_argument("people", type=Path, metavar="PEOPLE.CSV")
    parser.add_argument(
        "--url", help="base URL of the service provider, such as https://host/scim/v2"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help=f"the bearer token (else ${TOKEN_VARIABLE})"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument(
        "--most-leavers",
        type=_count,
        metavar="N",
        help="deactivate at most so many, or nobody (default: 20, or 5 %% if that is more)",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=PATIENCE,
        metavar="SECONDS",
        help="how long one request may wait for its turn (default: 300)",
    )
    parser.add_argument("--json", action="store_true", help="tell a program, in a line of JSON")
    parser.add_argument(
        "--sample", type=_count, metavar="N", help="write PEOPLE.CSV anew, with N made-up people"
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= MOST_PEOPLE:
        raise ValueError(text)
    return number
