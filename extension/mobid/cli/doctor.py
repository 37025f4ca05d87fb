"""`mobid doctor`: everything that a deployment stands on, in one table, with what to do."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import rich_click as click

from mobid.app.doctor import Health
from mobid.app.doctor import doctor as examine
from mobid.cli.context import emit, home_of, output_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.app.doctor import Finding

_COLOURS: Final = {Health.OK: "green", Health.WARNING: "yellow", Health.FAILED: "red"}


@click.command()
@output_option
@click.pass_context
def doctor(context: click.Context, output: str) -> None:
    """Look at everything that mobid stands on. Exit 0: nothing failed, 1: something did."""
    findings = list(examine(home_of(context), os.environ))
    healthy = all(one.health is not Health.FAILED for one in findings)
    emit(output, {"ok": healthy, "findings": [asdict(one) for one in findings]}, _table(findings))
    context.exit(0 if healthy else 1)


def _table(findings: Sequence[Finding]) -> str:
    """Return a line for each finding, and one more with the remedy where there is one."""
    width = max(len(one.name) for one in findings)
    lines: list[str] = []
    for one in findings:
        health = click.style(f"{one.health:<7}", fg=_COLOURS[one.health])
        lines.append(f"{health}  {one.name:<{width}}  {' '.join(one.seen.split())}")
        if one.remedy:
            lines.append(f"{'':<{width + 9}}  {one.remedy}")
    return "\n".join(lines)
