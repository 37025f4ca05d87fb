"""Microsoft Entra ID, with its flag `aadOptscim062020` and without it.

Its "Add", "Replace" and "Remove" are no matter of a dialect: `op` is read in any case anyway.
The order counts: keys become paths before what is at a path is looked at.
"""

from typing import Final

from mobid_scim.dialect import Dialect
from mobid_scim.dialects.leaving_out import IgnoredParameters, IgnoredSchemas
from mobid_scim.dialects.patching import (
    CreatesMissingValue,
    EmptyPatch,
    PathsAsKeys,
    RemovalByValue,
    RemovalWithValue,
)
from mobid_scim.dialects.values import EmptyTexts, PlainManager, TextBooleans

_ADSCIM: Final = "http://schemas.microsoft.com/2006/11/resourcemanagement/adscim"

ENTRA: Final = Dialect(
    "entra",
    (
        IgnoredParameters(frozenset({"aadOptscim062020", "AzureAdScimPatch2017"})),
        IgnoredSchemas(frozenset({f"{_ADSCIM}/group", f"{_ADSCIM}/2.0/group"})),
        EmptyPatch(),
        PathsAsKeys(),
        RemovalByValue(),
        RemovalWithValue(),
        EmptyTexts(),
        TextBooleans(),
        PlainManager(),
        CreatesMissingValue(),
    ),
)
