"""One line in the log for each request, and a request id that is in every other line of it, too.

A line has the template of the address, never the address itself: in its query and its path there
are filters with people's data, and what follows a # is a secret. A request id that a proxy or a
client sends is kept if it is well-formed, so that their logs and ours can be read together.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING, Final

import structlog
from flask import g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from mobid.auth.tokens import TokenCaller
from mobid.processes.steps import Caller

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from flask import Flask, Response

HEADER: Final = "X-Request-Id"
UNMATCHED: Final = "unmatched"
"""Instead of a route, where no view has the address."""

_WELL_FORMED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}", re.ASCII)
_CALLERS: Final = ("scim_caller", "hook_caller", "admin_caller", "caller")
"""Where the surfaces note who calls, for the length of the request."""

_log: Final = structlog.get_logger(__name__)


def register(app: Flask, *, quiet: Collection[str] = ()) -> None:
    """Log every request of the app; those of the blueprints in `quiet` at the level debug only."""

    @app.before_request
    def begin() -> None:
        clear_contextvars()
        g.request_began = time.perf_counter()
        g.request_id = _request_id(request.headers.get(HEADER, ""))
        bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        say = _log.debug if request.blueprint in quiet else _log.info
        say(
            "request",
            method=request.method,
            route=request.url_rule.rule if request.url_rule is not None else UNMATCHED,
            status=response.status_code,
            ms=round((time.perf_counter() - g.request_began) * 1000, 1),
            **_caller(),
        )
        return response

    @app.teardown_request
    def forget(_error: BaseException | None) -> None:
        clear_contextvars()


def _request_id(given: str) -> str:
    return given if _WELL_FORMED.fullmatch(given) else uuid.uuid4().hex


def _caller() -> Mapping[str, str]:
    """Return which client calls, and for whom: names and ids only."""
    match next((g.get(name) for name in _CALLERS if name in g), None):
        case TokenCaller(client=client, actor=actor):
            return {"client": client, "actor": str(actor)}
        case Caller(front_end=None, actor=actor):
            return {"actor": str(actor)}
        case Caller(front_end=str(front_end), actor=actor):
            return {"client": front_end, "actor": str(actor)}
    return {}
