"""midPoint, with the SCIM2 connector of Exclamation Labs, whose mode is AWS.

In its mode Slack it wants attributes of Slack's, which are refused. `members eq "…"` and members removed by
a filter are no matter of a dialect, nor is anything that Evolveum's connector-scimrest sends.
The order counts: a PUT is in part only once its empty texts are gone.
"""

from typing import Final

from mobid_scim.dialect import Dialect
from mobid_scim.dialects.values import EmptyTexts
from mobid_scim.dialects.whole import PartialPut, SchemasLeftOut

MIDPOINT: Final = Dialect("midpoint", (SchemasLeftOut(), EmptyTexts(), PartialPut()))
