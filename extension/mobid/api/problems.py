"""Errors as problem documents (RFC 9457). What an error means is the table's business, in `mobid.app`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from flask import Response
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException, InternalServerError

from mobid.auth.errors import Unauthenticated
from mobid.processes.decision import new_reference

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

MEDIA_TYPE: Final = "application/problem+json"

_log: Final = structlog.get_logger(__name__)


class Meaning(Protocol):
    """What an error is to a caller."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def code(self) -> str:
        """The word by which programs tell it from others."""

    @property
    def detail(self) -> str:
        """The sentence for people."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What HTTP asks for beside the body."""

    @property
    def members(self) -> Mapping[str, object]:
        """More that programs may want to know."""


class ProblemAnswer(Schema):
    """A problem document (RFC 9457). `code` is for programs, `detail` for people."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True)
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong with the input, by field."},
    )
    reference = fields.String(metadata={"description": "What to tell the service desk."})
    mail_code = fields.String(
        metadata={
            "description": "`required`, with `BAD_CODE`: the code came by mail, and the claim has to say "
            "`mail_code`, too. No try was counted."
        }
    )
    tries_left = fields.Integer(
        metadata={"description": "With `BAD_CODE`: how often this mail code may still be tried."}
    )
    outcome = fields.String(
        metadata={"description": "With `SCRIPT_NOT_ACCEPTED`: how the check of the script ended."}
    )
    diagnostics = fields.List(
        fields.Dict(),
        metadata={
            "description": "With `SCRIPT_NOT_ACCEPTED`: `code`, `line`, `column`, `message`."
        },
    )
    tests = fields.List(
        fields.Dict(),
        metadata={"description": "With `SCRIPT_TESTS_FAILED`: `name` and `problems` of each test."},
    )


MeaningOf = Callable[[Exception], Meaning | None]
"""Looks an error up in the table; none for an error that callers learn nothing about."""


class Problems:
    """Turns any exception into an answer. It is the error handler of all JSON interfaces."""

    def __init__(self, meaning_of: MeaningOf) -> None:
        self._meaning_of = meaning_of

    def __call__(self, error: Exception, **members: object) -> AnyResponse:
        """Return the problem that an error is; one that is nobody's business is logged instead."""
        if isinstance(error, InternalServerError) and isinstance(
            error.original_exception, Exception
        ):
            return self(error.original_exception, **members)
        meaning = self._meaning_of(error)
        if meaning is not None:
            if isinstance(error, Unauthenticated):
                _log.warning("unauthenticated", reason=error.reason)
            answer = _problem(
                meaning.status, meaning.code, meaning.detail, {**meaning.members, **members}
            )
            answer.headers.update(meaning.headers)
            return answer
        if isinstance(error, HTTPException):
            return _of_http(error)
        return _unexpected(error)


def _of_http(error: HTTPException) -> AnyResponse:
    """Return what Flask itself refuses: no such address, a wrong method."""
    original = error.get_response()
    if error.code is None or original.status_code < HTTPStatus.BAD_REQUEST:
        return original
    code = error.name.upper().replace(" ", "_")
    answer = _problem(error.code, code, error.description or error.name, {})
    for name, value in original.headers.items():
        if name.lower() not in {"content-type", "content-length"}:
            answer.headers[name] = value
    return answer


def _unexpected(error: Exception) -> Response:
    reference = new_reference()
    _log.error("unexpected_error", reference=reference, exc_info=error)
    detail = f"Something went wrong here, and was logged. Its reference is {reference}."
    return _problem(500, "INTERNAL_ERROR", detail, {"reference": reference})


def _problem(status: int, code: str, detail: str, members: Mapping[str, object]) -> Response:
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }
    answer = Response(json.dumps(document), status, mimetype=MEDIA_TYPE)
    answer.headers["Cache-Control"] = "no-store"
    return answer
