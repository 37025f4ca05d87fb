"""`mobid effects`: what waits to be done, at which attempt, and dead letters."""

from __future__ import annotations

import rich_click as click

from mobid.cli.context import emit, failures_told, opened, output_option


@click.group()
def effects() -> None:
    """What rows want done outside their transaction: CA calls, mails, runs that wait for a CA."""


@effects.command("list")
@output_option
@click.pass_context
def list_effects(context: click.Context, output: str) -> None:
    """List what waits, with its attempt, its age and its last error."""
    with opened(context) as product:
        waiting = product.effects.overview()
    data = [
        {
            "kind": one.kind,
            "id": one.id,
            "attempt": one.attempt,
            "age_seconds": round(one.age.total_seconds()),
            "dead": one.dead,
            "error": one.error,
        }
        for one in waiting
    ]
    lines = [
        f"{one.kind} {one.id}  attempt {one.attempt}  {round(one.age.total_seconds())} s"
        f"{'  DEAD' if one.dead else ''}{'  ' + one.error if one.error else ''}"
        for one in waiting
    ]
    emit(output, data, "\n".join(lines) or "Nothing waits.")


@effects.command()
@click.argument("kind")
@click.argument("row_id")
@output_option
@click.pass_context
def requeue(context: click.Context, kind: str, row_id: str, output: str) -> None:
    """Put a dead letter back: it is tried again now."""
    with opened(context) as product, failures_told():
        product.effects.requeue(kind, row_id)
    emit(output, {"kind": kind, "id": row_id, "requeued": True}, f"{kind} {row_id} is tried again.")
