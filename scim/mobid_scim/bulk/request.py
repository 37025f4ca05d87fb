"""What a Bulk request asks for (RFC 7644, 3.7): a BulkRequest message to operations.

A message that cannot be read is refused as a whole; an operation that cannot be read fails alone
(RFC 7644, 3.7.3), and its error stands in its place.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from mobid_scim import strict_json
from mobid_scim.errors import (
    BadRequest,
    InvalidPath,
    InvalidSyntax,
    InvalidValue,
    PayloadTooLarge,
    SCIMError,
)
from mobid_scim.message import read_members, read_message
from mobid_scim.resource import Values
from mobid_scim.wording import quoted, shown

BULK_REQUEST: Final = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"

_MEMBERS: Final = ("method", "bulkId", "version", "path", "data")
_PATH: Final = re.compile(r"(/[^/?#]+)(?:/([^/?#]+))?")
# It becomes part of filters, so it holds nothing that would end a string there.
_BULK_ID: Final = re.compile(r'[^"\\\x00-\x1f]{1,256}')
_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class BulkLimits:
    """How much one request may hold; more is 413, before anything is done (RFC 7644, 3.7.4)."""

    max_operations: int = 1_000
    max_payload_size: int = strict_json.DEFAULT_LIMITS.size


class Method(StrEnum):
    """What an operation does (RFC 7644, 3.7)."""

    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOperation:
    """One operation; `tag` is the version that the client expects, as If-Match would have it.

    `resource_id` is None for POST alone; it may be a reference such as `bulkId:qwerty`.
    """

    method: Method
    endpoint: str
    resource_id: str | None = None
    bulk_id: str | None = None
    tag: str | None = None
    data: object = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An operation that cannot be read: what is known of it, and what is wrong."""

    method: str
    bulk_id: str | None
    path: str | None
    error: SCIMError


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """The operations in the order of the request, and after how many errors to stop, if ever."""

    operations: Sequence[BulkOperation | Unreadable]
    fail_on_errors: int | None = None


def read_bulk(body: object, limits: BulkLimits) -> BulkRequest:
    """Return what a body asks for, or raise InvalidSyntax, InvalidValue or PayloadTooLarge."""
    members = read_message(body, BULK_REQUEST, ("Operations", "failOnErrors"), "a BulkRequest")
    items = members.get("Operations")
    if not isinstance(items, list) or not items:
        raise InvalidSyntax('"Operations" is an array with at least one operation.')
    if len(items) > limits.max_operations:
        raise PayloadTooLarge(
            f"The request has {len(items)} operations; at most {limits.max_operations}"
            " (maxOperations)."
        )
    operations = [_read(item) for item in items]
    _check_unique(operations)
    return BulkRequest(operations, _fail_on_errors(members.get("failOnErrors")))


def _fail_on_errors(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidValue("failOnErrors is an integer of at least 1, as a JSON number.")
    return value


def _check_unique(operations: Sequence[BulkOperation | Unreadable]) -> None:
    """Refuse two operations of one name: nobody could tell which one is referred to."""
    seen: set[str] = set()
    for each in operations:
        if each.bulk_id in seen:
            raise InvalidSyntax(f"The bulkId {quoted(each.bulk_id)} comes twice.")
        if each.bulk_id is not None:
            seen.add(each.bulk_id)


def _read(item: object) -> BulkOperation | Unreadable:
    if not isinstance(item, dict):
        raise InvalidSyntax("An operation is an object with method, path, bulkId and data.")
    members = read_members(item, _MEMBERS, "an operation")
    try:
        return _operation(members)
    except BadRequest as error:
        method, bulk_id, path = (members.get(name) for name in ("method", "bulkId", "path"))
        return Unreadable(
            method if isinstance(method, str) else "",
            bulk_id if isinstance(bulk_id, str) else None,
            path if isinstance(path, str) else None,
            error,
        )


def _operation(members: Values) -> BulkOperation:
    method = _method(members.get("method"))
    endpoint, resource_id = _path(members.get("path"), method)
    bulk_id, data = members.get("bulkId"), members.get("data")
    if bulk_id is None and method is Method.POST:
        raise InvalidSyntax("A POST has a bulkId, by which its result is known.")
    if bulk_id is not None and not (isinstance(bulk_id, str) and _BULK_ID.fullmatch(bulk_id)):
        raise InvalidSyntax(
            "A bulkId is a string of up to 256 characters, without quotes and backslashes."
        )
    if data is None and method is not Method.DELETE:
        raise InvalidSyntax(f'A {method} has "data": the body that it would have alone.')
    if data is not None and method is Method.DELETE:
        raise InvalidSyntax('A DELETE has no "data".')
    return BulkOperation(
        method=method,
        endpoint=endpoint,
        resource_id=resource_id,
        bulk_id=bulk_id,
        tag=_tag(members.get("version"), method),
        data=data,
    )


def _method(value: object) -> Method:
    if isinstance(value, str) and value.upper() in list(Method):
        return Method(value.upper())
    known = ", ".join(Method)
    raise InvalidSyntax(f"The method of an operation is one of {known}, not {shown(value)}.")


def _path(value: object, method: Method) -> tuple[str, str | None]:
    found = _PATH.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found.group(2) is None) != (method is Method.POST):
        form = "/Users" if method is Method.POST else "/Users/{id}"
        raise InvalidPath(f"The path of a {method} in a Bulk request has the form {form}.")
    endpoint, resource_id = found.groups()
    return endpoint, None if resource_id is None else unquote(resource_id)


def _tag(value: object, method: Method) -> str | None:
    if value is None:
        return None
    found = _TAG.fullmatch(value) if isinstance(value, str) else None
    if found is None or method is Method.POST:
        raise InvalidValue(
            'The version of an operation is an ETag such as W/"1", of what is there already.'
        )
    return found.group(1)
