"""The codes of Gets and the phones that claimed them. A code is bound by one conditional UPDATE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, insert, not_, or_, select, update

from mobid.domain.enrolments import Claim, DeviceKey, Enrolment
from mobid.domain.mobile_ids import Device
from mobid.processes.errors import NotFound
from mobid.storage.columns import is_storable
from mobid.storage.mapping import RowMap, part_columns
from mobid.storage.tables import enrolment_keys, enrolments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from mobid.storage.transaction import Transaction


_MAP: Final = RowMap(Enrolment, apart={"claim", "keys"})
_KEY_MAP: Final = RowMap(DeviceKey)


class SQLEnrolments:
    """Implements the port `Enrolments`, and writes them."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def find(self, enrolment_id: str) -> Enrolment | None:
        """Return one, or none."""
        if not is_storable(enrolment_id):
            return None
        return self._first(enrolments.c.id == enrolment_id)

    def of_instance(self, instance_id: str) -> Enrolment | None:
        """Return the enrolment of a Get, if it has come that far."""
        return self._first(enrolments.c.instance_id == instance_id)

    def by_code(self, code_hash: bytes) -> Enrolment | None:
        """Return the enrolment whose current token or typed code has this hash."""
        return self._first(
            or_(enrolments.c.token_hash == code_hash, enrolments.c.typed_code_hash == code_hash)
        )

    def bind(
        self, enrolment: Enrolment, claim: Claim, *, mail_code_hash: bytes | None = None
    ) -> bool:
        """Bind an unclaimed, open, unexpired code to a phone in one conditional UPDATE; say who won.

        The code is the one of `enrolment`: after *New code* it binds nobody any more. A code that
        went by mail binds if the mail code is right, too, and has not expired.
        """
        done = self._transaction.write(
            update(enrolments)
            .where(
                enrolments.c.id == enrolment.id,
                enrolments.c.code_number == enrolment.code_number,
                enrolments.c.claim_thumbprint.is_(None),
                enrolments.c.code_expires_at > self._transaction.now,
                not_(enrolments.c.closed),
                _mail_code_is(mail_code_hash, self._transaction.now),
            )
            .values(_claim_values(claim))
        )
        return done.rowcount == 1

    def add(self, enrolment: Enrolment) -> None:
        """Insert a new one."""
        self._transaction.write(insert(enrolments).values(_values(enrolment)))
        self._insert_keys(enrolment)

    def save(self, enrolment: Enrolment) -> None:
        """Update one; raise `NotFound`."""
        done = self._transaction.write(
            update(enrolments).where(enrolments.c.id == enrolment.id).values(_values(enrolment))
        )
        if done.rowcount == 0:
            raise NotFound("enrolment", enrolment.id)
        if self._keys_of(enrolment.id) != enrolment.keys:
            of_this = enrolment_keys.c.enrolment_id == enrolment.id
            self._transaction.write(delete(enrolment_keys).where(of_this))
            self._insert_keys(enrolment)

    def _insert_keys(self, enrolment: Enrolment) -> None:
        rows = [
            {"enrolment_id": enrolment.id, "position": position, **_KEY_MAP.columns(key)}
            for position, key in enumerate(enrolment.keys)
        ]
        if rows:
            self._transaction.write(insert(enrolment_keys), rows)

    def _first(self, condition: ColumnElement[bool]) -> Enrolment | None:
        row = self._transaction.first(select(enrolments).where(condition))
        if row is None:
            return None
        return _MAP.entity(row, claim=_claim(row), keys=self._keys_of(row.id))

    def _keys_of(self, enrolment_id: str) -> tuple[DeviceKey, ...]:
        rows: Sequence[Row[Any]] = self._transaction.all(
            select(enrolment_keys)
            .where(enrolment_keys.c.enrolment_id == enrolment_id)
            .order_by(enrolment_keys.c.position)
        )
        return tuple(map(_KEY_MAP.entity, rows))


def _mail_code_is(mail_code_hash: bytes | None, now: datetime) -> ColumnElement[bool]:
    if mail_code_hash is None:
        return enrolments.c.mail_code_hash.is_(None)
    return and_(
        enrolments.c.mail_code_hash == mail_code_hash, enrolments.c.mail_code_expires_at > now
    )


def _claim(row: Row[Any]) -> Claim | None:
    if row.claim_thumbprint is None:
        return None
    return Claim(
        thumbprint=row.claim_thumbprint,
        jwk=row.claim_jwk,
        device=Device(
            name=row.claim_device_name,
            platform=row.claim_device_platform,
            model=row.claim_device_model,
        ),
        at=row.claimed_at,
        number=row.claim_number,
        numbers=row.claim_numbers,
    )


def _values(enrolment: Enrolment) -> dict[str, Any]:
    return _MAP.columns(enrolment) | _claim_values(enrolment.claim)


def _claim_values(claim: Claim | None) -> dict[str, Any]:
    return {
        "claim_thumbprint": claim.thumbprint if claim else None,
        "claim_jwk": claim.jwk if claim else None,
        "claimed_at": claim.at if claim else None,
        "claim_number": claim.number if claim else None,
        "claim_numbers": claim.numbers if claim else None,
    } | part_columns("claim_device", Device, claim and claim.device)
