"""The errors of storage. The same input raises the same error on both databases.

StorageError
├── Unstorable            a value that one of the databases, or a column, cannot hold
├── ConstraintBroken      a rule that the database keeps was about to be broken; nothing was written
├── DatabaseUnavailable   the database is away, full or too busy; the same call may work later
│   └── Contended         others were in the way, and the transaction is undone; it may work at once
├── UnsuitableDatabase    an address, a build, a file or a schema that mobid cannot run on
├── UnknownKind           no table has work of that kind
├── NoDeadLetter          a row to put back that is not there, or not dead
└── MisusedUnit           our own code used a unit of work against its rules
    ├── ReadOnlyUnit      a write in a unit that only reads
    ├── EndedUnit         a use after commit
    └── UnreadInstance    an instance is saved that this unit did not read
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeGuard

from sqlalchemy import UniqueConstraint
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    DontWrapMixin,
    IntegrityError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004 - SQLAlchemy's: no connection came free in time
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import MetaData, Table

_SQLITE_UNIQUE: Final = re.compile(r"UNIQUE constraint failed: (?P<columns>.+)")
# Deadlock detected, and serialization failure. Who waited for a lock too long has waited enough.
_CONTENDED: Final = frozenset({"40P01", "40001"})
_SQLITE_CHECK: Final = re.compile(r"CHECK constraint failed: (?P<name>\w+)")


class StorageError(Exception):
    """Storage did not do what it was asked to do."""


class Unstorable(StorageError, DontWrapMixin):
    """A value that cannot be stored. The message does not show it: it may be hostile, or a secret."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"This cannot be stored: {problem}.")


class ConstraintBroken(StorageError):
    """The database keeps a rule; `constraint` is its name in the schema, where it is known."""

    def __init__(self, constraint: str | None) -> None:
        self.constraint = constraint
        super().__init__(
            f'The database refused the change, as it would break the rule "{constraint or "unnamed"}". '
            "Nothing was written."
        )


class DatabaseUnavailable(StorageError):
    """The database does not answer, is full, or others kept it busy for too long."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The database is not available ({problem}). The same call may work later."
        )


class Contended(DatabaseUnavailable):
    """Transactions waited for each other in a circle, and this one was chosen to give way."""


class UnsuitableDatabase(StorageError):
    """An address, a build, a file or a schema of a database that mobid cannot run on."""


class UnknownKind(StorageError):
    """No table has work of this kind."""

    def __init__(self, kind: str, known: Iterable[str]) -> None:
        super().__init__(f'"{kind}" is no kind of work; it is one of {", ".join(known)}.')


class NoDeadLetter(StorageError):
    """The row is not there, or it is not dead."""

    def __init__(self, kind: str, row_id: str) -> None:
        super().__init__(
            f'There is no dead letter "{row_id}" of kind {kind}; only a dead one can be put back.'
        )


class MisusedUnit(StorageError):
    """A fault in our own code."""


class ReadOnlyUnit(MisusedUnit):
    """A write in a unit of work that only reads."""

    def __init__(self) -> None:
        super().__init__("This unit of work only reads; begin one that writes.")


class EndedUnit(MisusedUnit):
    """A use of a unit of work after its commit."""

    def __init__(self) -> None:
        super().__init__("This unit of work is committed; begin another one.")


class UnreadInstance(MisusedUnit):
    """Without the `step_seq` that was read, a stale write could not be told from a right one."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(
            f"Process {instance_id} was not read in this unit of work; read it before it is saved."
        )


def from_database(error: SQLAlchemyError, metadata: MetaData) -> Exception:
    """Return what an error of the database means to a caller, or the error itself for a fault of ours."""
    if isinstance(error, IntegrityError):
        return ConstraintBroken(broken_constraint(error, metadata))
    if _is_away(error):
        kind = Contended if _sqlstate(error) in _CONTENDED else DatabaseUnavailable
        return kind(_cause(error))
    if isinstance(error, PendingRollbackError):
        return DatabaseUnavailable("its connection was lost in the middle of a transaction")
    if isinstance(error, TimeoutError):
        return DatabaseUnavailable("no connection came free in time")
    if type(error) is DatabaseError:  # its subclasses are statements of ours that went wrong
        return UnsuitableDatabase(
            f"The database cannot be read ({error.orig}). Bring it back from the backup."
        )
    return error


def _is_away(error: SQLAlchemyError) -> TypeGuard[DBAPIError]:
    if isinstance(error, (OperationalError, InterfaceError)):
        return True
    # PostgreSQL calls it an internal error when it ends a transaction that was idle too long.
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _sqlstate(error: DBAPIError) -> str | None:
    """Return what PostgreSQL calls the error; SQLite, with one writer at a time, has no circles."""
    return getattr(error.orig, "sqlstate", None)


def _cause(error: DBAPIError) -> str:
    """Return the name of what is wrong, as SQLite has it: full, read-only, busy. No text of SQL."""
    return getattr(error.orig, "sqlite_errorname", None) or type(error.orig).__name__


def broken_constraint(error: DBAPIError, metadata: MetaData) -> str | None:
    """Return the name of the constraint that an error speaks of; SQLite names no foreign keys."""
    diagnostics = getattr(error.orig, "diag", None)
    if diagnostics is not None:
        return str(diagnostics.constraint_name)
    message = str(error.orig)
    if found := _SQLITE_CHECK.search(message):
        return found["name"]
    if found := _SQLITE_UNIQUE.search(message):
        columns = [column.strip() for column in found["columns"].split(",")]
        return _unique_name(metadata, columns)
    return None


def _unique_name(metadata: MetaData, columns: list[str]) -> str | None:
    """Return the name of what makes columns, given as `table.column`, unique."""
    table = metadata.tables.get(columns[0].partition(".")[0])
    if table is None:
        return None
    wanted = {column.partition(".")[2] for column in columns}
    return next((name for name, names in _uniques(table) if names == wanted), None)


def _uniques(table: Table) -> Iterator[tuple[str, set[str]]]:
    yield str(table.primary_key.name), set(table.primary_key.columns.keys())
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield str(constraint.name), set(constraint.columns.keys())
    for index in table.indexes:
        if index.unique:
            yield str(index.name), set(index.columns.keys())
