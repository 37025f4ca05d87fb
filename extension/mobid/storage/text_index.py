"""An index for parts of texts, which PostgreSQL can have: trigrams, by its extension `pg_trgm`.

It is no part of the schema, as not every database has the extension or lets us make it. Searches say
the same with it and without (`scim_values`), so it is PostgreSQL that chooses, by its statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

SHORTEST: Final = 3
"""Characters of the shortest part that trigrams can tell; for a shorter one they are of no use."""

# What is searched for parts of by people: values of documents, and the names beside them.
_INDEXES: Final[Mapping[str, str]] = {
    "ix_user_values_value_key_trigrams": "user_values USING gin (value_key gin_trgm_ops)",
    "ix_users_names_trigrams": "users USING gin (user_name_key gin_trgm_ops, display_name_key gin_trgm_ops)",
}
_EXTENSION: Final = text("CREATE EXTENSION IF NOT EXISTS pg_trgm")
_THERE: Final = text("SELECT count(*) FROM pg_indexes WHERE indexname = ANY(:names)")
# No right to make it, not installed at the server, or its files are not.
_CANNOT_BE_HAD: Final = frozenset({"42501", "0A000", "58P01"})


def make_text_index(connection: Connection) -> bool:
    """Make the index on PostgreSQL if it lacks, and say whether it is there; else nothing is changed."""
    try:
        with connection.begin_nested():
            connection.execute(_EXTENSION)
            for name, columns in _INDEXES.items():
                connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _CANNOT_BE_HAD:
            raise
        return False
    return True


def has_text_index(connection: Connection) -> bool:
    """Tell whether a PostgreSQL has the index."""
    found: int = connection.execute(_THERE, {"names": [*_INDEXES]}).scalar_one()
    return found == len(_INDEXES)
