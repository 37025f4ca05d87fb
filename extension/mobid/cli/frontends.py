"""`mobid frontend`: user interfaces of somebody else that may call the hooks for a signed-in user."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from mobid.cli.context import emit, failures_told, opened, operator, output_option


@click.group()
def frontend() -> None:
    """Registered front ends, each with a public key of its own."""


@frontend.command()
@click.argument("name")
@click.option(
    "--public-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="A PEM file with the public key (EC P-256 or Ed25519) that signs its assertions.",
)
@output_option
@click.pass_context
def add(context: click.Context, name: str, public_key: Path, output: str) -> None:
    """Register a front end; from now on it may say who is signed in there, a minute at a time."""
    with opened(context) as product, failures_told():
        product.front_ends.register(name, public_key.read_bytes(), by=operator())
    emit(output, {"name": name}, f"{name} is registered.")


@frontend.command("list")
@output_option
@click.pass_context
def list_front_ends(context: click.Context, output: str) -> None:
    """List the front ends."""
    with opened(context) as product:
        known = product.front_ends.all()
    data = [{"name": one.name, "revoked": one.revoked_at is not None} for one in known]
    lines = [f"{one.name}{'  revoked' if one.revoked_at else ''}" for one in known]
    emit(output, data, "\n".join(lines) or "There is no front end.")


@frontend.command()
@click.argument("name")
@output_option
@click.pass_context
def revoke(context: click.Context, name: str, output: str) -> None:
    """Revoke a front end; its assertions are refused from the next request on."""
    with opened(context) as product, failures_told():
        product.front_ends.revoke(name, by=operator())
    emit(output, {"name": name, "revoked": True}, f"{name} is revoked.")
