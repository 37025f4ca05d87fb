"""The views of discovery (RFC 7644, 4): read-only, and whole."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from flask import Response, g

from mobid_scim import wire
from mobid_scim.dialect import Dialect
from mobid_scim.discovery import Discovery
from mobid_scim.errors import Forbidden
from mobid_scim.http import reading
from mobid_scim.http.answers import answer
from mobid_scim.resource import Values
from mobid_scim.service import Service

CallerT = TypeVar("CallerT")
View = Callable[..., Response]


def views(service: Service[CallerT]) -> Mapping[str, View]:
    """Return what GET answers, by rule."""
    discovery = Discovery.of(service)

    def dialect() -> Dialect:
        """Return the caller's dialect; filters are forbidden in any (RFC 7644, 4)."""
        spoken = service.dialect_of(g.scim_caller)
        if "filter" in reading.parameters(spoken):
            raise Forbidden("Discovery cannot be filtered; read the whole list.")
        return spoken

    def one(document: Values) -> Response:
        return answer(wire.dump(dialect().discovered(document)))

    def all_of(documents: list[Values]) -> Response:
        spoken = dialect()
        return answer(wire.dump(wire.whole_list([spoken.discovered(each) for each in documents])))

    return {
        "/ServiceProviderConfig": lambda: one(discovery.service_provider_config()),
        "/ResourceTypes": lambda: all_of(discovery.resource_types()),
        "/ResourceTypes/<name>": lambda name: one(discovery.resource_type(name)),
        "/Schemas": lambda: all_of(discovery.schemas()),
        "/Schemas/<urn>": lambda urn: one(discovery.schema(urn)),
    }
