"""The types of our columns: the same values in and out on both databases, or a clear error on both."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey
from sqlalchemy import Text as SQLText
from sqlalchemy.dialects.postgresql import TEXT as POSTGRESQL_TEXT
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

from mobid.storage.errors import Unstorable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LARGEST: Final = 2**63 - 1
_NUL: Final = "\x00"
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_ESCAPED_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_KEY_BYTES: Final = 1024
"""PostgreSQL's B-trees hold rows of up to 2,704 bytes, which two keys and an id must fit into."""

E = TypeVar("E", bound=StrEnum)


def microseconds(at: datetime) -> int:
    """Return a time as microseconds since 1970; raise `Unstorable` for one without a zone."""
    if at.utcoffset() is None:
        raise Unstorable("a time without its zone")
    return (at - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Return the time of so many microseconds since 1970: aware, UTC."""
    return _EPOCH + timedelta(microseconds=value)


def checked(text: str) -> str:
    """Return the text; raise `Unstorable` for what SQLite and PostgreSQL treat differently."""
    # ASCII, which is known without a look at it, has no surrogates: most texts need no more.
    if _NUL in text if text.isascii() else _UNSTORABLE.search(text):
        raise Unstorable("text with U+0000 or a lone surrogate in it")
    return text if type(text) is str else str(text)


def is_storable(text: str) -> bool:
    """Tell whether a key could be in the database at all: what is not, is not found either."""
    return _UNSTORABLE.search(text) is None and _is_short(text)


def _is_short(text: str) -> bool:
    return (len(text) if text.isascii() else len(text.encode())) <= _KEY_BYTES


class Instant(TypeDecorator[datetime]):
    """A time, kept as microseconds since 1970 in 64 bits."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else microseconds(value)

    @override
    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else instant(value)


class Number(TypeDecorator[int]):
    """A whole number of 64 bits."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:
        if value is not None and abs(value) > _LARGEST:
            raise Unstorable("a number of more than 64 bits")
        return value


class Text(TypeDecorator[str]):
    """Text that no query compares."""

    impl = SQLText
    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else checked(value)


class Key(TypeDecorator[str]):
    """Text that is compared and sorted, by its code points, on both databases alike."""

    impl = SQLText
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return POSTGRESQL_TEXT(collation="C") if dialect.name == "postgresql" else SQLText()

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        text = checked(value)
        if not _is_short(text):
            raise Unstorable(f"a key of more than {_KEY_BYTES} bytes")
        return text


class Choice(TypeDecorator[E]):
    """One of the values of an enum; give its column a `one_of` as well."""

    impl = SQLText
    cache_ok = True

    def __init__(self, enum: type[E]) -> None:
        self.enum = enum
        super().__init__()

    @override
    def process_bind_param(self, value: E | None, dialect: Dialect) -> str | None:
        return None if value is None else self.enum(value).value

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        return None if value is None else self.enum(value)


class JSON(TypeDecorator[Any]):
    """A JSON value as canonical text, so that the same value is the same text."""

    impl = SQLText
    cache_ok = True

    @override
    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical_json(value)

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Several(TypeDecorator[tuple[Any, ...]]):
    """Several values of one kind as a JSON array; `item` makes each of them, such as an enum."""

    impl = SQLText
    cache_ok = True

    def __init__(self, item: Callable[[Any], object]) -> None:
        self.item = item
        super().__init__()

    @override
    def process_bind_param(self, value: tuple[Any, ...] | None, dialect: Dialect) -> str | None:
        return None if value is None else canonical_json(value)

    @override
    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Any, ...] | None:
        return None if value is None else tuple(map(self.item, json.loads(value)))


def canonical_json(value: object) -> str:
    """Return the one text of a JSON value; raise `Unstorable` for text in it that we do not store."""
    text = json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    if _ESCAPED_NUL.search(text):
        raise Unstorable("text with U+0000 or a lone surrogate in it")
    return checked(text)


def one_of(column: str, values: type[StrEnum] | Iterable[StrEnum]) -> CheckConstraint:
    """Return the constraint that a column holds one of the values."""
    return CheckConstraint(among(column, values), name=f"{column}_is_known")


def among(column: str, values: type[StrEnum] | Iterable[StrEnum]) -> str:
    """Return the SQL condition that a column holds one of the values, in the enum's order."""
    quoted = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({quoted})"


def reference(name: str, target: str, *, nullable: bool = False) -> Column[str]:
    """Return a column that names a row of another table; it is checked at commit."""
    return Column(
        name,
        Key,
        ForeignKey(target, deferrable=True, initially="DEFERRED"),
        nullable=nullable,
    )
