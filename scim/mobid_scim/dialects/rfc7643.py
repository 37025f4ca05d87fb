"""Clients that take discovery for RFC 7643 to the letter: neither more members, nor fewer."""

from collections.abc import Mapping
from typing import Final

from typing_extensions import override

from mobid_scim.dialect import Dialect, Rule
from mobid_scim.dialects.leaving_out import IgnoredAttributes
from mobid_scim.resource import Values
from mobid_scim.schemas.discovery import SERVICE_PROVIDER_CONFIG
from mobid_scim.schemas.user import USER

_PAGINATION: Final = "pagination"
_PASSWORD: Final[Mapping[str, object]] = {
    "name": "password",
    "type": "string",
    "multiValued": False,
    "description": "Taken from clients that cannot leave it out, and not kept.",
    "required": False,
    "caseExact": False,
    "mutability": "writeOnly",
    "returned": "never",
    "uniqueness": "none",
}


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


class AnnouncedPassword(Rule):
    """The schema of users has the `password` of RFC 7643, 8.7.1, and says that it is not kept.

    A client that makes its own class of users from the schemas, and then fills in all that the RFC
    has, cannot send any user without it. Source: canaille/scim/casting.py of Canaille 0.3.6.
    """

    @override
    def discovered(self, document: Values) -> Values:
        attributes = document.get("attributes")
        if document.get("id") == USER.id and isinstance(attributes, list):
            return document | {"attributes": [*attributes, _PASSWORD]}
        return document


RFC7643: Final = Dialect(
    "rfc7643",
    (OldDiscovery(), AnnouncedPassword(), IgnoredAttributes(frozenset({"password"}))),
)
