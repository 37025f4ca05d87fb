"""The versions of option scripts, and which one is active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, select, update

from mobid.processes.errors import NotFound, VersionConflict
from mobid.processes.ports import StoredScript
from mobid.storage.columns import is_storable
from mobid.storage.mapping import RowMap
from mobid.storage.tables import active_scripts, script_versions
from mobid.storage.upsert import insert_if_new, insert_or

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.storage.transaction import Transaction

_MAP: Final = RowMap(StoredScript)
_LARGEST: Final = 2**63 - 1


class SQLScriptVersions:
    """Implements the port `ScriptVersions`."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def active(self, name: str) -> StoredScript | None:
        """Return the active version; none means the shipped version 0."""
        row = self._transaction.first(
            select(script_versions)
            .join(
                active_scripts,
                (active_scripts.c.name == script_versions.c.name)
                & (active_scripts.c.version == script_versions.c.version),
            )
            .where(active_scripts.c.name == name)
        )
        return None if row is None else _MAP.entity(row)

    def get(self, name: str, version: int) -> StoredScript:
        """Return one version; raise `NotFound`."""
        if is_storable(name) and 0 < version <= _LARGEST:
            row = self._transaction.first(
                select(script_versions).where(
                    script_versions.c.name == name, script_versions.c.version == version
                )
            )
            if row is not None:
                return _MAP.entity(row)
        raise NotFound("script version", f"{name} {version}")

    def all(self, name: str) -> Sequence[StoredScript]:
        """Return every version, the newest first."""
        query = select(script_versions).where(script_versions.c.name == name)
        rows = self._transaction.all(query.order_by(script_versions.c.version.desc()))
        return [_MAP.entity(row) for row in rows]

    def add(
        self, name: str, *, source: str, sha256: str, author: str, comment: str
    ) -> StoredScript:
        """Store a new version under the next number."""
        connection = self._transaction.writable()
        script: dict[str, Any] = {
            "name": name,
            "source": source,
            "sha256": sha256,
            "author": author,
            "comment": comment,
            "created_at": self._transaction.now,
        }
        while True:
            # Whoever takes the same number at the same time makes us wait, and then look again.
            done = connection.execute(
                insert_or(connection, script_versions)
                .values(**script, version=self._newest(name) + 1)
                .on_conflict_do_nothing()
                .returning(script_versions)
            )
            row = done.first()
            if row is not None:
                return _MAP.entity(row)

    def activate(self, name: str, version: int, *, expected: int, by: str) -> None:
        """Make a version the active one if `expected` (0: none) still is; raise `VersionConflict`.

        Version 0 takes the activation back: the shipped script holds again.
        """
        if version:
            self.get(name, version)
        if not self._swap(name, version, expected, by):
            active = self.active(name)
            raise VersionConflict(
                f"The active version of {name} is {active.version if active else 0}, not {expected}; "
                "look at it again before you activate another one."
            )

    def _swap(self, name: str, version: int, expected: int, by: str) -> bool:
        connection = self._transaction.writable()
        if not 0 <= expected <= _LARGEST:
            return False
        values = {"version": version, "activated_by": by, "activated_at": self._transaction.now}
        is_expected = (active_scripts.c.name == name) & (active_scripts.c.version == expected)
        if version and expected:
            change = update(active_scripts).where(is_expected).values(values)
            return connection.execute(change).rowcount == 1
        if version:
            return insert_if_new(connection, active_scripts, {"name": name, **values})
        if expected:
            return connection.execute(delete(active_scripts).where(is_expected)).rowcount == 1
        return self.active(name) is None

    def _newest(self, name: str) -> int:
        newest = select(func.max(script_versions.c.version)).where(script_versions.c.name == name)
        row = self._transaction.first(newest)
        return (row[0] if row else None) or 0
