"""What a PATCH asks for (RFC 7644, 3.5.2): a PatchOp message to operations with resolved targets.

An operation without a path becomes one operation per attribute that its value names, so that
everything behind this module knows operations with targets only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mobid_scim.attributes import Schema
from mobid_scim.dialect import STRICT, Dialect
from mobid_scim.errors import InvalidPath, InvalidSyntax, InvalidValue, NoTarget
from mobid_scim.filter import Filter, ValuePath, parse, to_text
from mobid_scim.message import read_members, read_message
from mobid_scim.path import Path, resolve, resolve_sub, split_urn
from mobid_scim.resource import ResourceType, Values
from mobid_scim.validation import known_schemas, named_as_defined
from mobid_scim.wording import quoted, shown, unknown

PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MAX_OPERATIONS: Final = 100

_BEHIND_BRACKETS: Final = re.compile(r"(?:\.([A-Za-z$][A-Za-z0-9_$-]*))?")


class Kind(StrEnum):
    """What an operation does."""

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Target:
    """What an operation works on; `chosen` says which of several values, as in `emails[…]`."""

    path: Path
    chosen: Filter | None = None

    def __str__(self) -> str:
        if self.chosen is None:
            return str(self.path)
        sub = "" if self.path.sub is None else f".{self.path.sub.name}"
        return f"{to_text(ValuePath(self.place, self.chosen))}{sub}"

    @property
    def place(self) -> Path:
        """Return the path under which a resource holds it: an attribute holds its values."""
        if self.chosen is None:
            return self.path
        return Path(self.path.attribute, None, self.path.extension)

    def by_row(self, scope: ResourceType) -> bool:
        """Tell whether storage keeps it row by row."""
        return self.path.extension is None and self.path.attribute.name in scope.by_row


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """One operation; the value of a removal is None."""

    kind: Kind
    target: Target
    value: object


def read_request(
    body: object, scope: ResourceType, dialect: Dialect = STRICT
) -> tuple[PatchOperation, ...]:
    """Return the operations of a PATCH body, or raise the error of the first wrong one.

    Raises InvalidSyntax, InvalidPath, InvalidFilter, InvalidValue or NoTarget.
    """
    members = read_message(body, PATCH_OP, ("Operations",), "a PatchOp message")
    given = members.get("Operations")
    operations = dialect.operations(given, scope) if isinstance(given, list) else ()
    if not operations:
        raise InvalidSyntax('"Operations" is an array with at least one operation.')
    if len(operations) > MAX_OPERATIONS:
        raise InvalidSyntax(f"There are {len(operations)} operations; at most {MAX_OPERATIONS}.")
    return tuple(each for item in operations for each in _read_operation(item, scope, dialect))


def read_target(text: str, scope: ResourceType, dialect: Dialect = STRICT) -> Target:
    """Return what a path leads to, or raise InvalidPath or InvalidFilter."""
    if "[" in text:
        return _value_path(text, scope, dialect)
    path = resolve(text, scope, error=InvalidPath)
    if path.sub is not None and path.attribute.multi_valued:
        name = path.attribute.name
        raise InvalidPath(
            f"{path} may stand for several values; choose some, as in"
            f" {name}[…].{path.sub.name}, or replace {name} as a whole."
        )
    return Target(path)


def _value_path(text: str, scope: ResourceType, dialect: Dialect) -> Target:
    """Read `emails[type eq "work"]`, and what may follow it: `.value`."""
    path = resolve(text.partition("[")[0], scope, error=InvalidPath)
    end = text.rfind("]") + 1
    behind = _BEHIND_BRACKETS.fullmatch(text, end)
    tree = parse(text[:end], scope, dialect) if end and behind else None
    if behind is None or not isinstance(tree, ValuePath):
        raise InvalidPath(
            f"{quoted(text)} is no path of the form name[filter] or name[filter].sub."
        )
    name = behind.group(1)
    sub = None if name is None else resolve_sub(path.attribute, name, error=InvalidPath)
    return Target(Path(path.attribute, sub, path.extension), tree.filter)


def _read_operation(
    item: object, scope: ResourceType, dialect: Dialect
) -> Iterator[PatchOperation]:
    if not isinstance(item, dict):
        raise InvalidSyntax(
            f"An operation is an object with op, path and value, not {shown(item)}."
        )
    members = read_members(item, ("op", "path", "value"), "an operation")
    kind = _kind(members.get("op"))
    text = members.get("path")
    if text is not None and not isinstance(text, str):
        raise InvalidPath(f"The path of an operation is a string, not {shown(text)}.")
    _check_value(kind, text, members)
    value = members.get("value")
    if text is None:
        yield from _of_attributes(kind, value, scope)
    elif (schema := _extension_alone(text, scope)) is not None:
        yield from _of_extension(kind, schema, value)
    else:
        yield _operation(kind, read_target(text, scope, dialect), value)


def _check_value(kind: Kind, path: str | None, members: Values) -> None:
    if kind is Kind.REMOVE:
        if path is None:
            raise NoTarget("A remove operation needs a path that says what to remove.")
        if "value" in members:
            raise InvalidValue("A remove operation takes no value; its path says what to remove.")
    elif "value" not in members:
        place = "" if path is None else f" at {quoted(path)}"
        raise InvalidValue(f'The "{kind}" operation{place} has no value; send what to {kind}.')


def _kind(value: object) -> Kind:
    """Read `op` in any case: strings of a SCIM message are not caseExact by default."""
    if isinstance(value, str) and value.lower() in list(Kind):
        return Kind(value.lower())
    if value is None:
        raise InvalidSyntax("An operation has no op; send add, replace or remove.")
    raise InvalidSyntax(f"The op of an operation is add, replace or remove, not {shown(value)}.")


def _operation(kind: Kind, target: Target, value: object) -> PatchOperation:
    if kind is Kind.ADD and value is None:
        raise InvalidValue(f"{target}: null cannot be added; remove it instead.")
    return PatchOperation(kind, target, value)


def _of_attributes(kind: Kind, value: object, scope: ResourceType) -> Iterator[PatchOperation]:
    """Yield what a value without a path asks for, attribute by attribute."""
    if not isinstance(value, dict):
        raise InvalidValue(
            f'Without a path, the value of "{kind}" is an object with attributes, not {shown(value)}.'
        )
    for canonical, member in named_as_defined(value, scope).items():
        attribute = scope.attribute(canonical)
        schema = scope.extension(canonical)
        if canonical == "schemas":
            _check_schemas(member, scope)
        elif attribute is not None:
            yield _operation(kind, Target(Path(attribute)), member)
        elif schema is not None:
            yield from _of_extension(kind, schema, member)


def _of_extension(kind: Kind, schema: Schema, value: object) -> Iterator[PatchOperation]:
    """Yield what is asked of an extension; to remove it is to remove all that clients write."""
    if kind is Kind.REMOVE or (kind is Kind.REPLACE and value is None):
        for attribute in schema.attributes:
            if not attribute.read_only:
                yield _operation(Kind.REMOVE, Target(Path(attribute, None, schema.id)), None)
        return
    if not isinstance(value, dict):
        raise InvalidValue(
            f"{schema.id} is an object with the attributes of the extension, not {shown(value)}."
        )
    given: set[str] = set()
    for name, member in value.items():
        known = schema.attribute(name)
        if known is None and name.lower() == "schemas" and member == [schema.id]:
            continue  # Clients that see an extension as a resource of its own repeat its URN.
        if known is None:
            names = [each.name for each in schema.attributes]
            raise InvalidSyntax(unknown(name, of=schema.id, known=names))
        if known.name in given:
            raise InvalidSyntax(f"{schema.id}:{known.name} comes twice, in different case.")
        given.add(known.name)
        yield _operation(kind, Target(Path(known, None, schema.id)), member)


def _extension_alone(text: str, scope: ResourceType) -> Schema | None:
    """Return the extension whose URN is the whole path, if it is one."""
    urn, rest = split_urn(text, scope)
    return None if urn is None or rest or text.endswith(":") else scope.extension(urn)


def _check_schemas(value: object, scope: ResourceType) -> None:
    """Let a client repeat the URNs: which are in use follows from the values alone."""
    if not isinstance(value, list):
        raise InvalidValue('"schemas" is an array of URNs.')
    known_schemas(value, scope)
