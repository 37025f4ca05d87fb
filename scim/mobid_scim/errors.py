"""Everything a SCIM request can be refused with; each class is one HTTP status and scimType.

::

    SCIMError
    ├── BadRequest              400
    │   ├── InvalidFilter       400 invalidFilter
    │   ├── Mutability          400 mutability
    │   ├── InvalidSyntax       400 invalidSyntax
    │   │   └── MalformedJSON   400 invalidSyntax, with the place in the text
    │   ├── InvalidPath         400 invalidPath
    │   ├── NoTarget            400 noTarget
    │   ├── InvalidValue        400 invalidValue
    │   ├── InvalidCursor       400 invalidCursor
    │   ├── ExpiredCursor       400 expiredCursor
    │   └── InvalidCount        400 invalidCount
    ├── Unauthorized            401
    ├── Forbidden               403
    ├── NotFound                404
    ├── MethodNotAllowed        405
    ├── Conflict                409
    │   └── Uniqueness          409 uniqueness
    ├── PreconditionFailed      412
    ├── PayloadTooLarge         413
    ├── UnsupportedMediaType    415
    ├── InternalError           500
    └── NotYetImplemented       501

The status codes and scimTypes are those of RFC 7644, 3.12 (tables 8 and 9), and of RFC 9865, 2.
"""

from collections.abc import Mapping
from typing import ClassVar


class SCIMError(Exception):
    """A refusal that the client may read; `detail` says what, which thing, and the remedy."""

    status: ClassVar[int]
    scim_type: ClassVar[str | None] = None

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def headers(self) -> Mapping[str, str]:
        """Return the headers that HTTP asks for beside the body."""
        return {}


class BadRequest(SCIMError):
    """The request is wrong in itself; sending it again will not help."""

    status = 400


class InvalidFilter(BadRequest):
    """The filter has wrong syntax, or an attribute and comparison that do not go together."""

    scim_type = "invalidFilter"


class Mutability(BadRequest):
    """The attribute is readOnly, immutable or required, and the change is against that."""

    scim_type = "mutability"


class InvalidSyntax(BadRequest):
    """The body does not conform to the schema of the request."""

    scim_type = "invalidSyntax"


class MalformedJSON(InvalidSyntax):
    """The bytes are no JSON that we take; `position` is a character offset where it is known."""

    def __init__(self, reason: str, *, position: int | None = None) -> None:
        place = "" if position is None else f" at character {position + 1}"
        super().__init__(f"The body is no acceptable JSON: {reason}{place}.")
        self.reason = reason
        self.position = position


class InvalidPath(BadRequest):
    """The path of a PATCH operation is malformed, unknown, or of a kind that is not there."""

    scim_type = "invalidPath"


class NoTarget(BadRequest):
    """The path of a PATCH operation yields nothing that could be operated on."""

    scim_type = "noTarget"


class InvalidValue(BadRequest):
    """A required value is missing, or a value does not fit its attribute."""

    scim_type = "invalidValue"


class InvalidCursor(BadRequest):
    """The cursor is none of ours, or belongs to another client or another search."""

    scim_type = "invalidCursor"


class ExpiredCursor(BadRequest):
    """The cursor is too old: the list has to be begun again."""

    scim_type = "expiredCursor"


class InvalidCount(BadRequest):
    """The size of pages is negative, or differs from that of the list so far."""

    scim_type = "invalidCount"


class Unauthorized(SCIMError):
    """Who calls is not known."""

    status = 401

    def headers(self) -> Mapping[str, str]:
        """Name the scheme to try (RFC 7644, 2: bearer tokens)."""
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(SCIMError):
    """The caller is known and may not do this."""

    status = 403


class NotFound(SCIMError):
    """There is no such resource or endpoint."""

    status = 404


class MethodNotAllowed(SCIMError):
    """The endpoint exists and has no such method."""

    status = 405

    def __init__(self, method: str, *, allow: tuple[str, ...]) -> None:
        allowed = ", ".join(allow)
        super().__init__(f"The method {method} is not allowed here; allowed are {allowed}.")
        self.allow = allow

    def headers(self) -> Mapping[str, str]:
        """List what is allowed (RFC 9110, 15.5.6)."""
        return {"Allow": ", ".join(self.allow)}


class Conflict(SCIMError):
    """The resource, or another one, is in a state that does not permit this."""

    status = 409


class Uniqueness(Conflict):
    """Another resource has this value already."""

    scim_type = "uniqueness"


class PreconditionFailed(SCIMError):
    """The resource has another version than the caller expected: read it again."""

    status = 412


class PayloadTooLarge(SCIMError):
    """The body is larger than the limit."""

    status = 413


class UnsupportedMediaType(SCIMError):
    """The body is not sent as plain SCIM JSON."""

    status = 415


class InternalError(SCIMError):
    """Something of ours failed; the log has the details."""

    status = 500


class NotYetImplemented(SCIMError):
    """The RFC has this operation, this provider does not."""

    status = 501
