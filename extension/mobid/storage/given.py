"""Any number of texts in one parameter: a statement that is the same for one and for a thousand.

SQLAlchemy writes a list into the statement anew at each execution, and PostgreSQL reads and plans it anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, ColumnElement, Text, TypeDecorator, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from typing_extensions import override

from mobid.storage.columns import canonical_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine


class _Texts(TypeDecorator["Sequence[str]"]):
    """An array on PostgreSQL, and JSON on SQLite."""

    impl = Text
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return ARRAY(Text()) if dialect.name == "postgresql" else Text()

    @override
    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        return list(value or ()) if dialect.name == "postgresql" else canonical_json(value)


class _IsGiven(FunctionElement[bool]):
    """Whether a column has one of the texts."""

    inherit_cache = True
    name = "is_given"
    type = Boolean()


def is_given(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Return the condition that a column has one of the texts that are bound under a name."""
    return _IsGiven(column, bindparam(name, type_=_Texts))


@compiles(_IsGiven, "sqlite")
def _in_sqlite(element: _IsGiven, compiler: SQLCompiler, **options: Any) -> str:
    column, texts = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"  # noqa: S608 - both are SQL


@compiles(_IsGiven, "postgresql")
def _in_postgresql(element: _IsGiven, compiler: SQLCompiler, **options: Any) -> str:
    column, texts = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = ANY ({texts})"
