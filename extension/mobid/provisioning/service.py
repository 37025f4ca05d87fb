"""The SCIM service of the product: which resource types there are, and on what they stand."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from mobid.provisioning.groups import Groups
from mobid.provisioning.mobile_ids import MobileIDs
from mobid.provisioning.reading import Parts, Repository, undone_as_a_whole
from mobid.provisioning.together import Together
from mobid.provisioning.types import GROUP_TYPE, MOBILE_ID_TYPE, USER_TYPE
from mobid.provisioning.users import Users
from mobid_scim.bulk.request import BulkLimits
from mobid_scim.cursors import Cursors
from mobid_scim.service import Endpoint, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mobid.config import Secret
    from mobid.processes.mass_changes import MassChangeGuard
    from mobid.processes.ports import Clock
    from mobid.processes.settlement import Settlement
    from mobid.provisioning.access import Caller
    from mobid.storage import SQLUnits, Transactions
    from mobid.storage.unit_of_work import SQLUnit
    from mobid_scim.dialect import Dialect
    from mobid_scim.resource import ResourceType

CURSOR_LIFETIME: Final = timedelta(hours=1)
"""How long a client may think between two pages."""
_KINDS: Final[Mapping[str, tuple[ResourceType, type[Repository]]]] = {
    each.name: (each, kind)
    for each, kind in (
        (USER_TYPE, Users),
        (GROUP_TYPE, Groups),
        (MOBILE_ID_TYPE, MobileIDs),
    )
}


def cursors(key: Secret[bytes], clock: Clock) -> Cursors[Caller]:
    """Return what seals the places in lists, for every process with the same key."""
    return Cursors([key.reveal()], client=_name, lifetime=CURSOR_LIFETIME, clock=clock)


def service(
    *,
    units: SQLUnits,
    transactions: Transactions,
    settlement: Settlement,
    guard: MassChangeGuard,
    order_lapses_after: timedelta,
    base_url: str,
    cursors: Cursors[Caller],
    dialect_of: Callable[[Caller], Dialect],
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
        Endpoint(scope, partial(kind, parts)) for scope, kind in _KINDS.values()
    ]
    return Service(
        endpoints,
        base_url=base_url,
        bulk=BulkLimits(),
        unit=partial(_together, parts),
        cursors=cursors,
        dialect_of=dialect_of,
    )


@contextmanager
def _together(parts: Parts, caller: Caller) -> Iterator[Together]:
    """Begin a unit of work for many operations of a client; it is committed at the end."""

    def bind(name: str, unit: SQLUnit) -> Repository:
        return _KINDS[name][1](parts, caller, unit)

    with undone_as_a_whole(), parts.units() as unit:
        yield Together(unit, bind)
        unit.commit()


def _name(caller: Caller) -> str:
    return caller.client
