"""Mobile IDs for SCIM: what can be found by, their certificates, and their tombstones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import false, select, update

from mobid.domain.mobile_ids import ProfileState
from mobid.storage.scim import Place, exact
from mobid.storage.tables import certificates, mobile_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from mobid.storage.scim import Condition, Terms
    from mobid_scim.filter import Literal


def mobile_id_place(client: str) -> Place:
    """Return where mobile IDs are, as a client sees them."""
    return Place(mobile_ids, "MobileID", client, mobile_ids.c.deleted_at.is_(None))


def mobile_id_terms(client: str) -> Terms:
    """Return what mobile IDs can be filtered by."""
    return {
        "id": exact(mobile_ids.c.id),
        "externalId": mobile_id_place(client).external_id(),
        "user.value": exact(mobile_ids.c.user_id),
        "state": _in_state,
        "active": _is_active,
    }


def certificates_of(
    connection: Connection, mobile_ids: Sequence[str], *, der: bool
) -> Sequence[Row[Any]]:
    """Return what SCIM shows of the certificates of some mobile IDs; the DER only if asked for."""
    table = certificates.c
    shown = [
        table.mobile_id,
        table.kind,
        table.serial,
        table.wanted,
        table.quarantined,
        table.ca_state,
        table.not_after,
    ]
    query = select(*shown, *([table.der] if der else [])).where(table.mobile_id.in_(mobile_ids))
    return connection.execute(query.order_by(table.kind, table.ordered_at, table.id)).all()


def bury(connection: Connection, mobile_id: str, *, at: datetime) -> None:
    """Make a mobile ID one that SCIM shows no more; its state goes its own way."""
    here = mobile_ids.c.id == mobile_id
    connection.execute(update(mobile_ids).where(here).values(deleted_at=at))


def _in_state(literal: Literal) -> Condition:
    if not isinstance(literal, str) or literal not in list(ProfileState):
        return false()
    return mobile_ids.c.state.in_([ProfileState(literal)])


def _is_active(literal: Literal) -> Condition:
    if literal is None:
        return false()
    is_active = mobile_ids.c.state.in_([ProfileState.ACTIVE])
    return is_active if literal else ~is_active
