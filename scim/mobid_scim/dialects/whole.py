"""Rules about POST and PUT: resources of another shape than RFC 7644, 3.3 and 3.5.1 have them."""

from collections.abc import Sequence
from typing import Final

from typing_extensions import override

from mobid_scim.dialect import Rule
from mobid_scim.patch_request import Kind
from mobid_scim.resource import ResourceType, Values

_SCHEMAS: Final = "schemas"


class SchemasLeftOut(Rule):
    """`schemas` is empty or absent: the body follows the core schema, and the extensions that it has.

    Source: ExclamationLabs/connector-scim2, SchemaFactory, mode AWS.
    """

    @override
    def resource(self, body: object, scope: ResourceType) -> object:
        if not isinstance(body, dict):
            return body
        others = {name: value for name, value in body.items() if name.lower() != _SCHEMAS}
        if any(body[name] for name in body.keys() - others.keys()):
            return body
        extensions = [name for name in others if scope.extension(name) is not None]
        return {_SCHEMAS: [scope.schema.id, *extensions], **others}


class PartialPut(Rule):
    """A PUT has what has changed; what it leaves out stays, as RFC 7644, 3.5.1 lets a provider decide.

    A new name of a group would else take all of its members away.
    Source: ExclamationLabs/connector-base, ModelWriter.executeUpdateDelta, whose model connector-scim2 sends.
    """

    @override
    def instead_of_put(self, body: object, scope: ResourceType) -> Sequence[object] | None:
        if not isinstance(body, dict):
            return None
        given: Values = {
            name: value
            for name, value in body.items()
            if value is not None and (name.lower() == _SCHEMAS or not _read_only(name, scope))
        }
        return [{"op": Kind.REPLACE, "value": given}]


def _read_only(name: str, scope: ResourceType) -> bool:
    attribute = scope.attribute(name)
    return attribute is not None and attribute.read_only
