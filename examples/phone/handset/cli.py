"""The command line: `claim`, `keys` and `collect` are the steps of `enrol`; then `status` and `remove`."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from . import link
from .channel import Channel
from .enrolment import DEVICE_KEY, Enrolment, MailCode
from .errors import PhoneError, Refused, Usage
from .pocket import Pocket
from .telling import complain, tell_person, tell_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PASSWORD_VARIABLE: Final = "PHONE_PASSWORD"  # noqa: S105  the name of a variable, not a password
PATIENCE: Final = 900.0  # seconds


def main(arguments: Sequence[str]) -> int:
    """Run one command; return 0 when done, 1 when refused or failed, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options, tell_program if options.json else tell_person)
    except PhoneError as error:
        code = error.server_code if isinstance(error, Refused) else error.code
        complain(error, code=code, as_json=options.json)
        return error.exit_status
    return 0


def enrol(options: argparse.Namespace, tell: Callable[..., None]) -> None:
    """Do all steps that are left."""
    password = _password(options.password_file)
    pocket = Pocket(options.state)
    if pocket.state().get("active"):
        raise Usage(f"The phone in {options.state} has its mobile ID; take a new folder.")
    if "kid" not in pocket.state():
        claim(options, tell)
    enrolment = _enrolment(options, tell)
    if not pocket.state().get("keys_sent"):
        enrolment.send_keys()
    enrolment.collect(password, patience=options.wait)


def claim(options: argparse.Namespace, tell: Callable[..., None]) -> None:
    """Claim the code."""
    found = _link(options)
    pocket = Pocket(options.state)
    if "kid" in pocket.state():
        raise Usage(f"The phone in {options.state} has claimed a code before; take a new folder.")
    channel = Channel(found.server, pocket.key(DEVICE_KEY), options.ca_file)
    device = {"name": options.name, "platform": "simulator", "model": "command line"}
    asked = partial(_secret, "Code from the page: ") if sys.stdin.isatty() else None
    mail_code = MailCode(options.mail_code, asked)
    Enrolment(channel, pocket, tell).claim(found.code, device, mail_code)


def keys(options: argparse.Namespace, tell: Callable[..., None]) -> None:
    """Make the keys and send them."""
    _enrolment(options, tell).send_keys()


def collect(options: argparse.Namespace, tell: Callable[..., None]) -> None:
    """Wait for the certificates, install them and confirm."""
    password = _password(options.password_file)
    _enrolment(options, tell).collect(password, patience=options.wait)


def status(options: argparse.Namespace, tell: Callable[..., None]) -> None:
    """Ask for the state of the mobile ID."""
    tell("status", state=_enrolment(options, tell).status())


def remove(options: argparse.Namespace, tell: Callable[..., None]) -> None:
    """Lock the mobile ID and delete its keys."""
    tell("removed", state=_enrolment(options, tell).remove())


def _enrolment(options: argparse.Namespace, tell: Callable[..., None]) -> Enrolment:
    pocket = Pocket(options.state)
    server = pocket.state().get("server")
    if server is None:
        raise Usage(f"The phone in {options.state} has claimed no code yet.")
    channel = Channel(link.server_of(server), pocket.key(DEVICE_KEY), options.ca_file)
    return Enrolment(channel, pocket, tell)


def _link(options: argparse.Namespace) -> link.Link:
    given = [options.picture is not None, options.mail is not None, options.url, options.code]
    if sum(given) != 1 or (options.server is not None) != options.code:
        raise Usage("Give a PICTURE, or --mail, or --url, or --code with --server.")
    if options.picture is not None:
        return link.from_picture(options.picture)
    if options.mail is not None:
        return link.from_mail(options.mail)
    if options.url:
        return link.from_text(_secret("Link: "))
    return link.from_typed(options.server, _secret("Code: "))


def _secret(prompt: str) -> str:
    """Read a line from a person without echo, or from a pipe."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline(1000)


def _password(file: Path | None) -> bytes:
    """Return the password of the PKCS#12 files: from a file, the environment, or a person."""
    if file is not None:
        try:
            password = file.read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise Usage(f"The password file {file} cannot be read: {error.strerror}.") from None
    elif PASSWORD_VARIABLE in os.environ:
        password = os.environ[PASSWORD_VARIABLE].encode()
    elif sys.stdin.isatty():
        password = getpass.getpass("Password for the certificate files: ").encode()
    else:
        raise Usage(f"Give a password: --password-file, or the variable {PASSWORD_VARIABLE}.")
    if not password:
        raise Usage("The password for the certificate files is empty.")
    return password


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="phone.py", description="A phone on the command line that gets a mobile ID."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = partial(_add, commands)
    for command in (add("enrol", enrol), add("claim", claim)):
        _add_code_options(command)
    for command in (commands.choices["enrol"], add("collect", collect)):
        command.add_argument(
            "--password-file",
            type=Path,
            metavar="FILE",
            help=f"password of the PKCS#12 files (else ${PASSWORD_VARIABLE}, else a prompt)",
        )
        command.add_argument(
            "--wait",
            type=_seconds,
            default=PATIENCE,
            metavar="SECONDS",
            help="how long to wait for the approval (default: 900)",
        )
    add("keys", keys)
    add("status", status)
    add("remove", remove)
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace, Callable[..., None]], None],
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
    command.set_defaults(run=run)
    command.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="where the phone keeps its keys"
    )
    command.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="trust the server under these CAs (PEM) only"
    )
    command.add_argument("--json", action="store_true", help="tell a program, in lines of JSON")
    return command


def _add_code_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "picture",
        type=Path,
        nargs="?",
        metavar="PICTURE",
        help="a picture or screenshot of the QR code",
    )
    command.add_argument(
        "--mail", type=Path, metavar="FILE.eml", help="the mail with the QR code, as it was saved"
    )
    command.add_argument(
        "--mail-code",
        metavar="CODE",
        help="what the page shows beside a code that came by mail (else a prompt)",
    )
    command.add_argument("--url", action="store_true", help="read the link from standard input")
    command.add_argument(
        "--code", action="store_true", help="read the typed code from standard input"
    )
    command.add_argument("--server", metavar="URL", help="the server of the typed code")
    command.add_argument("--name", default="Phone simulator", help="how the phone calls itself")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 24 * 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds up to a day")
    return seconds
