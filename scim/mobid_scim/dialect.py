"""Dialects: what a client is known to say otherwise than the RFCs, as a tuple of rules.

A rule changes what comes in before it is read strictly, or what goes out of discovery; it never
makes a request succeed that did nothing. What a rule lets a client say in vain, it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mobid_scim.attributes import Attribute
    from mobid_scim.filter import JSONLiteral
    from mobid_scim.patch_request import PatchOperation
    from mobid_scim.resource import ResourceType, Values


class Rule:
    """One known deviation. A rule overrides the hooks that it needs; the others change nothing."""

    def parameters(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Return the parameters of a URL as the RFCs have them."""
        return parameters

    def resource(self, body: object, scope: ResourceType) -> object:
        """Return the JSON of a resource to create, or to put in the place of another."""
        del scope
        return body

    def instead_of_put(self, body: object, scope: ResourceType) -> Sequence[object] | None:
        """Return the JSON of the operations that a PUT stands for, if it does not mean a whole resource."""
        del body, scope
        return None

    def operations(self, items: Sequence[object], scope: ResourceType) -> Sequence[object]:
        """Return the JSON of the operations of a PATCH."""
        del scope
        return items

    def literal(self, value: JSONLiteral, attribute: Attribute) -> JSONLiteral:
        """Return what an attribute is compared with in a filter, or in brackets of a path."""
        del attribute
        return value

    def missing(self, operation: PatchOperation) -> Values | None:
        """Return the value that an operation makes where its filter finds none, if it makes one."""
        del operation
        return None

    def discovered(self, document: Values) -> Values:
        """Return one resource of discovery as the client takes it."""
        return document


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one kind of client is known for: its rules, each applied to what the last one made."""

    name: str
    rules: tuple[Rule, ...] = ()

    def parameters(self, parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Return the parameters of a URL as the RFCs have them."""
        for rule in self.rules:
            parameters = rule.parameters(parameters)
        return parameters

    def resource(self, body: object, scope: ResourceType) -> object:
        """Return the JSON of a resource as the RFCs have it."""
        for rule in self.rules:
            body = rule.resource(body, scope)
        return body

    def instead_of_put(self, body: object, scope: ResourceType) -> Sequence[object] | None:
        """Return the JSON of the operations that a PUT stands for, or None: then it means what it says."""
        found = (rule.instead_of_put(body, scope) for rule in self.rules)
        return next((operations for operations in found if operations is not None), None)

    def operations(self, items: Sequence[object], scope: ResourceType) -> Sequence[object]:
        """Return the JSON of the operations of a PATCH as the RFCs have them."""
        for rule in self.rules:
            items = rule.operations(items, scope)
        return items

    def literal(self, value: JSONLiteral, attribute: Attribute) -> JSONLiteral:
        """Return what an attribute is compared with."""
        for rule in self.rules:
            value = rule.literal(value, attribute)
        return value

    def missing(self, operation: PatchOperation) -> Values | None:
        """Return the value to make where a filter finds none, or None: then there is no target."""
        found = (rule.missing(operation) for rule in self.rules)
        return next((value for value in found if value is not None), None)

    def discovered(self, document: Values) -> Values:
        """Return one resource of discovery as the client takes it."""
        for rule in self.rules:
            document = rule.discovered(document)
        return document


STRICT: Final = Dialect("strict")
"""What the RFCs say, and nothing else."""
