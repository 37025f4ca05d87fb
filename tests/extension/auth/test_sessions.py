"""The session of our own pages: who signed in, when, and in which cookie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, session

from mobid.auth.errors import Unauthenticated
from mobid.auth.sessions import LONGEST, caller_of, cookie_settings, sign_in, sign_out

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class TestCaller:
    """Who is there."""

    def test_who_signed_in_is_the_caller(self) -> None:
        """With the time of the login, for what needs a fresh one."""
        kept: dict[str, Any] = {}
        sign_in(kept, "anne", NOON)
        caller = caller_of(kept, now=NOON + timedelta(minutes=5))
        assert (caller.user_id, caller.authenticated_at) == ("anne", NOON)
        assert caller.trail == {}

    def test_signing_in_leaves_nothing_of_before(self) -> None:
        """A session that somebody prepared is worth nothing after the login."""
        kept: dict[str, Any] = {"planted": "x", "user_id": "mallory"}
        sign_in(kept, "anne", NOON)
        assert kept.keys() == {"user_id", "auth_time"}

    def test_nobody_is_there_after_signing_out(self) -> None:
        """Nothing is kept."""
        kept: dict[str, Any] = {}
        sign_in(kept, "anne", NOON)
        sign_out(kept)
        assert kept == {}
        with pytest.raises(Unauthenticated):
            caller_of(kept, now=NOON)

    def test_a_session_ends(self) -> None:
        """However busy it was."""
        kept: dict[str, Any] = {}
        sign_in(kept, "anne", NOON)
        caller_of(kept, now=NOON + LONGEST - timedelta(seconds=1))
        with pytest.raises(Unauthenticated) as caught:
            caller_of(kept, now=NOON + LONGEST)
        assert "too old" in caught.value.reason

    @pytest.mark.parametrize(
        "kept", [{}, {"user_id": "anne"}, {"auth_time": 1}, {"user_id": 1, "auth_time": 1}]
    )
    def test_half_a_session_is_none(self, kept: dict[str, Any]) -> None:
        """Fail closed."""
        with pytest.raises(Unauthenticated):
            caller_of(kept, now=NOON)


class TestCookie:
    """What the browser is told."""

    @pytest.mark.parametrize(
        ("public_url", "name", "secure"),
        [
            ("https://mobid.example.org", "__Host-mobid", True),
            ("http://127.0.0.1:8080", "mobid", False),
        ],
    )
    def test_it_is_as_strict_as_the_address_allows(
        self, public_url: str, name: str, *, secure: bool
    ) -> None:
        """No script reads it, no other site sends it with a form."""
        app = Flask(__name__)
        app.secret_key = "of this test"
        app.config.update(cookie_settings(public_url))

        @app.get("/sign-in")
        def page() -> str:
            sign_in(session, "anne", NOON)
            return ""

        (cookie,) = (
            app.test_client().get("/sign-in", base_url=public_url).headers.getlist("Set-Cookie")
        )
        assert cookie.startswith(f"{name}=")
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert ("Secure" in cookie) == secure
        assert "Domain" not in cookie
