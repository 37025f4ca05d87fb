"""`mobid init` and `mobid migrate`: make a home, and bring its database to this version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from mobid.app import initialise
from mobid.cli.context import emit, failures_told, output_option, settings_of
from mobid.config import create_home, is_home

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.option(
    "--ca-name", default="mobid CA", show_default=True, help="The name in the CA certificate."
)
@output_option
@click.pass_context
def init(context: click.Context, ca_name: str, output: str) -> None:
    """Make a home: mobid.toml, keys (0600), database, and the built-in CA. Safe to repeat."""
    home: Path = context.obj
    with failures_told():
        if not is_home(home):
            create_home(home)
        settings = settings_of(context)
        initialise(settings, ca_name=ca_name)
    data = {"home": str(settings.home), "public_url": settings.public_url, "ca": settings.authority}
    emit(output, data, f"{settings.home} is ready. Start it with: mobid --home {home} serve")


@click.command()
@output_option
@click.pass_context
def migrate(context: click.Context, output: str) -> None:
    """Bring the database to the schema of this version."""
    settings = settings_of(context)
    with failures_told():
        initialise(settings)
    emit(output, {"home": str(settings.home), "migrated": True}, "The database is up to date.")
