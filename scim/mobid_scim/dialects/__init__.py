"""The dialects of known clients, by the names that an operator chooses them by."""

from collections.abc import Mapping
from typing import Final

from mobid_scim.dialect import STRICT, Dialect
from mobid_scim.dialects.entra import ENTRA
from mobid_scim.dialects.keycloak import KEYCLOAK
from mobid_scim.dialects.midpoint import MIDPOINT
from mobid_scim.dialects.okta import OKTA
from mobid_scim.dialects.rfc7643 import RFC7643

DIALECTS: Final[Mapping[str, Dialect]] = {
    each.name: each for each in (STRICT, ENTRA, KEYCLOAK, MIDPOINT, OKTA, RFC7643)
}
"""What SailPoint and authentik send is strict, so they have none of their own."""
