"""A filter (RFC 7644, 3.4.2.2) as one SQL condition that means what `mobid_scim.match` says.

No condition made here is ever unknown (NULL), so that `not` is the opposite on both databases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, runtime_checkable

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select, true
from typing_extensions import override

from mobid.storage.scim_values import Value
from mobid_scim.attributes import Attribute, Type
from mobid_scim.errors import InvalidFilter, InvalidValue
from mobid_scim.filter import (
    And,
    Comparison,
    Filter,
    Literal,
    Not,
    Operator,
    Or,
    Present,
    ValuePath,
)
from mobid_scim.path import Path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Column, FromClause

Condition: TypeAlias = ColumnElement[bool]
Meets: TypeAlias = Callable[[Value], Condition]
Leaves: TypeAlias = Callable[[Path], "Leaf"]

OPERATORS: Final = frozenset(Operator)
_SELECTIVE: Final = frozenset({Operator.EQ, Operator.SW, Operator.EW})


class Around(Enum):
    """Where in a filter a term stands, which decides how other tables are asked.

    Beginning with their rows pays where they are few; where a term only adds to others, or takes
    away, each resource is looked at by itself.
    """

    ALL = auto()
    """All such terms must hold for the filter to hold."""
    ONE = auto()
    """One of several is enough."""
    NOT = auto()
    """It must not hold, or it stands inside of brackets."""

    def begins(self, operator: Operator) -> bool:
        """Tell whether to begin with the rows that meet a term."""
        return self is Around.ALL or (self is Around.ONE and operator in _SELECTIVE)


class Leaf(Protocol):
    """The values that a resource has at a path."""

    def some(self, meets: Meets, *, begin: bool) -> Condition:
        """Say that there is a value, and that it meets the condition."""


@runtime_checkable
class Searches(Protocol):
    """Texts that can be searched for a part of them at less cost than by looking at each as a whole."""

    def containing(self, part: str) -> Condition:
        """Say that there is a text with this part, beginning with such texts."""


@runtime_checkable
class Sorts(Protocol):
    """Values that resources can be sorted by."""

    def order(self) -> ColumnElement[Any]:
        """Return the value that stands for all, null where there is none."""


class Elements(Protocol):
    """The values of a multi-valued complex attribute."""

    def some(self, tree: Filter, *, begin: bool) -> Condition:
        """Say that one and the same value meets a filter about its sub-attributes."""

    def leaf(self, path: Path) -> Leaf:
        """Return the values at the attribute, or at one of its sub-attributes."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """Everything that resources of a type are searched by.

    `named` are single values, by path; `several` are multi-valued attributes, by name. `others` is
    where everything else is that clients write.
    """

    named: Mapping[str, Leaf]
    several: Mapping[str, Elements] = field(default_factory=dict)
    others: Callable[[Path], Elements] | None = None

    def leaf(self, path: Path) -> Leaf:
        """Return the values at a path, or raise InvalidFilter."""
        return self.named.get(str(path)) or self.elements(path).leaf(path)

    def elements(self, path: Path) -> Elements:
        """Return the values of an attribute, or raise InvalidFilter."""
        name = str(Path(path.attribute, None, path.extension))
        if found := self.several.get(name):
            return found
        if self.others is None:
            raise InvalidFilter(f"{path} cannot be searched by.")
        return self.others(path)

    def order(self, path: Path) -> ColumnElement[Any]:
        """Return what to sort by, or raise InvalidValue."""
        leaf = self.leaf(path)
        if not isinstance(leaf, Sorts):
            raise InvalidValue(f"{path} cannot be sorted by: none of its values comes first.")
        return leaf.order()

    def condition(self, tree: Filter | None) -> Condition:
        """Return a filter as SQL."""
        return true() if tree is None else _Reader(self.leaf, self.elements).read(tree, Around.ALL)


def inside(tree: Filter, leaves: Leaves) -> Condition:
    """Return what a filter in brackets says about one value, whose sub-attributes are `leaves`."""
    return _Reader(leaves, _no_elements).read(tree, Around.NOT)


def comparison(leaf: Leaf, term: Comparison, *, begin: bool) -> Condition:
    """Return a comparison of the values at a path, which says that one of them compares."""
    operator, wanted = term.operator, folded(term.value, term.path.leaf)
    if wanted is None:
        assigned = leaf.some(_is_there, begin=begin and operator is Operator.NE)
        return not_(assigned) if operator is Operator.EQ else assigned
    if operator is Operator.CO and begin and isinstance(leaf, Searches):
        return leaf.containing(str(wanted))
    if operator is not Operator.NE:
        return leaf.some(lambda value: value.compares(operator, wanted), begin=begin)
    unassigned = not_(leaf.some(_is_there, begin=False))
    return or_(unassigned, leaf.some(lambda value: value.compares(operator, wanted), begin=False))


def folded(value: Literal, attribute: Attribute) -> Literal:
    """Return a value as it is compared: in any case, unless the attribute is caseExact."""
    exact = attribute.case_exact or attribute.type is not Type.STRING
    return value if exact or not isinstance(value, str) else value.casefold()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns a tree into a condition that no parser of SQL finds too deep.

    SQLite's keeps a hundred things in mind: `not` is therefore taken down to single terms, and what
    is nested comes first, so that its parentheses are closed before the next term begins.
    """

    leaves: Leaves
    elements: Callable[[Path], Elements]

    def read(self, tree: Filter, around: Around, *, opposite: bool = False) -> Condition:
        match tree:
            case And(operands) | Or(operands):
                both = isinstance(tree, And) is not opposite
                below = Around.ONE if around is Around.ALL and not both else around
                deepest = sorted(operands, key=_depth, reverse=True)
                read = (self.read(one, below, opposite=opposite) for one in deepest)
                return and_(*read) if both else or_(*read)
            case Not(operand):
                return self.read(operand, around, opposite=not opposite)
        found = self._term(tree, Around.NOT if opposite else around)
        return not_(found) if opposite else found

    def _term(self, tree: Comparison | Present | ValuePath, around: Around) -> Condition:
        match tree:
            case Comparison(path, operator):
                leaf = self.leaves(path)
                return comparison(leaf, tree, begin=around.begins(operator))
            case Present(path):
                filled = _is_there if path.leaf.type is Type.COMPLEX else _is_filled
                return self.leaves(path).some(filled, begin=around.begins(Operator.PR))
            case ValuePath(path, inner):
                begin = around.begins(narrowest(inner))
                return self.elements(path).some(inner, begin=begin)


