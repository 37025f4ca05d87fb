"""Mobile IDs for SCIM: what can be found by, their certificates, and their tombstones."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Text,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    null,
    select,
    true,
    type_coerce,
    update,
)
from typing_extensions import override

from mobid.domain.mobile_ids import ProfileState
from mobid.storage.given import is_given
from mobid.storage.scim import Place, ResourceTable, address
from mobid.storage.scim_filter import Attributes, Relation, in_row
from mobid.storage.scim_values import Plain, Words, ordered
from mobid.storage.tables import certificates, mobile_ids
from mobid_scim.errors import InvalidFilter
from mobid_scim.filter import Operator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row

    from mobid.storage.scim_filter import Condition
    from mobid_scim.filter import Literal

QUARANTINED: Final = "quarantined"
"""What a certificate shows as its status while it is not as ordered."""


_MOBILE_IDS: Final = ResourceTable(
    mobile_ids, "MobileID", mobile_ids.c.deleted_at.is_(None), tuple(mobile_ids.c)
)
_CERTIFICATES_OF: Final = (
    select(
        certificates.c.mobile_id,
        certificates.c.kind,
        certificates.c.serial,
        certificates.c.wanted,
        certificates.c.quarantined,
        certificates.c.ca_state,
        certificates.c.not_after,
    )
    .where(is_given(certificates.c.mobile_id, "mobile_ids"))
    .order_by(certificates.c.kind, certificates.c.ordered_at, certificates.c.id)
)
_CERTIFICATES_WITH_DER: Final = _CERTIFICATES_OF.add_columns(certificates.c.der)


def mobile_id_place(client: str, base_url: str) -> Place:
    """Return where mobile IDs are, as a client sees them."""
    return Place(_MOBILE_IDS, client, base_url)


def mobile_id_attributes(*, schema: str) -> Attributes:
    """Return what mobile IDs are searched by. What is empty is not there (RFC 7643, 2.5)."""
    row = mobile_ids.c
    device = {
        "name": _unless_empty(row.device_name),
        "platform": _unless_empty(row.device_platform),
        "model": _unless_empty(row.device_model),
    }
    return Attributes(
        named={
            **_MOBILE_IDS.common(),
            "schemas": in_row(Words(literal(schema))),
            "user": in_row(Words(row.user_id)),
            "user.value": in_row(Words(row.user_id)),
            "user.$ref": in_row(Words(address("User", row.user_id))),
            "active": in_row(Plain(row.state.in_([ProfileState.ACTIVE]))),
            "state": in_row(Words(type_coerce(row.state, Text))),
            "profileName": in_row(_unless_empty(row.profile_name)),
            "serverName": in_row(_unless_empty(row.server_name)),
            "userId": in_row(_unless_empty(row.user_label)),
            "validFrom": in_row(Plain(row.valid_from)),
            "validTo": in_row(Plain(row.valid_to)),
            "device": in_row(*device.values()),
            **{f"device.{name}": in_row(value) for name, value in device.items()},
        },
        several={"certificates": _certificates()},
    )


def certificates_of(
    connection: Connection, mobile_ids: Sequence[str], *, der: bool
) -> Sequence[Row[Any]]:
    """Return what SCIM shows of the certificates of some mobile IDs; the DER only if asked for."""
    statement = _CERTIFICATES_WITH_DER if der else _CERTIFICATES_OF
    return connection.execute(statement, {"mobile_ids": mobile_ids}).all()


def bury(connection: Connection, mobile_id: str, *, at: datetime) -> None:
    """Make a mobile ID one that SCIM shows no more; its state goes its own way."""
    here = mobile_ids.c.id == mobile_id
    connection.execute(update(mobile_ids).where(here).values(deleted_at=at))


@dataclass(frozen=True, slots=True)
class _Binary(Plain):
    """Bytes that clients see as base64: they are equal to a text or not, and that is all."""

    @override
    def compares(self, operator: Operator, wanted: Literal) -> Condition:
        if operator not in {Operator.EQ, Operator.NE}:
            raise InvalidFilter(
                f'certificates.value: the operator "{operator}" is not available; '
                "available are eq, ne and pr."
            )
        known = _decoded(str(wanted))
        if known is None:
            return true() if operator is Operator.NE else false()
        return ordered(self.expression, operator, literal(known))


def _certificates() -> Relation:
    row = certificates.c
    is_shown = and_(not_(row.quarantined), row.der.is_not(None), func.length(row.der) > 0)
    status = case(
        (row.quarantined, literal(QUARANTINED, Text)), else_=type_coerce(row.wanted, Text)
    )
    return Relation(
        resource=mobile_ids.c.id,
        owner=row.mobile_id,
        rows=certificates,
        where=true(),
        subs={
            "type": Words(type_coerce(row.kind, Text)),
            "serial": _unless_empty(row.serial),
            "status": Words(status),
            "caStatus": Words(type_coerce(row.ca_state, Text)),
            "notAfter": Plain(row.not_after),
            "value": _Binary(case((is_shown, row.der), else_=null())),
        },
    )


def _unless_empty(column: ColumnElement[str]) -> Words:
    return Words(func.nullif(column, literal("", Text)))


def _decoded(text: str) -> bytes | None:
    """Return the bytes that are shown as just this text, if there are such."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return decoded if base64.b64encode(decoded).decode() == text else None
