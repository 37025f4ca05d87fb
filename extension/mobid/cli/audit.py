"""`mobid audit`: whether anybody has touched the audit log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import rich_click as click

from mobid.audit import Verdict
from mobid.cli.context import emit, opened, output_option

EXIT_CODES: Final = {Verdict.OK: 0, Verdict.TAMPERED: 1, Verdict.CANNOT_TELL: 2}


@click.group()
def audit() -> None:
    """The audit log: chained, and signed at checkpoints."""


@audit.command()
@output_option
@click.pass_context
def verify(context: click.Context, output: str) -> None:
    """Read the whole log. Exit 0: untouched, 1: tampered with, 2: it cannot be told."""
    with opened(context) as product:
        report = product.verify_audit()
    text = f"{report.verdict}: {report.records} records, {report.signed} under a signature. {report.reason}"
    emit(output, asdict(report), text.strip())
    context.exit(EXIT_CODES[report.verdict])
