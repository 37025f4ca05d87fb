"""Rules about values: of the right meaning, in another form."""

from collections.abc import Sequence
from typing import Final

from typing_extensions import override

from mobid_scim.attributes import Attribute, Type
from mobid_scim.dialect import Rule
from mobid_scim.dialects.walking import Change, changed_operation, changed_resource
from mobid_scim.filter import JSONLiteral
from mobid_scim.resource import ResourceType

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
    to disable users without the flag; thomaspoignant/scim-patch #872, scimmyjs/scimmy #51.
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
