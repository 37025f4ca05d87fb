"""What became of the operations of a Bulk request: a BulkResponse message (RFC 7644, 3.7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson

from mobid_scim.resource import Values

BULK_RESPONSE: Final = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one operation; `response` is the JSON of an error, or of a resource."""

    method: str
    status: int
    bulk_id: str | None = None
    location: str | None = None
    version: str | None = None
    response: bytes | None = None

    def shown(self) -> Values:
        """Return it as the answer has it: without what there is not, the status as a string."""
        members = {
            "location": self.location,
            "method": self.method,
            "bulkId": self.bulk_id,
            "version": None if self.version is None else f'W/"{self.version}"',
            "status": str(self.status),
            "response": None if self.response is None else orjson.Fragment(self.response),
        }
        return {name: value for name, value in members.items() if value is not None}


def message(results: Iterable[Result]) -> bytes:
    """Return the BulkResponse message."""
    shown = [each.shown() for each in results]
    return orjson.dumps({"schemas": [BULK_RESPONSE], "Operations": shown})
