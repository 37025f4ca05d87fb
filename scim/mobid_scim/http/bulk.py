"""The view of Bulk (RFC 7644, 3.7)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from flask import Response, g

from mobid_scim import strict_json
from mobid_scim.bulk.request import read_bulk
from mobid_scim.bulk.result import message
from mobid_scim.bulk.single import Refusal, Terms
from mobid_scim.bulk.work import carry_out
from mobid_scim.errors import NotYetImplemented
from mobid_scim.http import reading
from mobid_scim.http.answers import answer, with_preference
from mobid_scim.http.reading import Return
from mobid_scim.http.resources import Authorize
from mobid_scim.service import Service

CallerT = TypeVar("CallerT")

# A body stands in the data of an operation in the list of the message.
_DEPTH: Final = strict_json.DEFAULT_LIMITS.depth + 3


def views(
    service: Service[CallerT], authorize: Authorize[CallerT], refusal: Refusal
) -> Mapping[str, Callable[[], Response]]:
    """Return what /Bulk answers; each operation is authorized as if it came alone."""

    def view() -> Response:
        if service.bulk is None:
            raise NotYetImplemented("Bulk requests are not available; send each request alone.")
        caller: CallerT = g.scim_caller
        reading.check_no_parameters(service.dialect_of(caller))
        limits = strict_json.Limits(size=service.bulk.max_payload_size, depth=_DEPTH)
        request = read_bulk(reading.body(limits), service.bulk)
        preferred = reading.preferred_return()
        terms = Terms(
            caller,
            allow=partial(authorize, caller),
            refusal=refusal,
            with_resources=preferred is Return.REPRESENTATION,
        )
        return with_preference(answer(message(carry_out(request, service, terms))), preferred)

    return {"POST": view}
