"""Bearer tokens: made once, hashed at rest, refused the moment they are taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from werkzeug.datastructures import Headers

from mobid.auth.errors import BadToken, Forbidden, Unauthenticated, UnknownName
from mobid.auth.tokens import ADMIN_READ, SCIM_READ, SCIM_WRITE, BearerTokens, NewToken
from mobid.domain.actors import SYSTEM, ActorKind
from mobid.storage.tables.access import Audience
from mobid.storage.tokens import APITokens

if TYPE_CHECKING:
    from tests.conftest import StandingClock

    from mobid.storage import SQLUnits, Transactions


@pytest.fixture
def tokens(transactions: Transactions, units: SQLUnits, clock: StandingClock) -> BearerTokens:
    """The tokens of a deployment that has none yet."""
    return BearerTokens(APITokens(transactions, clock=clock), units)


@pytest.fixture
def token(tokens: BearerTokens) -> NewToken:
    """A token that may read over SCIM."""
    return tokens.create("hr", Audience.SCIM, [SCIM_READ], by=SYSTEM)


def headers(bearer: str) -> Headers:
    """Return the headers that present a token."""
    return Headers({"Authorization": f"Bearer {bearer}"})


def refusal(tokens: BearerTokens, bearer: str, audience: Audience = Audience.SCIM) -> str:
    """Return why a token is refused, as the log has it."""
    with pytest.raises(Unauthenticated) as caught:
        tokens.caller(headers(bearer), audience)
    return caught.value.reason


class TestCaller:
    """Whose token it is."""

    def test_a_token_names_its_client_and_what_it_may(
        self, tokens: BearerTokens, token: NewToken
    ) -> None:
        """And how audit records name the client."""
        caller = tokens.caller(headers(token.bearer.reveal()), Audience.SCIM)
        assert (caller.client, set(caller.scopes)) == ("hr", {SCIM_READ})
        assert (caller.actor.kind, caller.actor.id) == (ActorKind.SCIM_CLIENT, "hr")

    def test_a_token_tells_how_its_client_speaks(self, tokens: BearerTokens) -> None:
        """As the RFCs have it, unless it was made for another dialect."""
        for made, dialect in (
            (tokens.create("hr", Audience.SCIM, [SCIM_READ], by=SYSTEM), "strict"),
            (tokens.create("x", Audience.SCIM, [SCIM_READ], dialect="entra", by=SYSTEM), "entra"),
        ):
            caller = tokens.caller(headers(made.bearer.reveal()), Audience.SCIM)
            assert caller.dialect == dialect

    def test_there_is_no_token_for_an_unknown_dialect(self, tokens: BearerTokens) -> None:
        """The message names those that there are; administrators have none."""
        with pytest.raises(
            BadToken,
            match='no dialect "x"; there are entra, keycloak, midpoint, okta, rfc7643, strict',
        ):
            tokens.create("hr", Audience.SCIM, [SCIM_READ], dialect="x", by=SYSTEM)
        with pytest.raises(BadToken, match="A token for admin speaks no SCIM; leave the dialect"):
            tokens.create("hr", Audience.ADMIN, [ADMIN_READ], dialect="entra", by=SYSTEM)

    def test_a_missing_scope_is_named(self, tokens: BearerTokens, token: NewToken) -> None:
        """The message says what is needed, and what there is."""
        caller = tokens.caller(headers(token.bearer.reveal()), Audience.SCIM)
        caller.must(SCIM_READ)
        with pytest.raises(Forbidden, match=r"scope scim:write; yours has: scim:read"):
            caller.must(SCIM_WRITE)

    def test_it_is_for_one_surface(self, tokens: BearerTokens, token: NewToken) -> None:
        """A SCIM client is no administrator."""
        assert "for scim, not for admin" in refusal(tokens, token.bearer.reveal(), Audience.ADMIN)

    def test_the_name_of_a_surface_cannot_be_exchanged(
        self, tokens: BearerTokens, token: NewToken
    ) -> None:
        """What counts is what was stored."""
        forged = token.bearer.reveal().replace("mid_scim_", "mid_admin_")
        assert "for scim, not for admin" in refusal(tokens, forged, Audience.ADMIN)

    @pytest.mark.parametrize("place", [-1, -20, -43])
    def test_a_wrong_secret_is_refused(
        self, tokens: BearerTokens, token: NewToken, place: int
    ) -> None:
        """Wherever it is wrong."""
        letters = list(token.bearer.reveal())
        letters[place] = "A" if letters[place] != "A" else "B"
        assert "unknown, or a wrong secret" in refusal(tokens, "".join(letters))

    def test_an_unknown_id_is_refused_alike(self, tokens: BearerTokens, token: NewToken) -> None:
        """With a secret that is right elsewhere."""
        forged = token.bearer.reveal().replace(token.id, "a" * 16)
        assert "unknown, or a wrong secret" in refusal(tokens, forged)

    @pytest.mark.parametrize(
        "bearer", ["mid_scim_x_y", "x", "mid_root_" + "a" * 16 + "_" + "b" * 43]
    )
    def test_other_tokens_are_refused(self, tokens: BearerTokens, bearer: str) -> None:
        """Before any database is asked."""
        assert refusal(tokens, bearer) == "not one of our tokens"

    def test_it_expires(self, tokens: BearerTokens, token: NewToken, clock: Any) -> None:
        """At its end, not a moment later."""
        clock.pass_by(timedelta(days=90) - timedelta(seconds=1))
        tokens.caller(headers(token.bearer.reveal()), Audience.SCIM)
        clock.pass_by(timedelta(seconds=1))
        assert "expired" in refusal(tokens, token.bearer.reveal())

    def test_it_is_refused_right_after_it_was_revoked(
        self, tokens: BearerTokens, token: NewToken
    ) -> None:
        """No cache remembers it."""
        tokens.caller(headers(token.bearer.reveal()), Audience.SCIM)
        tokens.revoke(token.id, by=SYSTEM)
        assert "revoked" in refusal(tokens, token.bearer.reveal())

    def test_its_last_use_is_noted(self, tokens: BearerTokens, token: NewToken, clock: Any) -> None:
        """So that one that nobody uses any more can be found."""
        assert tokens.all()[0].last_used_at is None
        clock.pass_by(timedelta(hours=1))
        tokens.caller(headers(token.bearer.reveal()), Audience.SCIM)
        assert tokens.all()[0].last_used_at == clock()

    def test_no_reason_holds_a_secret(self, tokens: BearerTokens, token: NewToken) -> None:
        """Reasons are logged."""
        bearer = token.bearer.reveal()
        tokens.revoke(token.id, by=SYSTEM)
        assert bearer.rpartition("_")[2] not in refusal(tokens, bearer)


class TestCreate:
    """Making a token."""

    def test_it_is_shown_once_and_never_by_accident(
        self, token: NewToken, transactions: Transactions
    ) -> None:
        """Neither a repr nor the database has it."""
        secret = token.bearer.reveal().removeprefix(f"mid_scim_{token.id}_")
        assert len(secret) == 43
        assert "bearer=***" in repr(token)
        with transactions.reading() as connection:
            rows = connection.execute(text("SELECT * FROM api_tokens")).all()
            events = connection.execute(text("SELECT * FROM audit_events")).all()
        assert secret not in f"{rows}{events}"
        assert token.id in str(events)

    def test_no_two_are_alike(self, tokens: BearerTokens) -> None:
        """A client may have two at a time, to change from one to the other."""
        made = {
            tokens.create("hr", Audience.SCIM, [SCIM_READ], by=SYSTEM).bearer.reveal()
            for _ in range(5)
        }
        assert len(made) == 5

    @pytest.mark.parametrize("client", ["", " ", "-hr", "h r", "hr\n", "ä", "h" * 65])
    def test_names_are_plain(self, tokens: BearerTokens, client: str) -> None:
        """They stand in logs and audit records."""
        with pytest.raises(BadToken, match="A client name has 1 to 64 letters"):
            tokens.create(client, Audience.SCIM, [SCIM_READ], by=SYSTEM)

    def test_scopes_fit_the_surface(self, tokens: BearerTokens) -> None:
        """The message says which there are."""
        with pytest.raises(
            BadToken, match=r"mobile-ids:write, scim:read, scim:write; not admin:read"
        ):
            tokens.create("hr", Audience.SCIM, [SCIM_READ, ADMIN_READ], by=SYSTEM)
        with pytest.raises(BadToken, match="at least one of them"):
            tokens.create("hr", Audience.SCIM, [], by=SYSTEM)

    @pytest.mark.parametrize("days", [0, -1, 366])
    def test_nothing_lives_for_ever(self, tokens: BearerTokens, days: int) -> None:
        """A year is the most."""
        with pytest.raises(BadToken, match="at most 365 days"):
            tokens.create("hr", Audience.SCIM, [SCIM_READ], life=timedelta(days=days), by=SYSTEM)


def test_what_is_not_there_cannot_be_revoked(tokens: BearerTokens) -> None:
    """The message names it."""
    with pytest.raises(UnknownName, match='no token "nope"'):
        tokens.revoke("nope", by=SYSTEM)
