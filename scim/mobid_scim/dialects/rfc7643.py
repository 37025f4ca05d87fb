"""Clients that refuse a provider whose discovery has members newer than RFC 7643."""

from typing import Final

from typing_extensions import override

from mobid_scim.dialect import Dialect, Rule
from mobid_scim.resource import Values
from mobid_scim.schemas.discovery import SERVICE_PROVIDER_CONFIG

_PAGINATION: Final = "pagination"


class OldDiscovery(Rule):
    """ServiceProviderConfig, and the schema of it, come without `pagination` (RFC 9865).

    Source: scim2-client 0.7.5, as Canaille 0.3.6 uses it: "Extra inputs are not permitted".
    """

    @override
    def discovered(self, document: Values) -> Values:
        attributes = document.get("attributes")
        if document.get("id") == SERVICE_PROVIDER_CONFIG.id and isinstance(attributes, list):
            kept = [each for each in attributes if each["name"] != _PAGINATION]
            return document | {"attributes": kept}
        return {name: each for name, each in document.items() if name != _PAGINATION}


RFC7643: Final = Dialect("rfc7643", (OldDiscovery(),))
