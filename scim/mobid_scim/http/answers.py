"""Answers: their media type is SCIM's always, for errors as well (RFC 7644, 3.1)."""

from flask import Response

from mobid_scim import wire
from mobid_scim.errors import SCIMError
from mobid_scim.http.reading import Return
from mobid_scim.resource import StoredResource


def answer(body: bytes, *, status: int = 200) -> Response:
    """Return an answer with a body."""
    return Response(body, status=status, content_type=wire.MEDIA_TYPE)


def bare(status: int) -> Response:
    """Return an answer without a body, and so without a media type."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


def with_version(to: Response, stored: StoredResource) -> Response:
    """Return the answer with the version of a resource (RFC 7644, 3.14)."""
    to.headers["ETag"] = f'W/"{stored.version}"'
    return to


def with_preference(to: Response, preferred: Return | None) -> Response:
    """Return the answer with the preference that it follows (RFC 7240, 3)."""
    if preferred is not None:
        to.headers["Preference-Applied"] = f"return={preferred}"
    return to


def refusal(error: SCIMError) -> Response:
    """Return the answer that says why not (RFC 7644, 3.12)."""
    refused = answer(wire.error(error), status=error.status)
    refused.headers.update(error.headers())
    return refused