def _depth(tree: Filter) -> int:
    match tree:
        case And(operands) | Or(operands):
            return 1 + max(map(_depth, operands))
        case Not(operand):
            return _depth(operand)
        case ValuePath(filter=inner):
            return 1 + _depth(inner)
    return 0


def narrowest(tree: Filter) -> Operator:
    """Return the operator that promises the fewest values: one that all of them must meet."""
    terms = tree.operands if isinstance(tree, And) else (tree,)
    found = {term.operator for term in terms if isinstance(term, Comparison)}
    return Operator.EQ if found & _SELECTIVE else Operator.PR


def _is_there(_: Value) -> Condition:
    return true()


def _is_filled(value: Value) -> Condition:
    return value.filled


def _no_elements(path: Path) -> Elements:
    raise InvalidFilter(f"{path}: brackets inside of brackets are not allowed in a filter.")


@dataclass(frozen=True, slots=True)
class InRow(Leaf, Sorts):
    """Values that are in the row of the resource, or of the multi-valued attribute's value."""

    values: tuple[Value, ...]

    @override
    def some(self, meets: Meets, *, begin: bool) -> Condition:
        del begin
        return or_(*(and_(value.there, meets(value)) for value in self.values))

    @override
    def order(self) -> ColumnElement[Any]:
        return self.values[0].order


def in_row(*values: Value) -> InRow:
    """Return the leaf of some values, mostly of one."""
    return InRow(values)


@dataclass(frozen=True, slots=True)
class Relation(Elements):
    """Values that are rows of another table, of which `owner` says whose they are.

    `subs` are the values of the sub-attributes, by name.
    """

    resource: Column[str]
    owner: ColumnElement[str]
    rows: FromClause
    where: Condition
    subs: Mapping[str, Value]

    @override
    def some(self, tree: Filter, *, begin: bool) -> Condition:
        return self.meeting(inside(tree, self._leaf_inside), begin=begin)

    @override
    def leaf(self, path: Path) -> Leaf:
        return _Related(self, None if path.sub is None else self.subs[path.sub.name])

    def meeting(self, condition: Condition, *, begin: bool) -> Condition:
        """Say that one of the rows meets a condition."""
        wanted = and_(self.where, condition)
        if begin:
            return self.resource.in_(select(self.owner).select_from(self.rows).where(wanted))
        mine = select(1).select_from(self.rows).where(self.owner == self.resource, wanted)
        return exists(mine.correlate(self.resource.table))

    def _leaf_inside(self, path: Path) -> Leaf:
        return in_row(self.subs[path.leaf.name])


@dataclass(frozen=True, slots=True)
class _Related(Leaf):
    relation: Relation
    value: Value | None

    @override
    def some(self, meets: Meets, *, begin: bool) -> Condition:
        if self.value is None:
            return self.relation.meeting(true(), begin=begin)
        return self.relation.meeting(and_(self.value.there, meets(self.value)), begin=begin)


@dataclass(frozen=True, slots=True)
class _OneRelated(_Related, Sorts):
    @override
    def order(self) -> ColumnElement[Any]:
        relation = self.relation
        mine = and_(relation.owner == relation.resource, relation.where)
        found = select(self.value.order if self.value else true()).select_from(relation.rows)
        return found.where(mine).correlate(relation.resource.table).scalar_subquery()


@dataclass(frozen=True, slots=True)
class Either(Elements):
    """Values of several kinds, each with its own rows."""

    kinds: tuple[Elements, ...]

    @override
    def some(self, tree: Filter, *, begin: bool) -> Condition:
        return or_(*(kind.some(tree, begin=begin) for kind in self.kinds))

    @override
    def leaf(self, path: Path) -> Leaf:
        return _EitherLeaf(tuple(kind.leaf(path) for kind in self.kinds))


@dataclass(frozen=True, slots=True)
class _EitherLeaf(Leaf):
    kinds: tuple[Leaf, ...]

    @override
    def some(self, meets: Meets, *, begin: bool) -> Condition:
        return or_(*(kind.some(meets, begin=begin) for kind in self.kinds))


def one_related(relation: Relation, value: Value) -> Leaf:
    """Return the leaf of a value in another table, of which a resource has one at most."""
    return _OneRelated(relation, value)
