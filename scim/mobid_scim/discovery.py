"""What the provider says about itself (RFC 7644, 4): derived from what is registered."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mobid_scim.attributes import Attribute, Schema, Type
from mobid_scim.bulk.request import BulkLimits
from mobid_scim.errors import NotFound
from mobid_scim.listing import DEFAULT_COUNT, MAX_COUNT
from mobid_scim.resource import Operation, ResourceType, Values
from mobid_scim.schemas.discovery import RESOURCE_TYPE, SCHEMA, SERVICE_PROVIDER_CONFIG
from mobid_scim.service import Service
from mobid_scim.wording import quoted

_BEARER: Final = {
    "type": "oauthbearertoken",
    "name": "OAuth Bearer Token",
    "description": "A token in the Authorization header.",
    "specUri": "https://www.rfc-editor.org/info/rfc6750",
}
"""How clients authenticate (RFC 7643, 5)."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """The three kinds of discovery resources, with absolute locations below `base_url`."""

    types: Sequence[ResourceType]
    base_url: str
    bulk: BulkLimits | None = None
    cursor_lifetime: dt.timedelta | None = None

    @classmethod
    def of(cls, service: Service[Any]) -> "Discovery":
        """Return what a service has to tell."""
        cursors = service.cursors
        lifetime = None if cursors is None else cursors.lifetime
        return cls(service.types, service.base_url, service.bulk, lifetime)

    def service_provider_config(self) -> Values:
        """Return the features; what is not there is said not to be (RFC 7643, 5)."""
        operations = frozenset[Operation]().union(*(each.operations for each in self.types))
        return {
            "schemas": [SERVICE_PROVIDER_CONFIG.id],
            "patch": {"supported": Operation.PATCH in operations},
            "bulk": self._bulk(),
            "filter": {"supported": Operation.SEARCH in operations, "maxResults": MAX_COUNT},
            "changePassword": {"supported": False},
            "sort": {"supported": any(each.sorts for each in self.types)},
            "etag": {"supported": True},
            **self._pagination(),
            "authenticationSchemes": [_BEARER],
            "meta": self._meta("ServiceProviderConfig", "/ServiceProviderConfig"),
        }

    def _bulk(self) -> Values:
        limits = self.bulk or BulkLimits(max_operations=0, max_payload_size=0)
        return {
            "supported": self.bulk is not None,
            "maxOperations": limits.max_operations,
            "maxPayloadSize": limits.max_payload_size,
        }

    def _pagination(self) -> Values:
        """Tell of cursors (RFC 9865, 4); without them it is left out, as older clients refuse it."""
        if self.cursor_lifetime is None:
            return {}
        described = {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MAX_COUNT,
            "cursorTimeout": int(self.cursor_lifetime.total_seconds()),
        }
        return {"pagination": described}

    def resource_types(self) -> list[Values]:
        """Return all resource types (RFC 7643, 6)."""
        return [self._resource_type(each) for each in self.types]

    def resource_type(self, name: str) -> Values:
        """Return one resource type, or raise NotFound."""
        for each in self.types:
            if each.name == name:
                return self._resource_type(each)
        raise NotFound(f"There is no resource type {quoted(name)}; /ResourceTypes lists all.")

    def schemas(self) -> list[Values]:
        """Return all schemas, those of discovery included (RFC 7643, 7)."""
        return [self._schema(each) for each in self._known_schemas()]

    def schema(self, urn: str) -> Values:
        """Return one schema, or raise NotFound; the case of URNs does not matter."""
        for each in self._known_schemas():
            if each.id.lower() == urn.lower():
                return self._schema(each)
        raise NotFound(f"There is no schema {quoted(urn)}; /Schemas lists all.")

    def _known_schemas(self) -> Iterable[Schema]:
        own = [
            schema
            for each in self.types
            for schema in (each.schema, *(extension.schema for extension in each.extensions))
        ]
        by_urn = {schema.id: schema for schema in own}
        return (*by_urn.values(), SERVICE_PROVIDER_CONFIG, RESOURCE_TYPE, SCHEMA)

    def _resource_type(self, scope: ResourceType) -> Values:
        described: Values = {
            "schemas": [RESOURCE_TYPE.id],
            "id": scope.name,
            "name": scope.name,
            "endpoint": scope.endpoint,
            "description": scope.description,
            "schema": scope.schema.id,
        }
        if scope.extensions:
            described["schemaExtensions"] = [
                {"schema": each.schema.id, "required": each.required} for each in scope.extensions
            ]
        return described | {"meta": self._meta("ResourceType", f"/ResourceTypes/{scope.name}")}

    def _schema(self, schema: Schema) -> Values:
        return {
            "schemas": [SCHEMA.id],
            "id": schema.id,
            "name": schema.name,
            "description": schema.description,
            "attributes": [_attribute(each) for each in schema.attributes],
            "meta": self._meta("Schema", f"/Schemas/{schema.id}"),
        }

    def _meta(self, resource_type: str, path: str) -> Mapping[str, str]:
        return {"resourceType": resource_type, "location": f"{self.base_url}{path}"}


def _attribute(attribute: Attribute) -> Values:
    described: Values = {
        "name": attribute.name,
        "type": attribute.type.value,
        "multiValued": attribute.multi_valued,
        "description": attribute.description,
        "required": attribute.required,
        "caseExact": attribute.case_exact,
        "mutability": attribute.mutability.value,
        "returned": attribute.returned.value,
        "uniqueness": attribute.uniqueness.value,
    }
    if attribute.canonical_values:
        described["canonicalValues"] = list(attribute.canonical_values)
    if attribute.reference_types:
        described["referenceTypes"] = list(attribute.reference_types)
    if attribute.type is Type.COMPLEX:
        described["subAttributes"] = [_attribute(sub) for sub in attribute.sub_attributes]
    return described
