"""Rules about values: of the right meaning, in another form."""

from collections.abc import Iterator, Sequence
from typing import Final

from typing_extensions import override

from mobid_scim.attributes import Attribute, Type
from mobid_scim.dialect import Rule
from mobid_scim.dialects.walking import (
    Change,
    attribute_at,
    changed_operation,
    changed_resource,
)
from mobid_scim.filter import JSONLiteral
from mobid_scim.patch_request import Kind
from mobid_scim.resource import ResourceType, Values

_BOOLEANS: Final = {"true": True, "false": False}


class _ChangedValues(Rule):
    """A rule that changes values wherever they stand, in resources and in operations."""

    change: Change

    @override
    def resource(self, body: object, scope: ResourceType) -> object:
        return changed_resource(body, scope, self.change)

    @override
    def operations(self, items: Sequence[object], scope: ResourceType) -> Sequence[object]:
        return [changed_operation(item, scope, self.change) for item in items]


class TextBooleans(_ChangedValues):
    """A boolean is sent as "True" or "False", in values and in filters.

    Source: Microsoft Learn, "Known issues and resolutions with SCIM 2.0 protocol compliance", requests
    to disable users without the flag; thomaspoignant/scim-patch #872, scimmyjs/scimmy #51;
    mitodl/keycloak-scim #184.
    """

    @override
    def change(self, value: object, attribute: Attribute) -> object:
        if attribute.type is Type.BOOLEAN and isinstance(value, str):
            return _BOOLEANS.get(value.lower(), value)
        return value

    @override
    def literal(self, value: JSONLiteral, attribute: Attribute) -> JSONLiteral:
        if attribute.type is Type.BOOLEAN and isinstance(value, str):
            return _BOOLEANS.get(value.lower(), value)
        return value


class PlainManager(_ChangedValues):
    """The manager of the Enterprise User is sent as the id alone, without an object around it.

    Source: apache/directory-scimple #1242, Captain-P-Goldfish/SCIM-SDK #686.
    """

    @override
    def change(self, value: object, attribute: Attribute) -> object:
        plain = attribute.name == "manager" and attribute.type is Type.COMPLEX
        return {"value": value} if plain and isinstance(value, str) else value


class EmptyTexts(_ChangedValues):
    """An empty text stands for no value, and in a PATCH for its removal.

    A required one stays what it is, and is refused. Source: Captain-P-Goldfish/SCIM-SDK #652 (Entra, the
    manager), ExclamationLabs/connector-scim2, Scim2UserInvocator.update (midPoint, `externalId`).
    """

    @override
    def change(self, value: object, attribute: Attribute) -> object:
        return None if value == "" and _can_go(attribute) else value

    @override
    def operations(self, items: Sequence[object], scope: ResourceType) -> Sequence[object]:
        return [each for item in items for each in self._emptied(item, scope)]

    def _emptied(self, item: object, scope: ResourceType) -> Iterator[object]:
        after = changed_operation(item, scope, self.change)
        if not isinstance(item, dict) or not isinstance(after, dict):
            yield item
        elif isinstance(path := item.get("path"), str):
            gone = item.get("value") == "" and after.get("value") is None
            yield {"op": Kind.REMOVE, "path": path} if gone else after
        else:
            yield from self._emptied_attributes(item, after)

    @staticmethod
    def _emptied_attributes(item: Values, after: Values) -> Iterator[object]:
        """Yield what is left of an operation without a path, and removals by path: null cannot be added."""
        given, value = item.get("value"), after.get("value")
        if not isinstance(given, dict) or not isinstance(value, dict):
            yield after
            return
        gone = [name for name in value if value[name] is None and given[name] == ""]
        kept: Values = {name: each for name, each in value.items() if name not in gone}
        for urn, below in value.items():
            if ":" in urn and isinstance(below, dict):
                empty = [name for name in below if below[name] is None and given[urn][name] == ""]
                kept[urn] = {name: each for name, each in below.items() if name not in empty}
                gone += [f"{urn}:{name}" for name in empty]
        if kept or not gone:
            yield after | {"value": kept}
        for path in gone:
            yield {"op": Kind.REMOVE, "path": path}


class WrappedValues(Rule):
    """The value of a single-valued attribute comes as an array of one.

    Source: Captain-P-Goldfish/SCIM-SDK #968, whose client extensions of Keycloak use.
    """

    @override
    def operations(self, items: Sequence[object], scope: ResourceType) -> Sequence[object]:
        return [self._unwrapped(item, scope) for item in items]

    @staticmethod
    def _unwrapped(item: object, scope: ResourceType) -> object:
        value = item.get("value") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(value, list) or len(value) != 1:
            return item
        attribute = attribute_at(item.get("path"), scope)
        single = attribute is not None and not attribute.multi_valued
        return item | {"value": value[0]} if single else item


def _can_go(attribute: Attribute) -> bool:
    return not attribute.required and not attribute.multi_valued
