"""How rules find their way in a client's JSON, which nobody has checked yet."""

import re
from collections.abc import Callable
from typing import Final

from mobid_scim.attributes import Attribute, Schema
from mobid_scim.errors import InvalidPath
from mobid_scim.path import resolve, split_urn
from mobid_scim.resource import ResourceType, Values

Change = Callable[[object, Attribute], object]
"""Makes the value of an attribute from the one that was sent."""

_BRACKETS: Final = re.compile(r"\[.*\]", re.DOTALL)


def attribute_at(path: object, scope: ResourceType) -> Attribute | None:
    """Return what the path of an operation leads to, or None where the strict reader will refuse it."""
    if not isinstance(path, str):
        return None
    try:
        return resolve(_BRACKETS.sub("", path, count=1), scope, error=InvalidPath).leaf
    except InvalidPath:
        return None


def extension_at(path: object, scope: ResourceType) -> Schema | None:
    """Return the extension whose URN is the whole path."""
    if not isinstance(path, str):
        return None
    urn, rest = split_urn(path, scope)
    return None if urn is None or rest else scope.extension(urn)


def changed_resource(body: object, scope: ResourceType, change: Change) -> object:
    """Return a resource, or a part of one, with each value of a known attribute changed."""
    if not isinstance(body, dict):
        return body
    after: Values = {}
    for name, value in body.items():
        attribute, extension = scope.attribute(name), scope.extension(name)
        if attribute is not None:
            after[name] = changed_value(value, attribute, change)
        elif extension is not None:
            after[name] = changed_extension(value, extension, change)
        else:
            after[name] = value
    return after


def changed_extension(value: object, schema: Schema, change: Change) -> object:
    """Return the object of an extension with each value of a known attribute changed."""
    if not isinstance(value, dict):
        return value
    return {
        name: value[name] if known is None else changed_value(value[name], known, change)
        for name, known in ((name, schema.attribute(name)) for name in value)
    }


def changed_value(value: object, attribute: Attribute, change: Change) -> object:
    """Return a value after the change of itself, and of the sub-attributes in it."""
    if isinstance(value, list):
        return [changed_value(each, attribute, change) for each in value]
    after = change(value, attribute)
    if not isinstance(after, dict):
        return after
    return {
        name: after[name] if sub is None else changed_value(after[name], sub, change)
        for name, sub in ((name, attribute.sub(name)) for name in after)
    }


def changed_operation(item: object, scope: ResourceType, change: Change) -> object:
    """Return an operation of a PATCH with the values in its value changed."""
    if not isinstance(item, dict) or "value" not in item:
        return item
    path, value = item.get("path"), item["value"]
    if path is None:
        return item | {"value": changed_resource(value, scope, change)}
    if (extension := extension_at(path, scope)) is not None:
        return item | {"value": changed_extension(value, extension, change)}
    attribute = attribute_at(path, scope)
    if attribute is None:
        return item
    return item | {"value": changed_value(value, attribute, change)}
