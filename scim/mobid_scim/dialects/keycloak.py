"""Keycloak, with an extension that sends users and groups by the client of SCIM-SDK (keycloak-scim).

Its PUTs, with an `id` and a relative location, are what the RFCs have; its PATCH has booleans as text
(mitodl/keycloak-scim #184) and single values in arrays. The order counts: what is unwrapped is a text.
"""

from typing import Final

from mobid_scim.dialect import Dialect
from mobid_scim.dialects.values import TextBooleans, WrappedValues

KEYCLOAK: Final = Dialect("keycloak", (WrappedValues(), TextBooleans()))
