"""What may be used once: nonces of phones, and the `jti` of assertions."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from mobid.storage.tables import used_once
from mobid.storage.upsert import insert_if_new

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from mobid.storage.transaction import Transaction


class SQLUsed:
    """Implements the port `Used`."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def first_use(self, what: str, *, until: datetime) -> bool:
        """Remember a use until it would be refused anyway; say whether it was the first.

        Kept is a digest: what comes from outside may be longer than an index can hold.
        """
        digest = hashlib.sha256(what.encode("utf-8", "surrogatepass")).digest()
        row = {"digest": digest, "until": until}
        return insert_if_new(self._transaction.writable(), used_once, row)


def purge_used(connection: Connection, *, before: datetime, limit: int = 1000) -> int:
    """Forget uses that would be refused anyway since then; return how many there were."""
    past = select(used_once.c.digest).where(used_once.c.until < before).limit(limit)
    return connection.execute(delete(used_once).where(used_once.c.digest.in_(past))).rowcount
