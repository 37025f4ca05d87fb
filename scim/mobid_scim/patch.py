"""PATCH (RFC 7644, 3.5.2): a resource and operations to the resource after them.

Pure: nothing is changed in place, so the operations apply whole or not at all.
"""

from collections.abc import Iterable

from mobid_scim import multi_valued
from mobid_scim.attributes import Mutability as Rule
from mobid_scim.attributes import Type
from mobid_scim.dialect import STRICT, Dialect
from mobid_scim.errors import Mutability
from mobid_scim.merging import merged
from mobid_scim.patch_request import Kind, PatchOperation
from mobid_scim.path import Path
from mobid_scim.resource import Resource, ResourceType, Values
from mobid_scim.typed_values import read_value
from mobid_scim.validation import missing_required


def apply(
    before: Resource, operations: Iterable[PatchOperation], dialect: Dialect = STRICT
) -> Resource:
    """Return the resource after all operations; it equals `before` if they change nothing.

    Operations on what is kept row by row are for `row_changes`, and do nothing here.
    Raises Mutability, InvalidValue, InvalidSyntax or NoTarget, as RFC 7644, 3.5.2 has it.
    """
    draft = _Draft(before.type, _copied(before.values), dialect)
    for operation in operations:
        if not operation.target.by_row(before.type):
            draft.apply(operation)
    return draft.finish()


def _copied(values: Values) -> Values:
    """Return values of which a draft may change the two levels that it changes in place."""
    return {name: {**value} if isinstance(value, dict) else value for name, value in values.items()}


class _Draft:
    """The values while operations are applied to them."""

    def __init__(self, scope: ResourceType, values: Values, dialect: Dialect) -> None:
        self._scope = scope
        self._dialect = dialect
        self._values = values

    def apply(self, operation: PatchOperation) -> None:
        path = operation.target.place
        holder = self._holder(path)
        current = holder.get(path.leaf.name)
        if operation.target.path.read_only:
            _check_same(operation, current)
            return
        after = _after(operation, current, self._dialect)
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

    def finish(self) -> Resource:
        after = Resource(self._scope, self._values)
        if missing := missing_required(after):
            raise Mutability(f"{missing} is required and cannot be removed.")
        self._values["schemas"] = after.schemas()
        return after

    def _is_settled(self, path: Path, current: object) -> bool:
        """Tell whether the target is immutable, itself or around it, and has its value."""
        if path.leaf.mutability is Rule.IMMUTABLE and current is not None:
            return True
        owner = self._values if path.extension is None else self._object(path.extension)
        return path.attribute.mutability is Rule.IMMUTABLE and path.attribute.name in owner

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


def _after(operation: PatchOperation, current: object, dialect: Dialect) -> object:
    """Return what stands at the place of the target after the operation; None is unassigned."""
    kind, value, path = operation.kind, operation.value, operation.target.path
    values = current if isinstance(current, list) else []
    if operation.target.chosen is not None:
        return multi_valued.change_chosen(operation, values, dialect) or None
    if kind is Kind.REMOVE or value is None:
        return None
    if path.leaf.multi_valued:
        if kind is Kind.REPLACE:
            return multi_valued.replace_all(path, value)
        return multi_valued.add(path, values, value) or None
    if path.leaf.type is Type.COMPLEX:
        return merged(path.leaf, current, value, str(path))
    return read_value(value, path.leaf, str(path))


def _put(owner: Values, name: str, value: Values) -> None:
    if value:
        owner[name] = value
    else:
        owner.pop(name, None)


def _check_same(operation: PatchOperation, current: object) -> None:
    """Let a client write back what it read; anything else is against readOnly."""
    written = None if operation.value in ([], {}) else operation.value
    if operation.target.chosen is not None or written != current:
        raise Mutability(f"{operation.target} is readOnly; only the provider changes it.")
