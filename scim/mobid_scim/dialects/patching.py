"""Rules about PATCH: operations of another shape than RFC 7644, 3.5.2 has them."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from typing_extensions import override

from mobid_scim.dialect import Rule
from mobid_scim.dialects.walking import attribute_at
from mobid_scim.filter import And, Comparison, Filter, Operator
from mobid_scim.patch_request import Kind, PatchOperation
from mobid_scim.resource import ResourceType, Values

_PER_FILTER: Final = 50
_NOTHING: Final[Values] = {"op": "add", "value": {}}
"""The operation that names no attribute, and so changes none."""


class EmptyPatch(Rule):
    """A PATCH without any operation asks for nothing, and gets it.

    Source: scimmyjs/scimmy #59 (Microsoft's validator).
    """

    @override
    def operations(self, items: Sequence[object], scope: ResourceType) -> Sequence[object]:
        return items or [_NOTHING]


class PathsAsKeys(Rule):
    """Without a path, the keys of the value are paths: `name.givenName`, `urn:…:User:department`.

    Each becomes an operation of its own; names of attributes and whole extensions stay as they are.
    Source: ssoready/ssoready PR #167, python-scim/scim2-server #13, jelhub/scimgateway #124.
    """

    @override
    def operations(self, items: Sequence[object], scope: ResourceType) -> Sequence[object]:
        return [each for item in items for each in self._split(item, scope)]

    @staticmethod
    def _split(item: object, scope: ResourceType) -> Iterator[object]:
        value = item.get("value") if isinstance(item, dict) else None
        if (
            not isinstance(item, dict)
            or item.get("path") is not None
            or not isinstance(value, dict)
        ):
            yield item
            return
        paths = {name for name in value if _is_path(name, scope)}
        plain = {name: each for name, each in value.items() if name not in paths}
        if plain or not paths:
            yield item | {"value": plain}
        for name, each in value.items():
            if name in paths:
                yield {**item, "path": name, "value": each}


class RemovalByValue(Rule):
    """A removal has the values to remove in `value`, in place of a filter in its path.

    An empty list removes nothing, and above all not everything.
    Source: Microsoft Learn, "Known issues …", requests to remove a group member without the flag;
    simpleidserver/SimpleIdServer #244.
    """

    @override
    def operations(self, items: Sequence[object], scope: ResourceType) -> Sequence[object]:
        return [each for item in items for each in self._filtered(item, scope)]

    @staticmethod
    def _filtered(item: object, scope: ResourceType) -> Iterator[object]:
        every = _terms_to_remove(item, scope)
        if every is None or not isinstance(item, dict):
            yield item
            return
        kept = {name: each for name, each in item.items() if name != "value"}
        for begin in range(0, len(every), _PER_FILTER):
            terms = every[begin : begin + _PER_FILTER]
            yield kept | {"path": f"{item['path']}[{' or '.join(terms)}]"}
        if not every:
            yield _NOTHING


class RemovalWithValue(Rule):
    """A removal of one value, or of what a filter in its path finds, repeats it in `value`.

    The path says all; that `value` is left out. Source: AzureAD/SCIMReferenceCode PR #87.
    """

    @override
    def operations(self, items: Sequence[object], scope: ResourceType) -> Sequence[object]:
        return [self._without_value(item, scope) for item in items]

    @staticmethod
    def _without_value(item: object, scope: ResourceType) -> object:
        if not isinstance(item, dict) or not _is_removal(item):
            return item
        path = item.get("path")
        attribute = attribute_at(path, scope)
        if attribute is None or (attribute.multi_valued and "[" not in str(path)):
            return item
        return {name: each for name, each in item.items() if name != "value"}


class CreatesMissingValue(Rule):
    """An `add` at `emails[type eq "work"].value` makes the value, if the filter finds none.

    What it is made of are the comparisons by `eq`; with any other filter there is still no target,
    nor is there one for `replace`. Source: Captain-P-Goldfish/SCIM-SDK #416 (Microsoft's validator),
    wireapp/wire-server PR #5419.
    """

    @override
    def missing(self, operation: PatchOperation) -> Values | None:
        target = operation.target
        if operation.kind is not Kind.ADD or target.chosen is None:
            return None
        made = _described(target.chosen)
        sub = target.path.sub
        if made is None or (sub is None and not isinstance(operation.value, dict)):
            return None
        if sub is not None:
            return made | {sub.name: operation.value}
        return made | operation.value if isinstance(operation.value, dict) else None


def _is_path(name: str, scope: ResourceType) -> bool:
    known = scope.attribute(name) or scope.extension(name)
    return known is None and any(mark in name for mark in ".:[")


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _is_removal(item: Values) -> bool:
    return str(item.get("op")).lower() == Kind.REMOVE and "value" in item


def _terms_to_remove(item: object, scope: ResourceType) -> list[str] | None:
    """Return filters for what a removal names in its value, or None if it is no such removal."""
    if not isinstance(item, dict) or not _is_removal(item) or "[" in str(item.get("path")):
        return None
    attribute = attribute_at(item.get("path"), scope)
    if attribute is None or not attribute.multi_valued or attribute.sub("value") is None:
        return None
    given = item["value"] if isinstance(item["value"], list) else [item["value"]]
    by_type = attribute.name not in scope.by_row and attribute.sub("type") is not None
    terms = [_term(each, by_type=by_type) for each in given]
    known = [each for each in terms if each is not None]
    return known if len(known) == len(terms) else None


def _term(value: object, *, by_type: bool) -> str | None:
    """Return the filter for one value: where there are types, it is another one with another type."""
    if not isinstance(value, dict) or not isinstance(value.get("value"), str):
        return None
    term = f"value eq {_text(value['value'])}"
    kind = value.get("type")
    return f"({term} and type eq {_text(kind)})" if by_type and isinstance(kind, str) else term


def _described(tree: Filter) -> Values | None:
    """Return the value that a filter describes, if it does describe one."""
    match tree:
        case Comparison(path, Operator.EQ, str() | bool() | int() | float() as value) if path.sub:
            return {path.sub.name: value}
        case And(operands):
            parts = [_described(each) for each in operands]
            known = [each for each in parts if each is not None]
            made = {name: each for part in known for name, each in part.items()}
            return made if len(known) == len(parts) == len(made) else None
        case _:
            return None
