"""Everything that mobid keeps, on SQLite or PostgreSQL, behind the ports of `mobid.processes`."""

from mobid.storage.engine import Transactions, open_engine
from mobid.storage.errors import (
    ConstraintBroken,
    Contended,
    DatabaseUnavailable,
    MisusedUnit,
    StorageError,
    Unstorable,
    UnsuitableDatabase,
)
from mobid.storage.migrate import migrate
from mobid.storage.unit_of_work import SQLUnits

__all__ = [
    "ConstraintBroken",
    "Contended",
    "DatabaseUnavailable",
    "MisusedUnit",
    "SQLUnits",
    "StorageError",
    "Transactions",
    "Unstorable",
    "UnsuitableDatabase",
    "migrate",
    "open_engine",
]
