"""The command `mobid`: every command reads its options, makes one call, and prints an answer."""

from __future__ import annotations

import os
from pathlib import Path

import rich_click as click

from mobid.app.logs import configure
from mobid.cli.audit import audit
from mobid.cli.ca import ca
from mobid.cli.config import config
from mobid.cli.demo import demo
from mobid.cli.doctor import doctor
from mobid.cli.effects import effects
from mobid.cli.frontends import frontend
from mobid.cli.mobile_ids import mobile_ids
from mobid.cli.scripts import scripts
from mobid.cli.serve import serve, worker
from mobid.cli.setup import init, migrate
from mobid.cli.tokens import token
from mobid.config import LogFormat, LogLevel

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    envvar="MOBID_HOME",
    type=click.Path(path_type=Path),
    default=Path("mobid-home"),
    show_default=True,
    help="The directory of mobid.toml, keys and the embedded database.",
)
@click.version_option(package_name="mobid", message="mobid %(version)s")
@click.pass_context
def main(context: click.Context, home: Path) -> None:
    """Mobile IDs for the identity platform that you already have."""
    # Whatever a command writes - database, journals, locks - is for its owner only.
    os.umask(0o077)
    configure(LogLevel.WARNING, LogFormat.AUTO)
    context.obj = home


for command in (
    audit,
    ca,
    config,
    demo,
    doctor,
    effects,
    frontend,
    init,
    migrate,
    mobile_ids,
    scripts,
    serve,
    token,
    worker,
):
    main.add_command(command)
