"""The versions of option scripts, and which one is active."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, insert, select, update

from mobid.processes.errors import NotFound, VersionConflict
from mobid.processes.ports import Activation, StoredScript
from mobid.processes.script_tests import ScriptTest
from mobid.storage.columns import is_storable
from mobid.storage.mapping import RowMap
from mobid.storage.tables import active_scripts, script_activations, script_versions
from mobid.storage.upsert import insert_if_new, insert_or

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from mobid.storage.transaction import Transaction

_MAP: Final = RowMap(StoredScript, apart={"tests"})
_ACTIVATIONS: Final = RowMap(Activation)
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
        return None if row is None else _script(row)

    def get(self, name: str, version: int) -> StoredScript:
        """Return one version; raise `NotFound`."""
        if is_storable(name) and 0 < version <= _LARGEST:
            row = self._transaction.first(
                select(script_versions).where(
                    script_versions.c.name == name, script_versions.c.version == version
                )
            )
            if row is not None:
                return _script(row)
        raise NotFound("script version", f"{name} {version}")

    def all(self, name: str) -> Sequence[StoredScript]:
        """Return every version, the newest first."""
        query = select(script_versions).where(script_versions.c.name == name)
        rows = self._transaction.all(query.order_by(script_versions.c.version.desc()))
        return [_script(row) for row in rows]

    def activations(self, name: str, limit: int) -> Sequence[Activation]:
        """Return which version became active when, the last first."""
        query = select(script_activations).where(script_activations.c.name == name)
        newest_first = query.order_by(script_activations.c.number.desc()).limit(limit)
        return [_ACTIVATIONS.entity(row) for row in self._transaction.all(newest_first)]

    def add(
        self,
        name: str,
        *,
        source: str,
        sha256: str,
        author: str,
        comment: str,
        tests: Sequence[ScriptTest] = (),
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
            "tests": [test.plain() for test in tests],
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
                return _script(row)

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
        if version or expected:
            self._remember(name, version, replaced=expected, by=by)

    def quarantine(self, name: str, version: int, why: str) -> bool:
        """Let a version not be run any more; tell whether it could be until now. Raise `NotFound`."""
        self.get(name, version)
        return self._set_quarantine(name, version, self._transaction.now, why)

    def release(self, name: str, version: int) -> bool:
        """Let a version be run again; tell whether it was in quarantine. Raise `NotFound`."""
        self.get(name, version)
        return self._set_quarantine(name, version, None, None)

    def _set_quarantine(
        self, name: str, version: int, at: datetime | None, why: str | None
    ) -> bool:
        """Whoever comes first says why; the second changes nothing."""
        is_free = script_versions.c.quarantined_at.is_(None)
        changed = (
            update(script_versions)
            .where(script_versions.c.name == name, script_versions.c.version == version)
            .where(is_free if at else ~is_free)
            .values(quarantined_at=at, quarantined_why=why)
        )
        return self._transaction.writable().execute(changed).rowcount == 1

    def _remember(self, name: str, version: int, *, replaced: int, by: str) -> None:
        """Note an activation. The row that was swapped makes others of this script wait for us."""
        last = self.activations(name, 1)
        self._transaction.write(
            insert(script_activations).values(
                name=name,
                number=last[0].number + 1 if last else 1,
                version=version,
                replaced=replaced,
                by=by,
                at=self._transaction.now,
            )
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


def _script(row: Row[Any]) -> StoredScript:
    return _MAP.entity(row, tests=tuple(ScriptTest.of_plain(plain) for plain in row.tests))
