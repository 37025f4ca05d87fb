"""Tokens, front ends and used-up values: rows that come back, end once, and show no hash."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from mobid.processes.errors import NotFound
from mobid.storage import ConstraintBroken
from mobid.storage.frontends import FrontEnd, FrontEnds
from mobid.storage.tables.access import Audience
from mobid.storage.tokens import APIToken, APITokens
from mobid.storage.used import purge_used

if TYPE_CHECKING:
    from tests.conftest import StandingClock

    from mobid.storage import SQLUnits, Transactions

DAY = timedelta(days=1)


@pytest.fixture
def tokens(transactions: Transactions) -> APITokens:
    """The tokens of an empty database."""
    return APITokens(transactions)


@pytest.fixture
def token(tokens: APITokens, clock: StandingClock) -> APIToken:
    """A token in the database."""
    new = APIToken(
        id="t-1",
        client="hr",
        audience=Audience.SCIM,
        scopes=("scim:read", "scim:write"),
        dialect="entra",
        secret_hash=b"\x00hash-of-the-secret",
        created_at=clock(),
        expires_at=clock() + 90 * DAY,
    )
    tokens.add(new)
    return new


class TestTokens:
    """What `mobid token` makes."""

    def test_come_back_by_id(self, tokens: APITokens, token: APIToken) -> None:
        """And by nothing else."""
        assert tokens.find("t-1") == token
        assert tokens.find("t-2") is None
        assert tokens.find("\x00") is None

    def test_are_listed_the_newest_first(
        self, tokens: APITokens, token: APIToken, clock: StandingClock
    ) -> None:
        """Those of administrators, too."""
        newer = replace(
            token,
            id="t-2",
            audience=Audience.ADMIN,
            secret_hash=b"other",
            created_at=clock() + DAY,
        )
        tokens.add(newer)
        assert tokens.all() == [newer, token]

    @pytest.mark.parametrize(
        ("twin", "rule"),
        [({"id": "t-2"}, "uq_api_tokens_secret_hash"), ({"secret_hash": b"x"}, "pk_api_tokens")],
    )
    def test_are_not_stored_twice(
        self, tokens: APITokens, token: APIToken, twin: dict[str, str], rule: str
    ) -> None:
        """Neither under one id nor with one secret."""
        with pytest.raises(ConstraintBroken, match=rule):
            tokens.add(replace(token, **twin))  # type: ignore[arg-type]  # a field of either type

    def test_are_revoked_once(
        self, tokens: APITokens, token: APIToken, clock: StandingClock
    ) -> None:
        """The first time stands; who revokes what is not there is told."""
        tokens.revoke("t-1", at=clock())
        tokens.revoke("t-1", at=clock() + DAY)
        assert tokens.find("t-1") == replace(token, revoked_at=clock())
        with pytest.raises(NotFound, match='There is no token "t-2" here'):
            tokens.revoke("t-2", at=clock())

    def test_remember_their_last_use_to_the_minute(
        self, tokens: APITokens, token: APIToken, clock: StandingClock
    ) -> None:
        """Not every request writes; and of two that do, the later one counts."""
        for seconds, noted in ((0, 0), (59, 0), (60, 60), (30, 60)):
            seen = tokens.find(token.id)
            assert seen is not None
            tokens.used(seen, at=clock() + timedelta(seconds=seconds))
            tokens.used(token, at=clock() + timedelta(seconds=seconds))
            found = tokens.find(token.id)
            assert found == replace(token, last_used_at=clock() + timedelta(seconds=noted))

    def test_show_no_hash(self, token: APIToken) -> None:
        """Not even where somebody prints them."""
        assert "hash" not in repr(token)


class TestFrontends:
    """What `mobid frontend add` makes."""

    def test_come_back_and_end_once(self, transactions: Transactions, clock: StandingClock) -> None:
        """By name, with their key, which is not printed."""
        frontends = FrontEnds(transactions)
        portal = FrontEnd(
            name="portal", public_jwk={"kty": "EC", "x": "1", "y": "2"}, created_at=clock()
        )
        desk = replace(portal, name="desk")
        for frontend in (portal, desk):
            frontends.add(frontend)
        assert frontends.find("portal") == portal
        assert frontends.find("unknown") is frontends.find("\ud800") is None
        assert frontends.all() == [desk, portal]
        assert "kty" not in repr(portal)

        frontends.revoke("portal", at=clock())
        frontends.revoke("portal", at=clock() + DAY)
        assert frontends.find("portal") == replace(portal, revoked_at=clock())
        with pytest.raises(NotFound, match='There is no front end "unknown" here'):
            frontends.revoke("unknown", at=clock())
        with pytest.raises(ConstraintBroken, match="pk_frontends"):
            frontends.add(portal)


class TestUsedValues:
    """What may be used once is remembered until it would be refused anyway."""

    def test_are_forgotten_when_their_time_is_over(
        self, units: SQLUnits, transactions: Transactions, clock: StandingClock
    ) -> None:
        """And not before; a purge takes a bounded number at a time."""
        with units() as unit:
            for days in (1, 2, 3):
                assert unit.used.first_use(f"nonce {days}", until=clock() + days * DAY)
            unit.commit()
        for purged in (1, 1, 0):
            with transactions.writing() as connection:
                assert purge_used(connection, before=clock() + 2.5 * DAY, limit=1) == purged
        with units() as unit:
            assert not unit.used.first_use("nonce 3", until=clock())
            assert unit.used.first_use("nonce 1", until=clock())
