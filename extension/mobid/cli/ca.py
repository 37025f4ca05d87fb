"""`mobid ca`: what the CA says it can do, and whether its record agrees with ours."""

from __future__ import annotations

from typing import Any

import rich_click as click

from mobid.cli.context import emit, fail, failures_told, opened, operator, output_option


@click.group()
def ca() -> None:
    """The CA that certificates come from."""


@ca.command()
@output_option
@click.pass_context
def show(context: click.Context, output: str) -> None:
    """Ask the CA what it can do."""
    with opened(context) as product, failures_told():
        name = product.settings.authority
        known = product.authorities[name].capabilities()
    data: dict[str, Any] = {
        "name": name,
        "kinds": sorted(known.kinds),
        "holds": known.holds,
        "find": known.find,
        "reasons": sorted(reason.name.lower() for reason in known.reasons),
        "not_after": known.not_after.isoformat(),
    }
    shown = data | {key: ", ".join(data[key]) for key in ("kinds", "reasons")}
    emit(output, data, "\n".join(f"{key}: {value}" for key, value in shown.items()))


@ca.command()
@output_option
@click.pass_context
def reconcile(context: click.Context, output: str) -> None:
    """Ask the CA for the status of every live certificate, and draw the consequences."""
    with opened(context) as product, failures_told():
        product.reconciliation.probe()
        asked = product.reconciliation.run()
    emit(output, {"asked": asked}, f"{asked} certificates were asked for.")


@ca.command("declare-gone")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it, instead of only saying what it would mean.")
@output_option
@click.pass_context
def declare_gone(context: click.Context, name: str, output: str, *, yes: bool) -> None:
    """Say that a CA will never answer again: what waits for its revocations goes on without it.

    The mobile IDs are locked here. Their certificates are not confirmed as revoked by the CA, and
    whoever still trusts it may take them until they end.
    """
    with opened(context) as product, failures_told():
        waiting = len(product.lost_authorities.waiting(name))
        if not yes:
            fail(
                f'{waiting} revocations wait for the CA "{name}". To go on without its word, '
                f"add --yes: they will never be confirmed by it."
            )
        given_up = product.lost_authorities.declare_gone(name, by=operator())
    data = {"ca": name, "given_up": given_up, "confirmed_by_the_ca": False}
    text = f'{given_up} revocations are given up; they are not confirmed by the CA "{name}".'
    emit(output, data, text)
