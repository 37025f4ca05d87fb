"""What goes out: resources, lists and errors as bytes of JSON."""

from collections.abc import Sequence
from typing import Final

import orjson

from mobid_scim.errors import SCIMError
from mobid_scim.projection import Choice, Projection
from mobid_scim.resource import (
    ResourceType,
    StoredResource,
    Values,
    own_parts,
    represent,
)

MEDIA_TYPE: Final = "application/scim+json"
LIST_RESPONSE: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"


def dump(value: object) -> bytes:
    """Return JSON in UTF-8."""
    return orjson.dumps(value)


def resource(stored: StoredResource, projection: Projection, base_url: str) -> bytes:
    """Return one resource as the client asked for it."""
    scope = projection.scope
    # Computed values have to be merged into the text, so they need it decoded.
    if projection.choice is Choice.DEFAULT and scope.shows_documents and not stored.computed:
        return _spliced(stored, scope, base_url)
    return orjson.dumps(projection.apply(represent(stored, scope, base_url)))


def page(
    items: Sequence[bytes],
    *,
    total: int | None,
    start_index: int | None,
    next_cursor: str | None = None,
    previous_cursor: str | None = None,
) -> bytes:
    """Return a ListResponse (RFC 7644, 3.4.2; RFC 9865, 2); `itemsPerPage` is what this page holds.

    The resources come last: a client is known that wants its counters first.
    """
    members = {
        "schemas": [LIST_RESPONSE],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": len(items),
        "previousCursor": previous_cursor,
        "nextCursor": next_cursor,
    }
    head = {name: value for name, value in members.items() if value is not None}
    return orjson.dumps(head)[:-1] + b',"Resources":[' + b",".join(items) + b"]}"


def whole_list(items: Sequence[object]) -> Values:
    """Return a ListResponse that holds everything there is, as discovery does."""
    return {
        "schemas": [LIST_RESPONSE],
        "totalResults": len(items),
        "startIndex": 1,
        "itemsPerPage": len(items),
        "Resources": list(items),
    }


def error(refusal: SCIMError) -> bytes:
    """Return the body of an error (RFC 7644, 3.12): the status is a string."""
    body: Values = {"schemas": [ERROR], "status": str(refusal.status)}
    if refusal.scim_type is not None:
        body["scimType"] = refusal.scim_type
    body["detail"] = refusal.detail
    return orjson.dumps(body)


def _spliced(stored: StoredResource, scope: ResourceType, base_url: str) -> bytes:
    parts = own_parts(stored, scope, base_url, time=lambda moment: moment)
    own = orjson.dumps(parts, option=orjson.OPT_UTC_Z)
    return stored.document.encode()[:-1] + b"," + own[1:]
