"""Sessions of our pages as Flask keeps them: only who has one pays for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from typing_extensions import override

if TYPE_CHECKING:
    from flask import Flask, Request


class Sessions(SecureCookieSessionInterface):
    """Makes what signs a session only for a request that has one: programs send none."""

    @override
    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session of a request, or a new one."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)
