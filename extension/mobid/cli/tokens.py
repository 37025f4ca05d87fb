"""`mobid token`: bearer tokens of SCIM clients and administrators. A token is shown once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import rich_click as click

from mobid.auth.tokens import DEFAULT_LIFE, LONGEST_LIFE, SCOPES
from mobid.cli.context import emit, failures_told, opened, operator, output_option
from mobid.storage.tables.access import Audience
from mobid_scim.dialect import STRICT
from mobid_scim.dialects import DIALECTS

ALL_SCOPES: Final = sorted(scope for scopes in SCOPES.values() for scope in scopes)


@click.group()
def token() -> None:
    """Bearer tokens of SCIM clients and administrators."""


@token.command()
@click.option("--client", required=True, help="Whose token it is; externalId is unique per client.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(ALL_SCOPES),
    multiple=True,
    required=True,
    help="Repeat for more.",
)
@click.option(
    "--days",
    type=click.IntRange(1, LONGEST_LIFE.days),
    default=DEFAULT_LIFE.days,
    show_default=True,
    help="How long it is good.",
)
@click.option(
    "--dialect",
    type=click.Choice(sorted(DIALECTS)),
    default=STRICT.name,
    show_default=True,
    help="What the client is known to say otherwise than the RFCs of SCIM.",
)
@output_option
@click.pass_context
def create(
    context: click.Context,
    *,
    client: str,
    scopes: tuple[str, ...],
    days: int,
    dialect: str,
    output: str,
) -> None:
    """Make a token and print it. It is shown this once; only its hash is kept."""
    with opened(context) as product, failures_told():
        made = product.tokens.create(
            client,
            audience_of(scopes),
            scopes,
            life=timedelta(days=days),
            dialect=dialect,
            by=operator(),
        )
    bearer = made.bearer.reveal()
    data = {"id": made.id, "client": client, "scopes": sorted(scopes), "token": bearer}
    data |= {"dialect": dialect, "expires_at": made.expires_at.isoformat()}
    emit(output, data, bearer)


@token.command("list")
@output_option
@click.pass_context
def list_tokens(context: click.Context, output: str) -> None:
    """List the tokens, without their secrets."""
    with opened(context) as product:
        known = product.tokens.all()
    data = [
        {
            "id": one.id,
            "client": one.client,
            "scopes": sorted(one.scopes),
            "dialect": one.dialect if one.audience is Audience.SCIM else None,
            "expires_at": one.expires_at.isoformat(),
            "revoked": one.revoked_at is not None,
        }
        for one in known
    ]
    lines = [
        f"{one.id}  {one.client}  {' '.join(sorted(one.scopes))}  until {one.expires_at:%Y-%m-%d}"
        f"{f'  speaks {one.dialect}' if one.audience is Audience.SCIM else ''}"
        f"{'  revoked' if one.revoked_at else ''}"
        for one in known
    ]
    emit(output, data, "\n".join(lines) or "There is no token. Make one with: mobid token create")


@token.command()
@click.argument("token_id")
@output_option
@click.pass_context
def revoke(context: click.Context, token_id: str, output: str) -> None:
    """Revoke a token; it is refused from the next request on."""
    with opened(context) as product, failures_told():
        product.tokens.revoke(token_id, by=operator())
    emit(output, {"id": token_id, "revoked": True}, f"Token {token_id} is revoked.")


def audience_of(scopes: tuple[str, ...]) -> Audience:
    """Return which audience the scopes are for; a token is for one."""
    return next(audience for audience, known in SCOPES.items() if scopes[0] in known)
