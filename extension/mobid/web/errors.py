"""Errors as pages. What an error means is the table's business, in `mobid.app`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from flask import Response, render_template
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from mobid.processes.decision import new_reference
from mobid.web.headers import secured

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

_log: Final = structlog.get_logger(__name__)


class Meaning(Protocol):
    """What an error is to a person."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def detail(self) -> str:
        """The sentence for people."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What HTTP asks for beside the body."""


MeaningOf = Callable[[Exception], Meaning | None]
"""Looks an error up in the table; none for an error that callers learn nothing about."""


def error_page(error: HTTPException) -> AnyResponse:
    """Answer what Flask itself refuses: no such page, a wrong method, a form that is not ours."""
    original = error.get_response()
    if error.code is None or original.status_code < HTTPStatus.BAD_REQUEST:
        return original
    text = error.description or error.name
    if isinstance(error, CSRFError):
        text = gettext(
            "This form is too old, or it came from another site, so nothing was done. "
            "Go back, load the page again, and try once more."
        )
    kept = {name: value for name, value in original.headers if not name.startswith("Content-")}
    return _page(error.code, error.name, text, kept)


class ErrorPages:
    """Turns any exception into a page. It is the error handler of all pages."""

    def __init__(self, meaning_of: MeaningOf) -> None:
        self._meaning_of = meaning_of

    def __call__(self, error: Exception) -> AnyResponse:
        """Return the page that an error is; one that is nobody's business is logged instead."""
        meaning = self._meaning_of(error)
        if meaning is not None:
            title = gettext(
                "Not found" if meaning.status == HTTPStatus.NOT_FOUND else "This did not work"
            )
            return _page(meaning.status, title, meaning.detail, meaning.headers)
        if isinstance(error, HTTPException):
            return error_page(error)
        reference = new_reference()
        _log.error("unexpected_error", reference=reference, exc_info=error)
        text = gettext(
            "Something went wrong here, and was logged. Its reference is %(reference)s.",
            reference=reference,
        )
        return _page(HTTPStatus.INTERNAL_SERVER_ERROR, gettext("This did not work"), text, {})


def _page(status: int, title: str, text: str, headers: Mapping[str, str]) -> Response:
    return secured(
        Response(render_template("message.html", title=title, text=text), status, headers)
    )
