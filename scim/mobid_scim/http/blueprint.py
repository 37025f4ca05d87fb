"""The blueprint: routes, who calls, and the one edge at which errors become answers.

Each rule takes every method and sorts them out itself, and one more rule takes every other path:
so a stranger gets 401 everywhere, and everybody gets errors as SCIM has them.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from flask import Blueprint, Request, Response, g, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from mobid_scim.errors import (
    BadRequest,
    InternalError,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    SCIMError,
)
from mobid_scim.http import bulk, discovery
from mobid_scim.http.answers import refusal
from mobid_scim.http.resources import Authorize, ResourceViews, View
from mobid_scim.service import Service
from mobid_scim.wording import quoted

CallerT = TypeVar("CallerT")
Authenticate = Callable[[Request], CallerT]
"""Says who calls, or raises Unauthorized or an error that is translated."""
Translate = Callable[[Exception], SCIMError | None]
"""Says what an error of the product is in SCIM; None for what it does not know."""

_METHODS: Final = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "QUERY",
    "PROPFIND",
)
_USUAL_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_FIRST_SERVER_ERROR: Final = 500
_log: Final = logging.getLogger(__name__)


def blueprint(
    service: Service[CallerT],
    *,
    authenticate: Authenticate[CallerT],
    authorize: Authorize[CallerT],
    translate: Translate = lambda _: None,
    url_prefix: str = "/scim/v2",
) -> Blueprint:
    """Build the blueprint; `service.base_url` is what its prefix looks like from outside."""
    scim = Blueprint("scim", __name__, url_prefix=url_prefix)
    scim.record(_know_the_rest)
    views = ResourceViews(service, authorize)

    @scim.before_request
    def know_the_caller() -> None:
        g.scim_caller = authenticate(request)

    @scim.errorhandler(Exception)
    def refuse(error: Exception) -> Response:
        return refusal(_translated(error, translate))

    for rule, view in discovery.views(service).items():
        _add(scim, rule, {"GET": view})
    for scope in service.types:
        _add(scim, scope.endpoint, views.of_all(scope))
        _add(scim, f"{scope.endpoint}/.search", views.of_search(scope))
        _add(scim, f"{scope.endpoint}/<resource_id>", views.of_one(scope))
    _add(scim, "/", views.of_root())
    _add(scim, "/.search", views.of_root_search())
    refusal_of = partial(_translated, translate=translate)
    _add(scim, "/Bulk", bulk.views(service, authorize, refusal_of))
    _add(scim, "/Me", views.of_me())
    _add(scim, "/<scim_rest:unknown>", dict.fromkeys(_METHODS, _no_such_path))
    return scim


def unrouted(error: HTTPException) -> Response:
    """Return the answer to a request below the prefix that no rule takes: its method is unknown.

    An app calls this in its own error handler, as Flask asks no blueprint then.
    """
    if error.code == MethodNotAllowed.status:
        return refusal(MethodNotAllowed(request.method, allow=_USUAL_METHODS))
    return refusal(NotFound(f"There is nothing for {request.method} at this address."))


def _add(scim: Blueprint, rule: str, views: Mapping[str, View]) -> None:
    """Add a rule that takes every method, so that the blueprint itself answers 405."""
    allowed = tuple(name for method in views for name in _answered_with(method))

    def view(**arguments: str) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        if method not in views:
            raise MethodNotAllowed(request.method, allow=allowed)
        return views[method](**arguments)

    scim.add_url_rule(
        rule,
        # Endpoints of a blueprint may hold no dots.
        rule.replace(".", ""),
        view,
        methods=_METHODS,
        strict_slashes=False,
        merge_slashes=False,
        provide_automatic_options=False,
    )


def _answered_with(method: str) -> tuple[str, ...]:
    """Return the methods that a view answers: HEAD is a GET without the body (RFC 9110, 9.3.2)."""
    return ("GET", "HEAD") if method == "GET" else (method,)


class _Rest(BaseConverter):
    """What is left of a path; other than `path`, it may begin with a slash."""

    regex = ".+"
    part_isolating = False


def _know_the_rest(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["scim_rest"] = _Rest


def _no_such_path(unknown: str) -> Response:
    raise NotFound(f"There is nothing at {quoted(unknown)}; /ResourceTypes lists the endpoints.")


def _translated(error: Exception, translate: Translate) -> SCIMError:
    if isinstance(error, SCIMError):
        return error
    if (known := translate(error)) is not None:
        return known
    if isinstance(error, RequestEntityTooLarge):
        return PayloadTooLarge("The body is larger than the server takes.")
    if isinstance(error, HTTPException) and (error.code or 500) < _FIRST_SERVER_ERROR:
        return BadRequest("The request cannot be read.")
    _log.error("A SCIM request failed.", exc_info=error)
    return InternalError("The request failed here; the operator's log says why.")
