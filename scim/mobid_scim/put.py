"""PUT (RFC 7644, 3.5.1): a resource and what a client sends in its place to the resource after it."""

from collections.abc import Collection, Mapping
from typing import Final

from mobid_scim.attributes import Attribute, Schema
from mobid_scim.attributes import Mutability as Rule
from mobid_scim.errors import Mutability
from mobid_scim.resource import Resource, Values

_OF_THE_PROVIDER: Final = ("schemas", "id", "meta")


def replaced(before: Resource, wanted: Resource, *, computed: Mapping[str, object]) -> Resource:
    """Return the resource after the PUT; it equals `before` if that changes nothing.

    What is absent becomes unassigned, with these exceptions: readOnly stays; immutable stays, and
    if it is sent must match what is there; writeOnly stays, as the client could not read it; and
    so do `computed` values, whose truth is elsewhere. Raises Mutability.
    """
    scope = before.type
    values: Values = {
        name: before.values[name] for name in _OF_THE_PROVIDER if name in before.values
    }
    if wanted.external_id is not None:
        values["externalId"] = wanted.external_id
    values |= _members(scope.schema, before.values, wanted.values, computed, skip=scope.by_row)
    for extension in scope.extensions:
        urn = extension.schema.id
        below = _members(
            extension.schema,
            _object(before.values.get(urn)),
            _object(wanted.values.get(urn)),
            _object(computed.get(urn)),
            prefix=f"{urn}:",
        )
        values |= {urn: below} if below else {}
    after = Resource(scope, values)
    values["schemas"] = after.schemas()
    return after


def _members(
    schema: Schema,
    before: Mapping[str, object],
    wanted: Mapping[str, object],
    computed: Mapping[str, object],
    *,
    prefix: str = "",
    skip: Collection[str] = (),
) -> Values:
    after: Values = {}
    for attribute in schema.attributes:
        name = attribute.name
        if name in skip:
            continue
        value = _next(attribute, before.get(name), wanted.get(name), f"{prefix}{name}")
        if value is None and name in computed:
            value = before.get(name)
        if value is not None:
            after[name] = value
    return after


def _next(attribute: Attribute, old: object, new: object, place: str) -> object:
    """Return the value of one attribute after the PUT, or None for unassigned."""
    if attribute.read_only:
        return old
    if new is None:
        keeps = attribute.mutability in (Rule.IMMUTABLE, Rule.WRITE_ONLY)
        return old if keeps else None
    after = new
    if attribute.multi_valued:
        after = _several(attribute, old, new)
    elif isinstance(new, dict):
        after = _complex(attribute, old, new, place)
    if attribute.mutability is Rule.IMMUTABLE and old is not None and after != old:
        raise Mutability(f"{place} is immutable: it was set once and stays.")
    return after


def _complex(attribute: Attribute, old: object, new: Values, place: str) -> Values:
    was = _object(old)
    after: Values = {}
    for sub in attribute.sub_attributes:
        value = _next(sub, was.get(sub.name), new.get(sub.name), f"{place}.{sub.name}")
        if value is not None:
            after[sub.name] = value
    return after


def _several(attribute: Attribute, old: object, new: object) -> object:
    """Return new values; one that was there gets back what the provider knows about it."""
    was = {_key(attribute, value): value for value in old} if isinstance(old, list) else {}
    values = new if isinstance(new, list) else []
    return [was.get(_key(attribute, value), value) for value in values]


def _key(attribute: Attribute, value: object) -> object:
    """Return what clients write of a value, in a form that can be looked up."""
    if not isinstance(value, dict):
        return value
    own = {sub.name for sub in attribute.sub_attributes if not sub.read_only}
    return frozenset((name, repr(part)) for name, part in value.items() if name in own)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
