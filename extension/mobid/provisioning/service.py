"""The SCIM service of the product: which resource types there are, and on what they stand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mobid.provisioning.groups import Groups
from mobid.provisioning.mobile_ids import MobileIDs
from mobid.provisioning.reading import Parts
from mobid.provisioning.types import GROUP_TYPE, MOBILE_ID_TYPE, USER_TYPE
from mobid.provisioning.users import Users
from mobid_scim.service import Endpoint, Service

if TYPE_CHECKING:
    from datetime import timedelta

    from mobid.processes.mass_changes import MassChangeGuard
    from mobid.processes.settlement import Settlement
    from mobid.provisioning.access import Caller
    from mobid.storage import SQLUnits, Transactions


def service(
    *,
    units: SQLUnits,
    transactions: Transactions,
    settlement: Settlement,
    guard: MassChangeGuard,
    order_lapses_after: timedelta,
    base_url: str,
) -> Service[Caller]:
    """Return the service to mount; `base_url` is where clients reach it, such as `…/scim/v2`."""
    parts = Parts(
        units=units,
        transactions=transactions,
        settlement=settlement,
        guard=guard,
        order_lapses_after=order_lapses_after,
        base_url=base_url.rstrip("/"),
    )
    endpoints: list[Endpoint[Caller]] = [
        Endpoint(USER_TYPE, partial(Users, parts)),
        Endpoint(GROUP_TYPE, partial(Groups, parts)),
        Endpoint(MOBILE_ID_TYPE, partial(MobileIDs, parts)),
    ]
    return Service(endpoints, base_url=base_url)
