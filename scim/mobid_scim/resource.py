"""What a resource is: its type, its values on the way in, and what storage keeps of it."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import orjson

from mobid_scim.attributes import COMMON_ATTRIBUTES, Attribute, Mutability, Returned, Schema
from mobid_scim.rows import KEY

Values: TypeAlias = dict[str, object]
"""A JSON object with attribute names in the case of their definitions."""


class Operation(StrEnum):
    """What a client can do with the resources of a type."""

    CREATE = "create"
    READ = "read"
    SEARCH = "search"
    REPLACE = "replace"
    PATCH = "patch"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Extension:
    """A schema that a resource type adds to its core schema."""

    schema: Schema
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """A kind of resource (RFC 7643, 6); `endpoint` starts with a slash.

    `operations` are those that are there; discovery tells no others. `sorts` says that searches
    sort, `seeks` that they go on at cursors (its repository is one of `Seeks`). `by_row` names
    multi-valued core attributes whose values storage keeps row by row, one per `value`: they are
    never part of a document, and change by `RowChanges`. `unversioned` names paths whose values change
    without the version, as they belong to other resources: what shows them is never "not modified".
    """

    name: str
    endpoint: str
    schema: Schema
    description: str = ""
    extensions: tuple[Extension, ...] = ()
    operations: frozenset[Operation]
    sorts: bool = False
    seeks: bool = False
    by_row: frozenset[str] = frozenset()
    unversioned: frozenset[str] = frozenset()
    shows_documents: bool = field(init=False, repr=False, compare=False)
    """Whether everything that clients write is returned by default, so that text can be sent."""
    not_in_documents: frozenset[str] = field(init=False, repr=False, compare=False)
    """What is only read, or kept row by row: the names of core attributes, in lower case, and
    `urn:…:name` of others."""
    _common: Mapping[str, Attribute] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.endpoint.startswith("/") or self.endpoint.count("/") != 1:
            raise ValueError(f'The endpoint "{self.endpoint}" is not of the form "/Things".')
        for name in self.by_row:
            self._check_by_row(name)
        common = {known.name.lower(): known for known in COMMON_ATTRIBUTES}
        object.__setattr__(self, "_common", common)
        schemas = (self.schema, *(extension.schema for extension in self.extensions))
        shown = all(_shown_by_default(each) for schema in schemas for each in schema.attributes)
        object.__setattr__(self, "shows_documents", shown)
        object.__setattr__(self, "not_in_documents", frozenset(self._not_in_documents()))

    def _not_in_documents(self) -> Iterator[str]:
        for attribute in self.schema.attributes:
            if attribute.read_only or attribute.name in self.by_row:
                yield attribute.name.lower()
        for extension in self.extensions:
            for attribute in extension.schema.attributes:
                if attribute.read_only:
                    yield f"{extension.schema.id}:{attribute.name}".lower()

    def _check_by_row(self, name: str) -> None:
        known = self.schema.attribute(name)
        subs = known.sub_attributes if known and known.multi_valued and known.name == name else ()
        keyed = any(sub.name == KEY and sub.required for sub in subs)
        fixed = all(sub.read_only or sub.mutability is Mutability.IMMUTABLE for sub in subs)
        if not keyed or not fixed:
            raise ValueError(
                f'{self.name} cannot keep "{name}" row by row: that needs a multi-valued core'
                f' attribute with a required "{KEY}", and nothing that clients change.'
            )

    def attribute(self, name: str) -> Attribute | None:
        """Return a common or core attribute by its name, in any case."""
        return self._common.get(name.lower()) or self.schema.attribute(name)

    def extension(self, urn: str) -> Schema | None:
        """Return the schema extension with that URN, in any case (RFC 7643, 10.3)."""
        wanted = urn.lower()
        for extension in self.extensions:
            if extension.schema.id.lower() == wanted:
                return extension.schema
        return None

    def attribute_names(self) -> list[str]:
        """Return the names of common and core attributes, to suggest one of them."""
        return [*(common.name for common in COMMON_ATTRIBUTES), *self.schema.attribute_names()]


def _shown_by_default(attribute: Attribute) -> bool:
    if attribute.read_only:
        return True
    shown = attribute.returned in (Returned.DEFAULT, Returned.ALWAYS)
    return shown and all(_shown_by_default(sub) for sub in attribute.sub_attributes)


@dataclass(frozen=True, slots=True)
class Resource:
    """A checked resource: `values` fit the type, null and empty values are left out.

    Extensions are objects under their URN. Whoever holds a Resource does not change its values.
    """

    type: ResourceType
    values: Values

    @property
    def external_id(self) -> str | None:
        """Return the client's own identifier, which storage keeps per client."""
        value = self.values.get("externalId")
        return value if isinstance(value, str) else None

    def get(self, name: str, *, sub: str | None = None, extension: str | None = None) -> object:
        """Return a value by the names of the definitions, or None where it is unassigned."""
        source = self.values if extension is None else self.values.get(extension)
        value = source.get(name) if isinstance(source, dict) else None
        if sub is None:
            return value
        return value.get(sub) if isinstance(value, dict) else None

    def document(self) -> str:
        """Return the canonical JSON of what belongs to the client, for `StoredResource.document`.

        `schemas` come first, then attributes in the order of their definitions. Left out are id,
        meta, externalId (it belongs to one client only), everything readOnly, and what is kept
        row by row.
        """
        kept: Values = {"schemas": self.schemas()}
        in_rows = self.type.by_row
        own = tuple(each for each in self.type.schema.attributes if each.name not in in_rows)
        kept |= _writable(self.values, own)
        for extension in self.type.extensions:
            values = self.values.get(extension.schema.id)
            if isinstance(values, dict):
                below = _writable(values, extension.schema.attributes)
                kept |= {extension.schema.id: below} if below else {}
        return orjson.dumps(kept).decode()

    def schemas(self) -> list[str]:
        """Return the URNs of the schemas that are in use (RFC 7643, 3)."""
        extensions = [extension.schema.id for extension in self.type.extensions]
        return [self.type.schema.id, *(urn for urn in extensions if urn in self.values)]


