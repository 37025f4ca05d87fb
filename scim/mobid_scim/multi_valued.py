"""Multi-valued attributes under PATCH: adding values, and changing chosen ones (RFC 7644, 3.5.2)."""

from mobid_scim.attributes import Attribute, Type
from mobid_scim.dialect import Dialect
from mobid_scim.errors import NoTarget
from mobid_scim.match import value_matches
from mobid_scim.merging import check_settled, merged, set_member
from mobid_scim.patch_request import Kind, PatchOperation
from mobid_scim.path import Path
from mobid_scim.typed_values import (
    check_count,
    check_one_primary,
    is_primary,
    no_object,
    read_value,
)


def replace_all(path: Path, value: object) -> object:
    """Return all new values (RFC 7644, 3.5.2.3); one alone needs no array around it."""
    return read_value(value if isinstance(value, list) else [value], path.leaf, str(path))


def add(path: Path, values: list[object], value: object) -> list[object]:
    """Return the values and new ones (RFC 7644, 3.5.2.1); what is there stays single.

    One value with the same `value` and `type` is the same one (RFC 7643, 2.4), and takes what is
    new about it.
    """
    given = replace_all(path, value)
    after = list(values)
    touched = set()
    for new in given if isinstance(given, list) else []:
        at = _index_of(new, after)
        if at is None:
            at = len(after)
            after.append(new)
        else:
            after[at] = _joined(path.leaf, after[at], new, str(path))
        touched.add(at)
    check_count(after, path.leaf, str(path))
    return _with_one_primary(values, after, touched, str(path))


def change_chosen(
    operation: PatchOperation, values: list[object], dialect: Dialect
) -> list[object]:
    """Return the values after an operation on those that a filter chooses.

    Raises NoTarget if it chooses none (RFC 7644, 3.5.2.3), unless the dialect makes one; what is not
    there may be removed.
    """
    chosen, place = operation.target.chosen, str(operation.target.place)
    hits = {at for at, value in enumerate(values) if chosen and value_matches(chosen, value)}
    if not hits and operation.kind is not Kind.REMOVE:
        if (made := dialect.missing(operation)) is not None:
            return add(operation.target.place, values, made)
        raise NoTarget(f"No value matches {operation.target}; add the value to {place} first.")
    after = [_changed(operation, value) if at in hits else value for at, value in enumerate(values)]
    settled = _with_one_primary(values, after, hits, place)
    kept: list[object] = []
    for at, each in enumerate(settled):
        # Several that were replaced by the same value are one value.
        if each is not None and not (at in hits and each in kept):
            kept.append(each)
    return kept


def _changed(operation: PatchOperation, value: object) -> object:
    """Return one chosen value after the operation, or None if it is gone."""
    path, kind, given = operation.target.path, operation.kind, operation.value
    attribute, place = path.attribute, str(operation.target.place)
    if path.sub is not None:
        after = dict(value) if isinstance(value, dict) else {}
        set_member(after, path.sub, given, f"{place}.{path.sub.name}")
        return after or None
    if given is None:
        return None
    if kind is Kind.ADD:
        return merged(attribute, value, given, place)
    if not isinstance(given, dict):
        raise no_object(given, attribute, place)
    new = read_value([given], attribute, place)
    return _settled(attribute, value, new[0] if isinstance(new, list) else None, place)


def _settled(attribute: Attribute, value: object, new: object, place: str) -> object:
    """Return the value in the place of another, unless something in that one is immutable."""
    old = value if isinstance(value, dict) else {}
    for sub in attribute.sub_attributes:
        after = new.get(sub.name) if isinstance(new, dict) else None
        check_settled(sub, old.get(sub.name), after, f"{place}.{sub.name}")
    return new


def _index_of(new: object, values: list[object]) -> int | None:
    """Return where a value is that is the same one, if it is there."""
    for at, value in enumerate(values):
        if value == new or _same(value, new):
            return at
    return None


def _same(value: object, new: object) -> bool:
    if not isinstance(value, dict) or not isinstance(new, dict) or "value" not in new:
        return False
    return value.get("value") == new["value"] and value.get("type") == new.get("type")


def _joined(attribute: Attribute, value: object, new: object, place: str) -> object:
    if attribute.type is not Type.COMPLEX:
        return new
    return merged(attribute, value, new, place)


def _without_primary(value: object) -> object:
    return {**value, "primary": False} if isinstance(value, dict) and is_primary(value) else value


def _with_one_primary(
    before: list[object], after: list[object], touched: set[int], place: str
) -> list[object]:
    """Let a new primary value take over from the old one (RFC 7644, 3.5.2)."""
    was = {at for at, value in enumerate(before) if is_primary(value)}
    if any(is_primary(after[at]) for at in touched - was):
        after = [
            value if at in touched else _without_primary(value) for at, value in enumerate(after)
        ]
    check_one_primary(after, place)
    return after
