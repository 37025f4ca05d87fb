"""`mobid scripts stub` and `manual`: what there is to write, for editors and for people."""

from __future__ import annotations

import rich_click as click

from mobid import optionscripts
from mobid.cli.scripts.files import NAME, language_of


@click.command()
@NAME
@click.pass_context
def stub(context: click.Context, name: str) -> None:
    """Print a stub (.pyi) by which editors complete and check scripts, as this site speaks.

    Save it as __builtins__.pyi beside your scripts.
    """
    with language_of(context, name) as language:
        click.echo(optionscripts.stub(name, language.declaration))


@click.command()
def manual() -> None:
    """Print the manual of the language: options, attributes, functions, tests and errors."""
    click.echo(optionscripts.manual(), nl=False)
