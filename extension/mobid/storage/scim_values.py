"""One stored value as conditions on it: the comparisons of RFC 7644, 3.4.2.2, alike on both databases.

Texts are compared by their code points, letter by letter: nothing is a wildcard. Whoever stores a text
that is found in any case has folded it in Python, and literals come folded as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import Boolean, Column, ColumnElement, Text, and_, func, literal, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from typing_extensions import override

from mobid.storage.columns import Key
from mobid.storage.text_index import SHORTEST
from mobid_scim.filter import Operator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.sql.compiler import SQLCompiler

    from mobid_scim.filter import Literal

    Condition = ColumnElement[bool]

KEY_LENGTH: Final = 256
"""Characters of a text that the index holds: at most 1,024 bytes, and in the order of the whole texts."""

_TEXT: Final = Text()
_ORDERED: Final[Mapping[Operator, Callable[[Any, Any], Any]]] = {
    Operator.EQ: eq,
    Operator.NE: ne,
    Operator.GT: gt,
    Operator.GE: ge,
    Operator.LT: lt,
    Operator.LE: le,
}
# What LIKE reads otherwise than it is written.
_SPECIAL: Final = re.compile(r"[%_\\]")
_SURROGATES: Final = range(0xD800, 0xE000)
_LAST: Final = 0x10FFFF


class Value(Protocol):
    """A value that may not be there. The other conditions are for one that is, and never unknown then."""

    @property
    def there(self) -> Condition:
        """Whether there is a value."""

    @property
    def filled(self) -> Condition:
        """Whether it is more than an empty text."""

    @property
    def order(self) -> ColumnElement[Any]:
        """What to sort by."""

    def compares(self, operator: Operator, wanted: Literal) -> Condition:
        """Whether it compares; a text that is wanted comes folded if the attribute is."""


class _Contains(FunctionElement[bool]):
    """Whether a text has another one in it; LIKE would fold ASCII on SQLite, and know wildcards.

    The third, if there is one, is the other text as a pattern, for the index that PostgreSQL may have.
    """

    inherit_cache = True
    name = "contains"
    type = Boolean()


class _ByCodePoint(FunctionElement[str]):
    """A text under the collation that has no language."""

    inherit_cache = True
    name = "by_code_point"
    type = _TEXT


@compiles(_Contains, "sqlite")
def _contains_on_sqlite(element: _Contains, compiler: SQLCompiler, **how: Any) -> str:
    text, part, *_ = element.clauses
    return f"(instr({compiler.process(text, **how)}, {compiler.process(part, **how)}) > 0)"


@compiles(_Contains, "postgresql")
def _contains_on_postgresql(element: _Contains, compiler: SQLCompiler, **how: Any) -> str:
    text, part, *pattern = (compiler.process(each, **how) for each in element.clauses)
    return f"({text} LIKE {pattern[0]})" if pattern else f"(strpos({text}, {part}) > 0)"


@compiles(_ByCodePoint, "sqlite")
def _by_code_point_on_sqlite(element: _ByCodePoint, compiler: SQLCompiler, **how: Any) -> str:
    return compiler.process(element.clauses, **how)


@compiles(_ByCodePoint, "postgresql")
def _by_code_point_on_postgresql(element: _ByCodePoint, compiler: SQLCompiler, **how: Any) -> str:
    return f'(({compiler.process(element.clauses, **how)}) COLLATE "C")'


def always_there(value: ColumnElement[Any]) -> bool:
    """Tell whether every row has it, so that an index serves an order by it as it is."""
    return isinstance(value, Column) and not value.nullable


def is_there(value: ColumnElement[Any]) -> Condition:
    """Return the condition that a row has it."""
    return true() if always_there(value) else value.is_not(None)


@dataclass(frozen=True, slots=True)
class Plain(Value):
    """A value in one expression: a short text, a boolean, or a moment."""

    expression: ColumnElement[Any]

    @property
    @override
    def there(self) -> Condition:
        return is_there(self.expression)

    @property
    @override
    def filled(self) -> Condition:
        return true()

    @property
    @override
    def order(self) -> ColumnElement[Any]:
        return self.expression

    @override
    def compares(self, operator: Operator, wanted: Literal) -> Condition:
        return ordered(self.expression, operator, literal(wanted, self.expression.type))


@dataclass(frozen=True, slots=True)
class Words(Value):
    """A text in one expression, compared as it is; `backwards` is a column with the same reversed."""

    expression: ColumnElement[Any]
    backwards: ColumnElement[Any] | None = None

    @property
    @override
    def there(self) -> Condition:
        return is_there(self.expression)

    @property
    @override
    def filled(self) -> Condition:
        return self._text != _bound("")

    @property
    @override
    def order(self) -> ColumnElement[Any]:
        return self._text

    @override
    def compares(self, operator: Operator, wanted: Literal) -> Condition:
        if operator is Operator.EW and self.backwards is not None:
            return begins(self.backwards, _text(wanted)[::-1])
        return compared(self._text, operator, _text(wanted))

    @property
    def _text(self) -> ColumnElement[Any]:
        is_key = isinstance(self.expression.type, Key)
        return self.expression if is_key else _ByCodePoint(self.expression)


@dataclass(frozen=True, slots=True)
class Indexed(Value):
    """A text of any length: its beginning, its end backwards, and the whole of a long one.

    The keys narrow the search, and the whole text decides where they cannot.
    """

    key: ColumnElement[Any]
    backwards: ColumnElement[Any]
    long: ColumnElement[Any]

    @property
    @override
    def there(self) -> Condition:
        return self.key.is_not(None)

    @property
    @override
    def filled(self) -> Condition:
        return self.key != _bound("")

    @property
    @override
    def order(self) -> ColumnElement[Any]:
        return self._whole

    @override
    def compares(self, operator: Operator, wanted: Literal) -> Condition:
        text = flag(wanted) if isinstance(wanted, bool) else _text(wanted)
        if operator is Operator.CO and text:
            # What a key has, its text has; few texts are longer, and their keys tell it. Each of the two
            # may have an index; else the index that has the keys in order is all that is read, as every
            # key is at least the empty one.
            longer = and_(
                func.length(self.key) == KEY_LENGTH,
                self.long.is_not(None),
                compared(self.long, operator, text),
            )
            return and_(self.key >= _bound(""), or_(compared(self.key, operator, text), longer))
        beginning, end = _bound(text[:KEY_LENGTH]), _bound(text[::-1][:KEY_LENGTH])
        if len(text) <= KEY_LENGTH and operator is Operator.SW:
            return begins(self.key, text)
        if len(text) <= KEY_LENGTH and operator is Operator.EW:
            return begins(self.backwards, text[::-1])
        narrowed = {
            Operator.EQ: self.key == beginning,
            Operator.SW: self.key == beginning,
            Operator.EW: self.backwards == end,
            Operator.GT: self.key >= beginning,
            Operator.GE: self.key >= beginning,
            Operator.LT: self.key <= beginning,
            Operator.LE: self.key <= beginning,
        }
        return and_(narrowed.get(operator, true()), compared(self._whole, operator, text))

    @property
    def _whole(self) -> ColumnElement[Any]:
        return _ByCodePoint(func.coalesce(self.long, self.key))


def ordered(
    expression: ColumnElement[Any], operator: Operator, wanted: ColumnElement[Any]
) -> Condition:
    """Compare two values of one type that has an order."""
    found: Condition = _ORDERED[operator](expression, wanted)
    return found


def compared(expression: ColumnElement[Any], operator: Operator, wanted: str) -> Condition:
    """Compare a text, by its code points, with a wanted one."""
    match operator:
        case Operator.SW:
            return begins(expression, wanted)
        case Operator.EW:
            return _ends(expression, wanted)
        case Operator.CO:
            return _contains(expression, wanted) if wanted else true()
    return ordered(expression, operator, _bound(wanted))


def begins(expression: ColumnElement[Any], wanted: str) -> Condition:
    """Tell whether a text begins with another one: a range, which an index can be asked for."""
    after = _next(wanted)
    lowest = expression >= _bound(wanted)
    return lowest if after is None else and_(lowest, expression < _bound(after))


def flag(value: bool) -> str:  # noqa: FBT001  # it is what is turned into text
    """Return how a boolean is kept among texts."""
    return "true" if value else "false"


def _ends(expression: ColumnElement[Any], wanted: str) -> Condition:
    if not wanted:
        return true()
    # What is left of a shorter text is shorter than what is wanted, too, wherever it begins.
    tail = func.substr(expression, func.length(expression) - (len(wanted) - 1))
    return _ByCodePoint(tail) == _bound(wanted)


def _contains(expression: ColumnElement[Any], wanted: str) -> Condition:
    """Tell whether a text has a part, as a pattern where an index of parts may help."""
    if len(wanted) < SHORTEST or not isinstance(expression.type, Key):
        return _Contains(expression, _bound(wanted))
    pattern = _SPECIAL.sub(r"\\\g<0>", wanted)
    return _Contains(expression, _bound(wanted), _bound(f"%{pattern}%"))


def _next(text: str) -> str | None:
    """Return the first text after all that begin with this one; there may be none."""
    for place in reversed(range(len(text))):
        code = ord(text[place]) + 1
        if code in _SURROGATES:
            code = _SURROGATES.stop
        if code <= _LAST:
            return text[:place] + chr(code)
    return None


def _bound(text: str) -> ColumnElement[str]:
    """Return a text that goes to the database as it is; columns of keys would refuse a long one."""
    return literal(text, _TEXT)


def _text(wanted: Literal) -> str:
    if not isinstance(wanted, str):
        raise TypeError(f"A text is compared with {wanted!r}.")
    return wanted
