"""JSON bodies: read by the strict loader, bounded, and refused with every fault at its field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, ValidationError, fields
from marshmallow.exceptions import SCHEMA
from typing_extensions import override
from webargs.flaskparser import FlaskParser

from mobid.api.errors import InvalidBody, UnsupportedMediaType
from mobid_scim import strict_json
from mobid_scim.errors import PayloadTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask import Request

MOST_BYTES: Final = 64 * 1024
BEARER: Final = "bearer"
"""What the OpenAPI document calls our tokens."""

_LIMITS: Final = strict_json.Limits(size=MOST_BYTES)
_MOST_FAULTS: Final = 20
_MOST_SHOWN: Final = 64


class Strict(Schema):
    """A body in which nothing may stand that is not named here."""

    class Meta:
        """What is unknown is refused."""

        unknown = RAISE


class Integer(fields.Integer):
    """A JSON integer: no text, no true, no 1.0."""

    @override
    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        return value


class Parser(FlaskParser):
    """Reads bodies for flask-smorest."""

    @override
    def load_json(self, req: Request, schema: Schema) -> Any:
        """Return the JSON value of the body; no body at all is an empty object."""
        body = read(req)
        if not body:
            return {}
        if req.mimetype != "application/json":
            raise UnsupportedMediaType("application/json")
        return strict_json.loads(body, limits=_LIMITS)

    @override
    def handle_error(
        self,
        error: ValidationError,
        req: Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Refuse the body with its first faults."""
        raise InvalidBody(faults_of(error))


class JSONBlueprint(Blueprint):
    """A blueprint whose bodies are read strictly, for callers with a bearer token."""

    ARGUMENTS_PARSER = Parser()

    @override
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Add a rule, and say in the OpenAPI document that it needs a token."""
        if view_func is not None:
            view_func = self.doc(security=[{BEARER: []}])(view_func)
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)


def read(request: Request) -> bytes:
    """Return the body; raise `PayloadTooLarge` after one byte too many, whatever its headers say."""
    parts, missing = [], MOST_BYTES + 1
    while missing and (part := request.stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    if not missing:
        raise PayloadTooLarge(f"The body is larger than {MOST_BYTES} bytes.")
    return b"".join(parts)


def faults_of(error: ValidationError) -> dict[str, list[str]]:
    """Return the first faults by field; marshmallow nests them as the body is nested."""
    messages = error.messages
    if isinstance(messages, dict):
        messages = messages.get("json", messages)
    found: dict[str, list[str]] = {}
    for path, words in _leaves(messages, ""):
        found.setdefault(path or "body", []).append(words)
        if len(found) == _MOST_FAULTS:
            break
    return found


def _leaves(messages: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, dict):
        for member, below in messages.items():
            name = "" if member == SCHEMA else str(member)[:_MOST_SHOWN]
            yield from _leaves(below, f"{path}.{name}" if path and name else path or name)
    elif isinstance(messages, list):
        for words in messages:
            yield from _leaves(words, path)
    else:
        yield path, str(messages)
