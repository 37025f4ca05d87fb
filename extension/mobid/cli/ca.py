"""`mobid ca`: what the CA says it can do, and whether its record agrees with ours."""

from __future__ import annotations

from typing import Any

import rich_click as click

from mobid.cli.context import emit, failures_told, opened, output_option


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
