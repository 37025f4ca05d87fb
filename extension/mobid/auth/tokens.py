"""Bearer tokens of SCIM clients and administrators: `mid_<audience>_<id>_<secret>`.

256 random bits need no slow hash: SHA-256 of the secret is what is stored. The token itself exists
once, in the hands of whoever had it made.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mobid.auth.bearer import bearer_of
from mobid.auth.errors import BadToken, Forbidden, Unauthenticated, UnknownName
from mobid.config import Secret
from mobid.domain.actors import Actor, ActorKind
from mobid.storage.tables.access import Audience
from mobid.storage.tokens import APIToken
from mobid_scim.dialect import STRICT
from mobid_scim.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from werkzeug.datastructures import Headers

    from mobid.processes.ports import Units
    from mobid.storage.tokens import APITokens

SCIM_READ: Final = "scim:read"
SCIM_WRITE: Final = "scim:write"
ORDER_MOBILE_IDS: Final = "mobile-ids:write"
ADMIN_READ: Final = "admin:read"
ADMIN_SCRIPT: Final = "admin:script"

SCOPES: Final = {
    Audience.SCIM: frozenset({SCIM_READ, SCIM_WRITE, ORDER_MOBILE_IDS}),
    Audience.ADMIN: frozenset({ADMIN_READ, ADMIN_SCRIPT}),
}
DEFAULT_LIFE: Final = timedelta(days=90)
LONGEST_LIFE: Final = timedelta(days=365)

_TOKEN: Final = re.compile(r"mid_(scim|admin)_([a-z2-7]{16})_([A-Za-z0-9_-]{43})", re.ASCII)
_CLIENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ACTORS: Final = {Audience.SCIM: ActorKind.SCIM_CLIENT, Audience.ADMIN: ActorKind.OPERATOR}
_NOBODY: Final = bytes(32)
"""What no secret hashes to: an unknown id takes as long to refuse as a wrong secret."""


@dataclass(frozen=True, slots=True)
class TokenCaller:
    """A program that calls: its name, what it may do, how audit records name it, and how it speaks."""

    client: str
    scopes: frozenset[str]
    actor: Actor
    dialect: str

    def must(self, scope: str) -> None:
        """Raise `Forbidden` unless the token has this scope."""
        if scope not in self.scopes:
            raise Forbidden(scope, self.scopes)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made. `bearer` is shown to its owner now, and never again."""

    id: str
    bearer: Secret[str]
    expires_at: datetime


class BearerTokens:
    """Makes tokens, takes them back, and says whose a presented one is."""

    def __init__(self, tokens: APITokens, units: Units) -> None:
        self._tokens = tokens
        self._units = units

    def create(
        self,
        client: str,
        audience: Audience,
        scopes: Collection[str],
        *,
        life: timedelta = DEFAULT_LIFE,
        dialect: str = STRICT.name,
        by: Actor,
    ) -> NewToken:
        """Make a token; raise `BadToken`. It is audited first: no audit, no effect.

        `dialect` is what a SCIM client is known to say otherwise than the RFCs.
        """
        _check(client, audience, scopes, life)
        _check_dialect(audience, dialect)
        secret = secrets.token_urlsafe(32)
        now = self._now()
        token = APIToken(
            id=base64.b32encode(secrets.token_bytes(10)).decode().lower(),
            client=client,
            audience=audience,
            scopes=tuple(sorted(scopes)),
            dialect=dialect,
            secret_hash=_hash(secret),
            created_at=now,
            expires_at=now + life,
        )
        details = {
            "scopes": " ".join(token.scopes),
            "expires_at": token.expires_at.isoformat(),
            "dialect": token.dialect,
        }
        self._audit(by, "token.create", token, **details)
        self._tokens.add(token)
        bearer = Secret(f"mid_{audience}_{token.id}_{secret}")
        return NewToken(id=token.id, bearer=bearer, expires_at=token.expires_at)

    def revoke(self, token_id: str, *, by: Actor) -> None:
        """Refuse a token from its next use on; raise `UnknownName`. Revoking twice is no error."""
        token = self._tokens.find(token_id)
        if token is None:
            raise UnknownName("token", token_id)
        self._audit(by, "token.revoke", token)
        self._tokens.revoke(token_id, at=self._now())

    def all(self) -> Sequence[APIToken]:
        """Return every token that was ever made, the newest first."""
        return self._tokens.all()

    def caller(self, headers: Headers, audience: Audience) -> TokenCaller:
        """Say whose the presented token is; raise `Unauthenticated`. The database is asked each time."""
        presented = _TOKEN.fullmatch(bearer_of(headers))
        if presented is None:
            raise Unauthenticated("not one of our tokens")
        _, token_id, secret = presented.groups()
        found = self._tokens.presented(token_id)
        right = hmac.compare_digest(found[0].secret_hash if found else _NOBODY, _hash(secret))
        if found is None or not right:
            raise Unauthenticated(f"token {token_id}: unknown, or a wrong secret")
        token, now = found
        _must_hold(token, audience, now)
        self._tokens.used(token, at=now)
        actor = Actor(_ACTORS[token.audience], token.client)
        return TokenCaller(token.client, frozenset(token.scopes), actor, token.dialect)

    def _audit(self, by: Actor, action: str, token: APIToken, **details: str) -> None:
        with self._units() as unit:
            unit.audit(by, action, "token", token.id, client=token.client, **details)
            unit.commit()

    def _now(self) -> datetime:
        with self._units.reading() as unit:
            return unit.now


def _must_hold(token: APIToken, audience: Audience, now: datetime) -> None:
    if token.revoked_at is not None:
        raise Unauthenticated(f"token {token.id} of {token.client}: revoked")
    if now >= token.expires_at:
        raise Unauthenticated(f"token {token.id} of {token.client}: expired")
    if token.audience is not audience:
        raise Unauthenticated(
            f"token {token.id} of {token.client}: for {token.audience}, not for {audience}"
        )


def _check(client: str, audience: Audience, scopes: Collection[str], life: timedelta) -> None:
    if _CLIENT.fullmatch(client) is None:
        raise BadToken(
            "A client name has 1 to 64 letters, digits, dots, hyphens or underscores, and begins "
            "with a letter or digit."
        )
    unknown = sorted(set(scopes) - SCOPES[audience])
    if unknown or not scopes:
        known = ", ".join(sorted(SCOPES[audience]))
        wrong = f"not {', '.join(unknown)}" if unknown else "and at least one of them"
        raise BadToken(f"A token for {audience} can have the scopes {known}; {wrong}.")
    if not timedelta(0) < life <= LONGEST_LIFE:
        raise BadToken(f"A token lives at most {LONGEST_LIFE.days} days, and longer than none.")


def _check_dialect(audience: Audience, dialect: str) -> None:
    if audience is not Audience.SCIM and dialect != STRICT.name:
        raise BadToken(f"A token for {audience} speaks no SCIM; leave the dialect out.")
    if dialect not in DIALECTS:
        known = ", ".join(sorted(DIALECTS))
        raise BadToken(f'There is no dialect "{dialect}"; there are {known}.')


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
