"""Okta. Its PATCH without a path and its PUT with an `id` are what the RFCs have."""

from typing import Final

from mobid_scim.dialect import Dialect
from mobid_scim.dialects.leaving_out import IgnoredAttributes, IgnoredExtensions

OKTA: Final = Dialect(
    "okta",
    (
        IgnoredAttributes(frozenset({"password"})),
        IgnoredExtensions(frozenset({"urn:okta:custom:group:1.0"})),
    ),
)
