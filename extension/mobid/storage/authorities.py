"""The CAs' last stored answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from mobid.storage.json_forms import capabilities_as_json, capabilities_from_json
from mobid.storage.tables import authority_records
from mobid.storage.upsert import insert_or

if TYPE_CHECKING:
    from mobid.processes.authority import Capabilities
    from mobid.storage.transaction import Transaction


class SQLAuthorityRecords:
    """Implements the port `AuthorityRecords`."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def capabilities(self, name: str) -> Capabilities | None:
        """Return the last answer of a CA, or none if it never answered."""
        query = select(authority_records.c.capabilities).where(authority_records.c.name == name)
        row = self._transaction.first(query)
        return None if row is None else capabilities_from_json(row.capabilities)

    def record(self, name: str, capabilities: Capabilities) -> None:
        """Store a CA's answer."""
        connection = self._transaction.writable()
        answer = {
            "capabilities": capabilities_as_json(capabilities),
            "answered_at": self._transaction.now,
        }
        connection.execute(
            insert_or(connection, authority_records)
            .values(name=name, **answer)
            .on_conflict_do_update(index_elements=[authority_records.c.name], set_=answer)
        )
