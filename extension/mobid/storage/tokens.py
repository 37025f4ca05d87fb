"""The tokens of SCIM clients and administrators: rows with a hash, never a secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, insert, or_, select, update

from mobid.processes.errors import NotFound
from mobid.storage.columns import is_storable
from mobid.storage.mapping import RowMap
from mobid.storage.tables import api_tokens
from mobid.storage.transaction import DATABASE_TIME, clock_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mobid.processes.ports import Clock
    from mobid.storage.engine import Transactions
    from mobid.storage.tables.access import Audience

_USE_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class APIToken:
    """One token. Whether it is good at a moment is its reader's to say."""

    id: str
    client: str
    audience: Audience
    scopes: tuple[str, ...]
    dialect: str
    secret_hash: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


_MAP: Final = RowMap(APIToken)
_ONE: Final = select(api_tokens).where(api_tokens.c.id == bindparam("id"))
_ONE_NOW: Final = _ONE.add_columns(DATABASE_TIME.label("now"))


class APITokens:
    """Reads and writes tokens, each call in a short transaction of its own."""

    def __init__(self, transactions: Transactions, *, clock: Clock | None = None) -> None:
        self._transactions: Final = transactions
        self._clock: Final = clock

    def add(self, token: APIToken) -> None:
        """Store a new token; raise `ConstraintBroken` for an id or a secret that is taken."""
        with self._transactions.writing() as connection:
            connection.execute(insert(api_tokens).values(_MAP.columns(token)))

    def find(self, token_id: str) -> APIToken | None:
        """Return a token by its id, whatever became of it."""
        found = self.presented(token_id)
        return None if found is None else found[0]

    def presented(self, token_id: str) -> tuple[APIToken, datetime] | None:
        """Return a token that somebody presents by its id, and the time at which it has to be good."""
        if not is_storable(token_id):
            return None
        with self._transactions.reading() as connection:
            clock = clock_of(connection.engine, self._clock)
            row = connection.execute(_ONE if clock else _ONE_NOW, {"id": token_id}).first()
        return None if row is None else (_MAP.entity(row), clock() if clock else row.now)

    def all(self) -> Sequence[APIToken]:
        """Return every token, the newest first."""
        query = select(api_tokens).order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
        with self._transactions.reading() as connection:
            return [_MAP.entity(row) for row in connection.execute(query)]

    def revoke(self, token_id: str, *, at: datetime) -> None:
        """Make a token useless from now on; the first time counts. Raise `NotFound`."""
        if self.find(token_id) is None:
            raise NotFound("token", token_id)
        change = update(api_tokens).where(
            api_tokens.c.id == token_id, api_tokens.c.revoked_at.is_(None)
        )
        with self._transactions.writing() as connection:
            connection.execute(change.values(revoked_at=at))

    def used(self, token: APIToken, *, at: datetime) -> None:
        """Note a use. To keep requests from writing, one within a minute of the last is not noted."""
        if token.last_used_at is not None and at - token.last_used_at < _USE_NOTED_EVERY:
            return
        earlier = api_tokens.c.last_used_at <= at - _USE_NOTED_EVERY
        change = update(api_tokens).where(
            api_tokens.c.id == token.id, or_(api_tokens.c.last_used_at.is_(None), earlier)
        )
        with self._transactions.writing() as connection:
            connection.execute(change.values(last_used_at=at))
