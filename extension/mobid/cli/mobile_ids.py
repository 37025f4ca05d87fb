"""`mobid mobile-ids`: look at mobile IDs, hold and lift, and decide about what a mass change has held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from mobid.cli.context import USAGE, emit, fail, failures_told, opened, operator, output_option
from mobid.domain.errors import DomainError
from mobid.domain.mobile_ids import Hold, ProfileState
from mobid.processes.care import standing_of
from mobid.processes.errors import ProcessError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from mobid.domain.certificates import Certificate
    from mobid.domain.mobile_ids import MobileID, Placed
    from mobid.processes.care import Care, Report

MOST: Final = 1000

_client: Final = click.option(
    "--client", help="All that the deletions of this SCIM client have suspended."
)
_STATES: Final = [state.value for state in ProfileState]
_HOLDS: Final = [hold.value for hold in Hold]
_ids: Final = click.argument("mobile_ids", nargs=-1)


@click.group("mobile-ids")
def mobile_ids() -> None:
    """Mobile IDs: their states and holds, and what the CA says of their certificates."""


@mobile_ids.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--hold", type=click.Choice(_HOLDS), help="Only those with this hold.")
@click.option(
    "--limit", type=click.IntRange(1, MOST), default=50, show_default=True, help="At most so many."
)
@output_option
@click.pass_context
def list_mobile_ids(
    context: click.Context, state: str | None, hold: str | None, limit: int, output: str
) -> None:
    """List mobile IDs, those first that changed last."""
    with opened(context) as product:
        found = product.care.latest(
            limit,
            state=ProfileState(state) if state else None,
            hold=Hold(hold) if hold else None,
        )
    lines = [
        f"{one.profile.id}  {one.profile.state}  {one.user.user_name}"
        f"{'  held: ' + ', '.join(sorted(one.profile.holds)) if one.profile.holds else ''}"
        for one in found
    ]
    emit(output, [_summary(one) for one in found], "\n".join(lines) or "There is no mobile ID.")


@mobile_ids.command()
@click.argument("mobile_id")
@output_option
@click.pass_context
def show(context: click.Context, mobile_id: str, output: str) -> None:
    """Show one with its holds, and each certificate as we want it and as its CA has it."""
    with opened(context) as product, failures_told():
        report = product.care.show(mobile_id)
    emit(output, _whole(report), "\n".join(_lines(report)))


@mobile_ids.command()
@click.argument("mobile_id")
@click.option("--reason", required=True, help="Why, for the audit and for whoever lifts it.")
@output_option
@click.pass_context
def hold(context: click.Context, mobile_id: str, reason: str, output: str) -> None:
    """Suspend a mobile ID; it stays so until an operator lifts the hold."""
    with opened(context) as product, failures_told():
        product.care.hold(mobile_id, by=operator(), why=reason)
        report = product.care.show(mobile_id)
    emit(output, _whole(report), "\n".join(_lines(report)))


@mobile_ids.command()
@click.argument("mobile_id")
@click.option("--reason", default="", help="Why, for the audit.")
@output_option
@click.pass_context
def lift(context: click.Context, mobile_id: str, reason: str, output: str) -> None:
    """Lift an operator's hold. It is active once no other hold stands and the CA has confirmed."""
    with opened(context) as product, failures_told():
        product.care.lift(mobile_id, by=operator(), why=reason)
        report = product.care.show(mobile_id)
    emit(output, _whole(report), "\n".join(_lines(report)))


@mobile_ids.command()
@_client
@_ids
@output_option
@click.pass_context
def release(
    context: click.Context, client: str | None, mobile_ids: tuple[str, ...], output: str
) -> None:
    """A mass deletion was meant: lock what it has suspended, one by one."""
    with opened(context) as product, failures_told():
        chosen = _chosen(product.care, client, mobile_ids)
        _each(chosen, lambda one: product.care.release(one, by=operator()), output)


@mobile_ids.command()
@_client
@_ids
@output_option
@click.pass_context
def restore(
    context: click.Context, client: str | None, mobile_ids: tuple[str, ...], output: str
) -> None:
    """A mass deletion was a mistake: bring the users back, and lift what it has placed."""
    with opened(context) as product, failures_told():
        chosen = _chosen(product.care, client, mobile_ids)
        _each(chosen, lambda one: product.care.restore(one, by=operator()), output)


def _chosen(care: Care, client: str | None, ids: Sequence[str]) -> Sequence[str]:
    if bool(client) == bool(ids):
        fail("Name mobile IDs, or a client with --client: one of the two.", exit_code=USAGE)
    return care.held_by_mass_change_of(client) if client else ids


def _each(ids: Sequence[str], change: Callable[[str], MobileID], output: str) -> None:
    """Change one after the other, each whole or not at all; fail at the end if one was refused."""
    done, refused = [], {}
    for mobile_id in ids:
        try:
            done.append(change(mobile_id))
        except (ProcessError, DomainError) as error:
            refused[mobile_id] = str(error)
    data = {
        "done": [{"id": one.id, "state": one.state.value} for one in done],
        "refused": refused,
    }
    lines = [f"{one.id} is {one.state}." for one in done]
    emit(output, data, "\n".join(lines) or "There was nothing to do.")
    if refused:
        fail("\n".join(refused.values()))


def _summary(report: Report) -> dict[str, Any]:
    profile = report.profile
    return {
        "id": profile.id,
        "state": profile.state.value,
        "user": {
            "id": report.user.id,
            "user_name": report.user.user_name,
            "state": report.user.state.value,
        },
        "holds": [
            {
                "hold": hold.value,
                "placed_by": str(placed.placed_by),
                "placed_at": _moment(placed.placed_at),
                "why": placed.why,
            }
            for hold, placed in sorted(profile.holds.items())
        ],
        "valid_to": _moment(profile.valid_to),
    }


def _whole(report: Report) -> dict[str, Any]:
    return _summary(report) | {"certificates": [_certificate(one) for one in report.certificates]}


def _certificate(one: Certificate) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind.value,
        "ca": one.ca,
        "serial": one.serial,
        "wanted": one.wanted.value,
        "ca_state": one.ca_state.value,
        "quarantined": one.quarantined,
        "settled": one.settled,
        "not_after": _moment(one.not_after),
        "standing": standing_of(one),
    }


def _lines(report: Report) -> Sequence[str]:
    profile = report.profile
    whose = f"{profile.profile_name} of {report.user.user_name}, who is {report.user.state}"
    return [
        f"{profile.id} is {profile.state}; {whose}.",
        *map(_hold_line, sorted(profile.holds.items())),
        *map(_certificate_line, report.certificates),
    ]


def _hold_line(placed: tuple[Hold, Placed]) -> str:
    hold, facts = placed
    when = f"{facts.placed_at:%Y-%m-%d %H:%M} UTC"
    return f"  hold {hold}: placed by {facts.placed_by} on {when}. {facts.why}"


def _certificate_line(one: Certificate) -> str:
    return f"  {one.kind} {one.serial or '(no serial yet)'}: {standing_of(one)}"


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
