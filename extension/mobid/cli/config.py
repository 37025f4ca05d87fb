"""`mobid config`: whether the settings can be used, what holds and where it comes from, and what there is."""

from __future__ import annotations

import os
from dataclasses import asdict

import rich_click as click

from mobid.app import load_settings
from mobid.cli.context import emit, home_of, loaded_of, output_option
from mobid.config import InvalidSettings
from mobid.config.reference import effective, markdown
from mobid.config.schema import SETTINGS


@click.group()
def config() -> None:
    """The settings of a home."""


@config.command()
@output_option
@click.pass_context
def check(context: click.Context, output: str) -> None:
    """Tell every fault of mobid.toml, the environment and the CA's table. Exit 0: none, 1: some."""
    try:
        load_settings(home_of(context), os.environ)
    except InvalidSettings as invalid:
        faults = [asdict(fault) for fault in invalid.faults]
        emit(output, {"ok": False, "faults": faults}, str(invalid))
        context.exit(1)
    emit(output, {"ok": True, "faults": []}, "The settings can be used.")


@config.command()
@output_option
@click.pass_context
def show(context: click.Context, output: str) -> None:
    """Show what holds and where it comes from; secrets are not shown."""
    settings = list(effective(loaded_of(context)))
    lines = [
        f"{one.name} = {one.value}  ({one.origin}{': ' if one.source else ''}{one.source})"
        for one in settings
    ]
    emit(output, [asdict(one) for one in settings], "\n".join(lines))


@config.command()
@output_option
def docs(output: str) -> None:
    """List every setting: what it is for, what holds otherwise, and what is accepted."""
    data = [
        {
            "name": one.name,
            "variable": one.variable,
            "about": one.about,
            "otherwise": one.otherwise,
            "accepted": one.accepts.words,
            "secret": one.secret,
            "required": one.required,
        }
        for one in SETTINGS.values()
    ]
    emit(output, data, markdown())
