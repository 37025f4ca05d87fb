"""Rules that leave something out. Each names what: nothing else is ignored, in any dialect."""

from collections.abc import Mapping
from dataclasses import dataclass

from typing_extensions import override

from mobid_scim.dialect import Rule
from mobid_scim.resource import ResourceType


@dataclass(frozen=True, slots=True)
class IgnoredParameters(Rule):
    """Flags of a client's own, which an administrator appends to the base URL.

    They come with every request. Source: Microsoft Learn, "Known issues …", flags to alter the SCIM
    behavior; Unleash/unleash PR #9336.
    """

    names: frozenset[str]

    @override
    def parameters(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        return {name: each for name, each in parameters.items() if name not in self.names}


@dataclass(frozen=True, slots=True)
class IgnoredAttributes(Rule):
    """Attributes of resources that a client always sends, and that a type may not have.

    `names` are in lower case; a type that has them gets them. In a PATCH they are refused: there, one
    is asked for by itself, and an answer of success would not be true. Source: Okta Developer, "Okta
    and SCIM Version 2.0", create users, who come with a random `password`.
    """

    names: frozenset[str]

    @override
    def resource(self, body: object, scope: ResourceType) -> object:
        if not isinstance(body, dict):
            return body
        return {
            name: value
            for name, value in body.items()
            if name.lower() not in self.names or scope.attribute(name) is not None
        }


@dataclass(frozen=True, slots=True)
class IgnoredSchemas(Rule):
    """URNs in `schemas` that a client always sends, and that bring no attributes with them.

    `urns` are in lower case. What stands under such a URN is refused, as nobody could keep it.
    Source: Microsoft Learn, "Tutorial: Develop and plan provisioning for a SCIM endpoint", create group.
    """

    urns: frozenset[str]

    @override
    def resource(self, body: object, scope: ResourceType) -> object:
        if not isinstance(body, dict):
            return body
        return {
            name: self._known(value) if name.lower() == "schemas" else value
            for name, value in body.items()
        }

    def _known(self, value: object) -> object:
        if not isinstance(value, list):
            return value
        return [each for each in value if str(each).lower() not in self.urns]


@dataclass(frozen=True, slots=True)
class IgnoredExtensions(IgnoredSchemas):
    """Extensions that a client cannot be kept from sending, and asks nobody to keep: URN and values.

    In a PATCH they are refused: there, one is asked for by itself. Source: Okta Developer, "Okta and SCIM
    Version 1.1", create groups, with a description; lightdash/lightdash #28062.
    """

    @override
    def resource(self, body: object, scope: ResourceType) -> object:
        if not isinstance(body, dict):
            return body
        kept = {name: value for name, value in body.items() if name.lower() not in self.urns}
        return IgnoredSchemas.resource(self, kept, scope)
