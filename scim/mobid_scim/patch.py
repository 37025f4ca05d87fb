"""PATCH (RFC 7644, 3.5.2): a resource and operations to the resource after them.

Pure: nothing is changed in place, so the operations apply whole or not at all. There are paths to
attributes and sub-attributes; value paths (`emails[…]`) are refused.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mobid_scim.attributes import Attribute, Schema, Type
from mobid_scim.attributes import Mutability as Rule
from mobid_scim.errors import InvalidPath, InvalidSyntax, InvalidValue, Mutability, NoTarget
from mobid_scim.path import Path, quoted, resolve, split_urn, unknown
from mobid_scim.resource import Resource, ResourceType, Values
from mobid_scim.validation import (
    canonical_name,
    check_count,
    known_schemas,
    missing_required,
    read_value,
)

PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MAX_OPERATIONS: Final = 100
_MEMBERS: Final = ("op", "path", "value")


class Kind(StrEnum):
    """What an operation does."""

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """One operation; without a path, the value is an object of attributes."""

    kind: Kind
    path: Path | None
    value: object


def read_request(body: object, scope: ResourceType) -> tuple[PatchOperation, ...]:
    """Return the operations of a PATCH body, or raise the error of the first wrong one."""
    if not isinstance(body, dict):
        raise InvalidSyntax("The body is no JSON object; send a PatchOp message.")
    members = _members(body, ("schemas", "Operations"), "a PatchOp message")
    if members.get("schemas") != [PATCH_OP]:
        raise InvalidSyntax(f'"schemas" of a PATCH is exactly ["{PATCH_OP}"].')
    operations = members.get("Operations")
    if not isinstance(operations, list) or not operations:
        raise InvalidSyntax('"Operations" is an array with at least one operation.')
    if len(operations) > MAX_OPERATIONS:
        raise InvalidSyntax(f"There are {len(operations)} operations; at most {MAX_OPERATIONS}.")
    return tuple(_read_operation(each, scope) for each in operations)


def apply(before: Resource, operations: Iterable[PatchOperation]) -> Resource:
    """Return the resource after all operations; it equals `before` if they change nothing.

    Raises Mutability, InvalidValue or InvalidSyntax, as RFC 7644, 3.5.2 has it.
    """
    draft = _Draft(before.type, deepcopy(before.values))
    for operation in operations:
        draft.apply(operation)
    return draft.finish()


def _read_operation(item: object, scope: ResourceType) -> PatchOperation:
    if not isinstance(item, dict):
        raise InvalidSyntax("An operation is an object with op, path and value.")
    members = _members(item, _MEMBERS, "an operation")
    kind = _kind(members.get("op"))
    text = members.get("path")
    if text is not None and not isinstance(text, str):
        raise InvalidPath("The path of an operation is a string.")
    if kind is Kind.REMOVE:
        if text is None:
            raise NoTarget("A remove operation needs a path that says what to remove.")
        if "value" in members:
            raise InvalidValue("A remove operation takes no value; its path says what to remove.")
    elif "value" not in members:
        raise InvalidValue(f'The "{kind}" operation has no value.')
    path = None if text is None else read_path(text, scope)
    return PatchOperation(kind, path, members.get("value"))


def read_path(text: str, scope: ResourceType) -> Path:
    """Return the target of an operation, or raise InvalidPath that says what there is."""
    if "[" in text:
        raise InvalidPath(
            f"{quoted(text)} is a value path, which is not available here; available are"
            " attribute, attribute.sub and URN:attribute. Replace the attribute as a whole."
        )
    extension, rest = split_urn(text, scope)
    if extension is not None and not rest:
        raise InvalidPath(
            f"{extension} is an extension, not an attribute; leave the path and send its values"
            " as an object under that name."
        )
    path = resolve(text, scope, error=InvalidPath)
    if path.sub is not None and path.attribute.multi_valued:
        raise InvalidPath(
            f"{path} may stand for several values; replace {path.attribute.name} as a whole."
        )
    return path


def _members(item: Mapping[str, object], known: tuple[str, ...], what: str) -> Values:
    by_lower = {name.lower(): name for name in known}
    found: Values = {}
    for name, value in item.items():
        canonical = by_lower.get(name.lower())
        if canonical is None:
            raise InvalidSyntax(unknown(name, of=what.capitalize(), known=known))
        if canonical in found:
            raise InvalidSyntax(f"{canonical} comes twice in {what}.")
        found[canonical] = value
    return found


def _kind(value: object) -> Kind:
    """Read `op` in any case: strings of a SCIM message are not caseExact by default."""
    if isinstance(value, str) and value.lower() in list(Kind):
        return Kind(value.lower())
    shown = quoted(value) if isinstance(value, str) else "no string"
    raise InvalidSyntax(f"The op of an operation is add, replace or remove, not {shown}.")


class _Draft:
    """The values while operations are applied to them."""

    def __init__(self, scope: ResourceType, values: Values) -> None:
        self._scope = scope
        self._values = values

    def apply(self, operation: PatchOperation) -> None:
        if operation.path is not None:
            self._set(operation.kind, operation.path, operation.value)
            return
        if not isinstance(operation.value, dict):
            raise InvalidValue(f'Without a path, the value of "{operation.kind}" is an object.')
        for path, value in self._targets(operation.value):
            self._set(operation.kind, path, value)

    def finish(self) -> Resource:
        after = Resource(self._scope, self._values)
        if missing := missing_required(after):
            raise Mutability(f"{missing} is required and cannot be removed.")
        self._values["schemas"] = after.schemas()
        return after

    def _targets(self, members: Values) -> list[tuple[Path, object]]:
        """Return what a value without a path sets, extensions attribute by attribute."""
        targets: list[tuple[Path, object]] = []
        for name, value in members.items():
            canonical = canonical_name(name, self._scope)
            schema = self._scope.extension(canonical)
            attribute = self._scope.attribute(canonical)
            if canonical == "schemas":
                self._check_schemas(value)
            elif attribute is not None:
                targets.append((Path(attribute), value))
            elif schema is not None:
                targets.extend(_extension_targets(schema, value))
        return targets

    def _check_schemas(self, value: object) -> None:
        """Let a client repeat the URNs: which are in use follows from the values alone."""
        if not isinstance(value, list):
            raise InvalidValue('"schemas" is an array of URNs.')
        known_schemas(value, self._scope)

    def _set(self, kind: Kind, path: Path, value: object) -> None:
        holder = self._holder(path)
        current = holder.get(path.leaf.name)
        if path.read_only:
            _check_same(path, current, None if kind is Kind.REMOVE else value)
            return
        after = self._after(kind, path, current, value)
        if after == current:
            return
        if self._is_settled(path, current):
            raise Mutability(f"{path} is immutable: it was set once and stays.")
        if after is None and path.leaf.required:
            raise Mutability(f"{path} is required and cannot be removed.")
        if after is None:
            holder.pop(path.leaf.name, None)
        else:
            holder[path.leaf.name] = after
        self._store(path, holder)

    def _is_settled(self, path: Path, current: object) -> bool:
        """Tell whether the target is immutable, itself or around it, and has its value."""
        if path.leaf.mutability is Rule.IMMUTABLE and current is not None:
            return True
        owner = self._values if path.extension is None else self._object(path.extension)
        return path.attribute.mutability is Rule.IMMUTABLE and path.attribute.name in owner

    def _after(self, kind: Kind, path: Path, current: object, value: object) -> object:
        if kind is Kind.REMOVE or (kind is Kind.REPLACE and value is None):
            return None
        if value is None:
            raise InvalidValue(f"{path}: null cannot be added; remove the attribute instead.")
        if path.leaf.multi_valued:
            return _several(kind, path, current, value)
        if path.leaf.type is Type.COMPLEX:
            return _merged(path, current, value)
        return read_value(value, path.leaf, str(path))

    def _holder(self, path: Path) -> Values:
        """Return a copy of the object that holds the target; it may not exist yet."""
        owner = self._values if path.extension is None else self._object(path.extension)
        if path.sub is None:
            return owner if path.extension is None else dict(owner)
        inner = owner.get(path.attribute.name)
        return dict(inner) if isinstance(inner, dict) else {}

    def _store(self, path: Path, holder: Values) -> None:
        """Put the object back, and leave out what has become empty (RFC 7643, 2.5)."""
        if path.sub is not None:
            owner = self._values if path.extension is None else self._object(path.extension)
            _put(owner, path.attribute.name, holder)
            holder = owner
        if path.extension is not None:
            _put(self._values, path.extension, holder)

    def _object(self, name: str) -> Values:
        value = self._values.get(name)
        return value if isinstance(value, dict) else {}


def _put(owner: Values, name: str, value: Values) -> None:
    if value:
        owner[name] = value
    else:
        owner.pop(name, None)


def _extension_targets(schema: Schema, value: object) -> list[tuple[Path, object]]:
    if not isinstance(value, dict):
        raise InvalidValue(f"{schema.id} is an object with the attributes of the extension.")
    targets: list[tuple[Path, object]] = []
    for name, member in value.items():
        attribute = schema.attribute(name)
        if attribute is None:
            known = [each.name for each in schema.attributes]
            raise InvalidSyntax(unknown(name, of=schema.id, known=known))
        targets.append((Path(attribute, None, schema.id), member))
    return targets


def _check_same(path: Path, current: object, value: object) -> None:
    """Let a client write back what it read; anything else is against readOnly."""
    if value != current:
        raise Mutability(f"{path} is readOnly; only the provider changes it.")


def _several(kind: Kind, path: Path, current: object, value: object) -> object:
    """Replace all values, or add some (RFC 7644, 3.5.2.1): values that are there stay single."""
    wanted = value if isinstance(value, list) else [value]
    new = read_value(wanted, path.leaf, str(path))
    if kind is Kind.REPLACE or not isinstance(current, list):
        return new
    added = [each for each in new if each not in current] if isinstance(new, list) else []
    kept = _without_primary(current) if any(map(_is_primary, added)) else current
    check_count([*kept, *added], str(path))
    return [*kept, *added]


def _is_primary(value: object) -> bool:
    return isinstance(value, dict) and value.get("primary") is True


def _without_primary(values: list[object]) -> list[object]:
    """Return the values after another one has become primary (RFC 7644, 3.5.2)."""
    return [
        {**each, "primary": False} if isinstance(each, dict) and _is_primary(each) else each
        for each in values
    ]


def _merged(path: Path, current: object, value: object) -> object:
    """Set the sub-attributes that are given, keep the others (RFC 7644, 3.5.2.3)."""
    if not isinstance(value, dict):
        raise InvalidValue(f"{path} is complex; send an object.")
    # Required sub-attributes may be there already, so each member is checked alone.
    merged = dict(current) if isinstance(current, dict) else {}
    for name, member in value.items():
        sub = path.leaf.sub(name)
        if sub is None:
            known = [each.name for each in path.leaf.sub_attributes]
            raise InvalidSyntax(unknown(name, of=str(path), known=known))
        if sub.read_only:
            continue
        _set_member(merged, sub, member, f"{path}.{sub.name}")
    for sub in path.leaf.sub_attributes:
        if merged and sub.required and sub.name not in merged:
            raise InvalidValue(f"{path}.{sub.name} is required.")
    return merged or None


def _set_member(merged: Values, sub: Attribute, member: object, place: str) -> None:
    checked = read_value(member, sub, place)
    if sub.mutability is Rule.IMMUTABLE and merged.get(sub.name) not in (None, checked):
        raise Mutability(f"{place} is immutable: it was set once and stays.")
    if checked is None and sub.required:
        raise Mutability(f"{place} is required and cannot be removed.")
    if checked is None:
        merged.pop(sub.name, None)
    else:
        merged[sub.name] = checked
