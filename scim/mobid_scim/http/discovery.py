"""The views of discovery (RFC 7644, 4): read-only, and whole."""

from collections.abc import Callable, Mapping

from flask import Response

from mobid_scim import wire
from mobid_scim.discovery import Discovery
from mobid_scim.errors import Forbidden
from mobid_scim.http import reading
from mobid_scim.http.answers import answer

View = Callable[..., Response]


def views(discovery: Discovery) -> Mapping[str, View]:
    """Return what GET answers, by rule."""
    return {
        "/ServiceProviderConfig": lambda: _discovered(discovery.service_provider_config()),
        "/ResourceTypes": lambda: _discovered(wire.whole_list(discovery.resource_types())),
        "/ResourceTypes/<name>": lambda name: _discovered(discovery.resource_type(name)),
        "/Schemas": lambda: _discovered(wire.whole_list(discovery.schemas())),
        "/Schemas/<urn>": lambda urn: _discovered(discovery.schema(urn)),
    }


def _discovered(value: object) -> Response:
    """Answer with what discovery has; filters are forbidden there (RFC 7644, 4)."""
    if "filter" in reading.parameters():
        raise Forbidden("Discovery cannot be filtered; read the whole list.")
    return answer(wire.dump(value))
