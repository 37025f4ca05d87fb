"""Puts the JSON interfaces on an app, beside pages and SCIM, which keep their own way of erring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from mobid.api.bodies import BEARER
from mobid.api.problems import MEDIA_TYPE, ProblemAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Flask
    from flask.typing import ResponseReturnValue
    from flask_smorest import Blueprint

    from mobid.api.problems import Problems

_OPENAPI: Final = {
    "API_TITLE": "mobid",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/",
    "OPENAPI_JSON_PATH": "openapi.json",
}


class ProblemAPI(Api):
    """Describes errors as they are: problem documents."""

    ERROR_SCHEMA = ProblemAnswer


def register(
    app: Flask,
    blueprints: Iterable[Blueprint],
    *,
    problems: Problems,
    elsewhere: Callable[[HTTPException], ResponseReturnValue],
    version: str,
) -> Api:
    """Register the blueprints, their error handler, and `/openapi.json`.

    flask-smorest takes the HTTP errors of the whole app for itself; they are taken back here.
    Below a prefix of the blueprints they are problem documents, and `elsewhere` answers the rest:
    pages, and what no part of the product knows. For that to hold, nobody may register a handler
    for a single status with the app.
    """
    app.config.update(_OPENAPI, API_VERSION=version)
    api = ProblemAPI(app)
    api.spec.components.security_scheme(BEARER, {"type": "http", "scheme": "bearer"})
    for response in api.spec.components.responses_lazy.values():
        if "content" in response:
            response["content"] = {MEDIA_TYPE: response["content"].pop("application/json")}
    prefixes: list[str] = []
    for blueprint in blueprints:
        blueprint.register_error_handler(Exception, problems)
        api.register_blueprint(blueprint)
        prefixes.append(blueprint.url_prefix or "/")

    def of_whole_app(error: HTTPException) -> ResponseReturnValue:
        if any(_is_below(request.path, prefix) for prefix in prefixes):
            return problems(error)
        return elsewhere(error)

    app.register_error_handler(HTTPException, of_whole_app)
    return api


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix.rstrip('/')}/")
