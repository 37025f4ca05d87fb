"""PATCH and PUT of what storage keeps row by row: operations to rows added and removed.

Nothing is loaded for it: a filter chooses rows by their `value`, and no row ever changes.
"""

from collections.abc import Iterable, Mapping

from mobid_scim.errors import InvalidFilter, Mutability
from mobid_scim.filter import Comparison, Filter, Operator, Or
from mobid_scim.multi_valued import replace_all
from mobid_scim.patch_request import Kind, PatchOperation, Target
from mobid_scim.path import Path
from mobid_scim.resource import Resource, ResourceType, Values
from mobid_scim.rows import KEY, RowChanges


def row_changes(
    operations: Iterable[PatchOperation], scope: ResourceType
) -> Mapping[str, RowChanges]:
    """Return what the operations do to rows, by the name of the attribute.

    Raises InvalidValue, InvalidSyntax, InvalidFilter or Mutability.
    """
    changes: dict[str, RowChanges] = {}
    for operation in operations:
        if operation.target.by_row(scope):
            name = operation.target.path.attribute.name
            changes[name] = _changed(operation, changes.get(name, RowChanges()))
    return {name: change for name, change in changes.items() if change}


def rows_of(resource: Resource) -> Mapping[str, RowChanges]:
    """Return what a PUT does to rows: there are exactly those that it names."""
    changes = {}
    for name in resource.type.by_row:
        values = resource.values.get(name)
        rows = values if isinstance(values, list) else []
        changes[name] = RowChanges().clear().add(each for each in rows if isinstance(each, dict))
    return changes


def _changed(operation: PatchOperation, changes: RowChanges) -> RowChanges:
    target, value = operation.target, operation.value
    if target.chosen is not None:
        return changes.remove(_chosen(operation))
    match operation.kind:
        case Kind.REMOVE:
            return changes.clear()
        case Kind.REPLACE:
            return changes.clear().add(_rows(target.path, value))
        case Kind.ADD:
            return changes.add(_rows(target.path, value))


def _chosen(operation: PatchOperation) -> Iterable[str]:
    """Return the keys of the rows that a removal names."""
    target = operation.target
    if operation.kind is not Kind.REMOVE or target.path.sub is not None:
        raise Mutability(
            f"{target} is immutable: it was set once and stays; remove the value and add another."
        )
    return _keys(target.chosen, target)


def _keys(tree: Filter | None, target: Target) -> list[str]:
    match tree:
        case Comparison(Path(sub=sub), Operator.EQ, str(key)) if sub and sub.name == KEY:
            return [key]
        case Or(operands):
            return [key for operand in operands for key in _keys(operand, target)]
    raise InvalidFilter(
        f'{target.place} is changed by "{KEY}": write {target.place}[{KEY} eq "…"], joined by or.'
    )


def _rows(path: Path, value: object) -> Iterable[Values]:
    if value is None:
        return []
    rows = replace_all(path, value)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
