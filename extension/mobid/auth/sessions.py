"""The session of our own pages: a signed cookie that says who signed in, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from mobid.auth.errors import Unauthenticated
from mobid.domain.actors import Actor, ActorKind
from mobid.processes.steps import Caller

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import Any

LONGEST: Final = timedelta(hours=12)
"""After this a user signs in again, whatever they did meanwhile."""

_USER: Final = "user_id"
_SIGNED_IN: Final = "auth_time"


def cookie_settings(public_url: str) -> Mapping[str, object]:
    """Return the Flask settings of the cookie.

    Over https its name has the prefix `__Host-`, so that no other host of the domain can set it
    (RFC 6265bis, 4.1.3.2).
    """
    secure = public_url.startswith("https://")
    return {
        "SESSION_COOKIE_NAME": "__Host-mobid" if secure else "mobid",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_PATH": "/",
        "SESSION_COOKIE_DOMAIN": None,
        "PERMANENT_SESSION_LIFETIME": LONGEST,
    }


def sign_in(session: MutableMapping[str, Any], user_id: str, at: datetime) -> None:
    """Begin a new session for a user who has just signed in; nothing of the old one is kept."""
    session.clear()
    session[_USER] = user_id
    session[_SIGNED_IN] = int(at.timestamp())


def sign_out(session: MutableMapping[str, Any]) -> None:
    """End the session."""
    session.clear()


def caller_of(session: Mapping[str, Any], *, now: datetime) -> Caller:
    """Return who signed in; raise `Unauthenticated` for nobody, and for too long ago."""
    user_id, signed_in = session.get(_USER), session.get(_SIGNED_IN)
    if not isinstance(user_id, str) or not isinstance(signed_in, int):
        raise Unauthenticated("no session", presented=False)
    at = datetime.fromtimestamp(signed_in, UTC)
    if now - at >= LONGEST:
        raise Unauthenticated("the session is too old")
    return Caller(
        user_id=user_id, actor=Actor(ActorKind.USER, user_id), authenticated_at=min(at, now)
    )