def _writable(values: Mapping[str, object], attributes: tuple[Attribute, ...]) -> Values:
    return {
        known.name: _without_read_only(values[known.name], known)
        for known in attributes
        if known.name in values and not known.read_only
    }


def _without_read_only(value: object, attribute: Attribute) -> object:
    if not any(sub.read_only for sub in attribute.sub_attributes):
        return value
    if isinstance(value, list):
        return [_without_read_only(item, attribute) for item in value]
    return _writable(value, attribute.sub_attributes) if isinstance(value, dict) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResource:
    """What storage gives back: the client's document as text, and the provider's own parts.

    `version` is opaque and changes with every change that a client can see by default.
    `document` is what `Resource.document` made; lists splice it into the answer undecoded.
    `computed` are values that the provider makes, by name (extensions under their URN, as an
    object); they win over the document. Times are aware and in UTC.
    """

    id: str
    version: str
    created: dt.datetime
    last_modified: dt.datetime
    document: str
    external_id: str | None = None
    computed: Mapping[str, object] = field(default_factory=dict)


def timestamp(moment: dt.datetime) -> str:
    """Return a dateTime in UTC (RFC 7643, 2.3.5)."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def location(stored_id: str, resource_type: ResourceType, base_url: str) -> str:
    """Return the absolute URL of a resource; ids are made by the provider and URL-safe."""
    return f"{base_url}{resource_type.endpoint}/{stored_id}"


def own_parts(
    stored: StoredResource,
    resource_type: ResourceType,
    base_url: str,
    *,
    time: Callable[[dt.datetime], object] = timestamp,
) -> Values:
    """Return what RFC 7643, 3.1 adds to the document: id, externalId, meta, with times made by `time`."""
    parts: Values = {"id": stored.id}
    if stored.external_id is not None:
        parts["externalId"] = stored.external_id
    parts["meta"] = {
        "resourceType": resource_type.name,
        "created": time(stored.created),
        "lastModified": time(stored.last_modified),
        "location": location(stored.id, resource_type, base_url),
        "version": f'W/"{stored.version}"',
    }
    return parts


def represent(stored: StoredResource, resource_type: ResourceType, base_url: str) -> Resource:
    """Return the whole resource as a client may see it, before any projection."""
    values: Values = orjson.loads(stored.document)
    own = own_parts(stored, resource_type, base_url)
    merged = {"schemas": values.pop("schemas"), **own, **values}
    for name, value in stored.computed.items():
        below = merged.get(name)
        if isinstance(below, dict) and isinstance(value, Mapping):
            merged[name] = {**below, **value}
        else:
            merged[name] = value
    whole = Resource(resource_type, merged)
    merged["schemas"] = whole.schemas()
    return whole
