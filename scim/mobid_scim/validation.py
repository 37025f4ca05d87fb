"""A client's JSON against the schemas: wrong is refused, readOnly and empty is left out."""

import re
from collections.abc import Mapping
from typing import Final

from mobid_scim.attributes import Attribute, Schema, Type
from mobid_scim.errors import InvalidSyntax, InvalidValue
from mobid_scim.resource import Resource, ResourceType, Values
from mobid_scim.simple_values import fits, misfit
from mobid_scim.wording import quoted, shown, unknown

MAX_CHARACTERS: Final = 2_000
MAX_BASE64_CHARACTERS: Final = 65_536

# Control characters end up in mail headers, logs and certificates. Tabs and line breaks have a place
# in addresses, and nowhere else.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINE_BREAK: Final = re.compile(r"[\t\n\r]")


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
        attribute = scope.attribute(name)
        if attribute is not None:
            checked = read_value(value, attribute, name)
        elif name in urns:
            checked = read_extension(value, scope, name)
        else:
            raise InvalidSyntax(f'"schemas" does not list {name}; add it or leave its values.')
        if checked is not None:
            values[name] = checked
    resource = Resource(scope, values)
    check_required(resource)
    return resource


def read_extension(value: object, scope: ResourceType, urn: str) -> Values | None:
    """Return the checked values of one extension, or None if nothing is left of them."""
    schema = scope.extension(urn)
    if schema is None:
        raise InvalidSyntax(f"{scope.name} has no extension {quoted(urn)}.")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidValue(
            f"{urn} is an object with the attributes of the extension, not {shown(value)}."
        )
    return _read_members(value, schema, urn) or None


def read_value(value: object, attribute: Attribute, place: str) -> object:
    """Return the value as the attribute's definition has it, or None if it is unassigned."""
    if attribute.read_only or value is None:
        return None
    if not attribute.multi_valued:
        return _read_single(value, attribute, place)
    if not isinstance(value, list):
        raise InvalidValue(
            f"{place} is multi-valued; send its values as an array, not {shown(value)}."
        )
    check_count(value, attribute, place)
    values = [_read_single(item, attribute, place) for item in value]
    kept = [each for each in values if each is not None]
    check_one_primary(kept, place)
    return kept or None


def check_count(values: list[object], attribute: Attribute, place: str) -> None:
    """Refuse more values than we keep, before anything is done with each."""
    most = attribute.max_values
    if len(values) > most:
        raise InvalidValue(f"{place} has {len(values)} values; at most {most} are kept.")


def check_required(resource: Resource) -> None:
    """Raise InvalidValue if a required attribute is unassigned."""
    if missing := missing_required(resource):
        raise InvalidValue(f"{missing} is required.")


def missing_required(resource: Resource) -> str | None:
    """Return the name of a required attribute that is unassigned, if there is one."""
    scope = resource.type
    for attribute in scope.schema.attributes:
        if _lacks(resource.values, attribute):
            return attribute.name
    for extension in scope.extensions:
        values = resource.values.get(extension.schema.id)
        if values is None and extension.required:
            return extension.schema.id
        if isinstance(values, dict):
            for attribute in extension.schema.attributes:
                if _lacks(values, attribute):
                    return f"{extension.schema.id}:{attribute.name}"
    return None


def _lacks(values: Mapping[str, object], attribute: Attribute) -> bool:
    if not attribute.required or attribute.read_only:
        return False
    return attribute.name not in values and attribute.instead not in values


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


def _read_single(value: object, attribute: Attribute, place: str) -> object:
    if value is None:
        return None
    if attribute.type is Type.COMPLEX:
        if not isinstance(value, dict):
            raise no_object(value, attribute, place)
        return _read_members(value, attribute, place) or None
    if not fits(attribute.type, value):
        raise InvalidValue(misfit(place, attribute.type, shown(value)))
    if isinstance(value, str):
        _check_text(value, attribute, place)
    return value


def _read_members(value: Mapping[str, object], owner: Attribute | Schema, place: str) -> Values:
    """Return the checked members of a complex value or an extension, in the defined order."""
    lookup = owner.attribute if isinstance(owner, Schema) else owner.sub
    parts = owner.attributes if isinstance(owner, Schema) else owner.sub_attributes
    separator = ":" if isinstance(owner, Schema) else "."
    found: Values = {}
    for name, member in value.items():
        attribute = lookup(name)
        if attribute is None:
            raise InvalidSyntax(unknown(name, of=place, known=[each.name for each in parts]))
        if attribute.name in found:
            raise InvalidSyntax(f"{place}{separator}{attribute.name} comes twice.")
        found[attribute.name] = read_value(member, attribute, f"{place}{separator}{attribute.name}")
    kept = {known.name: found[known.name] for known in parts if found.get(known.name) is not None}
    # What holds nothing that is kept is none that could be left out in silence.
    if value and isinstance(owner, Attribute):
        for part in parts:
            if _lacks(kept, part):
                raise InvalidValue(f"{place}{separator}{part.name} is required.")
    return kept


def _check_text(text: str, attribute: Attribute, place: str) -> None:
    limit = MAX_BASE64_CHARACTERS if attribute.type is Type.BINARY else MAX_CHARACTERS
    if len(text) > limit:
        raise InvalidValue(f"{place} has {len(text)} characters; at most {limit} are kept.")
    if attribute.required and not text.strip():
        raise InvalidValue(f"{place} is required and must not be blank.")
    if found := _CONTROL.search(text):
        code = ord(found.group())
        raise InvalidValue(f"{place} holds the control character U+{code:04X}; leave it out.")
    if not attribute.multi_line and (found := _LINE_BREAK.search(text)):
        raise InvalidValue(f"{place} is one line; it holds U+{ord(found.group()):04X}.")


def check_one_primary(values: list[object], place: str) -> None:
    """Refuse a second primary value (RFC 7643, 2.4)."""
    count = sum(is_primary(each) for each in values)
    if count > 1:
        raise InvalidValue(f"{place} has {count} primary values; at most one may be.")


def is_primary(value: object) -> bool:
    """Tell whether it is the preferred one of several values."""
    return isinstance(value, dict) and value.get("primary") is True


def no_object(value: object, attribute: Attribute, place: str) -> InvalidValue:
    """Say that this is no complex value, and what one looks like."""
    example = ' such as {"value": …}' if attribute.sub("value") else ""
    return InvalidValue(f"{place} is complex; send an object{example}, not {shown(value)}.")


def _known_urns(scope: ResourceType) -> str:
    schemas = (scope.schema, *(extension.schema for extension in scope.extensions))
    return ", ".join(each.id for each in schemas)
