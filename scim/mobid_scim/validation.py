"""A client's resource against its schemas (RFC 7643, 3): names, `schemas`, and what is required."""

from collections.abc import Mapping

from mobid_scim.attributes import Schema
from mobid_scim.errors import InvalidSyntax, InvalidValue
from mobid_scim.resource import Resource, ResourceType, Values
from mobid_scim.typed_values import lacks, read_parts, read_value
from mobid_scim.wording import quoted, shown, unknown


def read_resource(body: object, scope: ResourceType) -> Resource:
    """Return the resource that a client wants to create (RFC 7644, 3.3).

    Names take the case of their definitions. What is readOnly is ignored; null, [] and {} are
    the same as absent (RFC 7643, 2.5). Raises InvalidSyntax for what is no such resource, and
    InvalidValue for values that do not fit or required ones that are missing.
    """
    if not isinstance(body, dict):
        raise InvalidSyntax(f"The body is no JSON object; send one {scope.name}.")
    named = named_as_defined(body, scope)
    urns = _schemas(named.pop("schemas", None), scope)
    values: Values = {}
    for name, value in named.items():
        attribute, extension = scope.attribute(name), scope.extension(name)
        if attribute is not None:
            checked = read_value(value, attribute, name)
        elif extension is not None and name in urns:
            checked = _read_extension(value, extension)
        else:
            raise InvalidSyntax(f'"schemas" does not list {name}; add it or leave its values.')
        if checked is not None:
            values[name] = checked
    resource = Resource(scope, values)
    if missing := missing_required(resource):
        raise InvalidValue(f"{missing} is required.")
    return resource


def _read_extension(value: object, schema: Schema) -> Values | None:
    """Return the checked values of an extension, or None if nothing is left of them."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidValue(
            f"{schema.id} is an object with the attributes of the extension, not {shown(value)}."
        )
    return read_parts(value, schema, schema.id) or None


def missing_required(resource: Resource) -> str | None:
    """Return the name of a required attribute that is unassigned, if there is one."""
    scope = resource.type
    for attribute in scope.schema.attributes:
        if lacks(resource.values, attribute):
            return attribute.name
    for extension in scope.extensions:
        values = resource.values.get(extension.schema.id)
        if values is None and extension.required:
            return extension.schema.id
        if isinstance(values, dict):
            for attribute in extension.schema.attributes:
                if lacks(values, attribute):
                    return f"{extension.schema.id}:{attribute.name}"
    return None


def named_as_defined(body: Mapping[str, object], scope: ResourceType) -> Values:
    """Return the members under the names of their definitions; case does not matter."""
    named: Values = {}
    for name, value in body.items():
        canonical = _canonical_name(name, scope)
        if canonical in named:
            raise InvalidSyntax(f"{canonical} comes twice, in different case.")
        named[canonical] = value
    return named


def _canonical_name(name: str, scope: ResourceType) -> str:
    """Return the name of a top-level attribute or extension as it is defined."""
    if attribute := scope.attribute(name):
        return attribute.name
    if extension := scope.extension(name):
        return extension.id
    raise InvalidSyntax(unknown(name, of=scope.name, known=scope.attribute_names()))


def _schemas(value: object, scope: ResourceType) -> set[str]:
    """Return the URNs that a body says it follows (RFC 7643, 3)."""
    if not isinstance(value, list) or not value:
        fault = "is missing" if value is None or value == [] else "is no array"
        raise InvalidSyntax(f'"schemas" {fault}; send an array with "{scope.schema.id}".')
    urns = known_schemas(value, scope)
    if scope.schema.id not in urns:
        raise InvalidSyntax(f'"schemas" does not list "{scope.schema.id}".')
    return urns


def known_schemas(value: list[object], scope: ResourceType) -> set[str]:
    """Return the URNs as they are defined; an unknown one raises InvalidSyntax."""
    urns = set()
    for urn in value:
        if not isinstance(urn, str):
            raise InvalidSyntax(f'"schemas" holds {shown(urn)}; send URNs in double quotes.')
        extension = scope.extension(urn)
        if extension is not None:
            urns.add(extension.id)
        elif urn.lower() == scope.schema.id.lower():
            urns.add(scope.schema.id)
        else:
            known = _known_urns(scope)
            raise InvalidSyntax(f"{scope.name} has no schema {quoted(urn)}; it has {known}.")
    return urns


def _known_urns(scope: ResourceType) -> str:
    schemas = (scope.schema, *(extension.schema for extension in scope.extensions))
    return ", ".join(each.id for each in schemas)
