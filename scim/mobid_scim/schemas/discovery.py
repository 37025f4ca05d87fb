"""The schemas of discovery itself (RFC 7643, 5 to 7 and 8.7.2); all of it is readOnly."""

from dataclasses import replace
from typing import Final

from mobid_scim.attributes import Attribute, Schema, Type, read_only, reference

_BOOLEAN: Final = Type.BOOLEAN


def _complex(name: str, description: str, *subs: Attribute, several: bool = False) -> Attribute:
    return Attribute(
        name, description, type=Type.COMPLEX, multi_valued=several, sub_attributes=subs
    )


def _required(attribute: Attribute) -> Attribute:
    return replace(attribute, required=True)


def _flag(name: str, description: str) -> Attribute:
    return Attribute(name, description, type=_BOOLEAN, required=True)


def _number(name: str, description: str) -> Attribute:
    return Attribute(name, description, type=Type.INTEGER, required=True)


def _schema(name: str, description: str, *attributes: Attribute) -> Schema:
    return Schema(
        id=f"urn:ietf:params:scim:schemas:core:2.0:{name}",
        name=name,
        description=description,
        attributes=tuple(read_only(each) for each in attributes),
    )


_SUPPORTED: Final = _flag("supported", "Whether it is there.")

SERVICE_PROVIDER_CONFIG: Final = _schema(
    "ServiceProviderConfig",
    "What the provider can do",
    _required(_complex("patch", "PATCH.", _SUPPORTED)),
    _required(
        _complex(
            "bulk",
            "Bulk requests.",
            _SUPPORTED,
            _number("maxOperations", "The most operations in one request."),
            _number("maxPayloadSize", "The largest request, in bytes."),
        )
    ),
    _required(
        _complex(
            "filter",
            "Filters.",
            _SUPPORTED,
            _number("maxResults", "The most resources in one page."),
        )
    ),
    _required(_complex("changePassword", "Changing passwords.", _SUPPORTED)),
    _required(_complex("sort", "Sorting.", _SUPPORTED)),
    _required(_complex("etag", "Versions of resources.", _SUPPORTED)),
    _complex(
        "pagination",
        "How long lists are read page by page (RFC 9865).",
        _flag("cursor", "Whether cursors are there."),
        _flag("index", "Whether startIndex is there."),
        Attribute(
            "defaultPaginationMethod",
            "Which one it is without cursor and startIndex.",
            canonical_values=("cursor", "index"),
        ),
        Attribute("defaultPageSize", "How many without count.", type=Type.INTEGER),
        Attribute("maxPageSize", "The most resources in one page.", type=Type.INTEGER),
        Attribute("cursorTimeout", "How many seconds cursors are good for.", type=Type.INTEGER),
    ),
    _required(
        _complex(
            "authenticationSchemes",
            "How clients authenticate.",
            Attribute("type", "The scheme.", required=True),
            Attribute("name", "Its name.", required=True),
            Attribute("description", "What it is.", required=True),
            reference("specUri", "external", description="Where it is specified."),
            several=True,
        )
    ),
)

RESOURCE_TYPE: Final = _schema(
    "ResourceType",
    "A kind of resource",
    Attribute("name", "Its name.", required=True),
    Attribute("description", "What it is."),
    _required(
        reference("endpoint", "uri", description="Where its resources are, below the base URL.")
    ),
    _required(reference("schema", "uri", description="The URN of its core schema.")),
    _complex(
        "schemaExtensions",
        "The schemas that it adds.",
        _required(reference("schema", "uri", description="The URN of the extension.")),
        _flag("required", "Whether each resource has it."),
        several=True,
    ),
)

_CHARACTERISTICS: Final = (
    Attribute("name", "Its name.", required=True, case_exact=True),
    Attribute("type", "Its data type.", required=True, canonical_values=tuple(Type)),
    _flag("multiValued", "Whether it has several values."),
    Attribute("description", "What it is."),
    _flag("required", "Whether it must have a value."),
    Attribute("canonicalValues", "Values that are suggested.", multi_valued=True, case_exact=True),
    Attribute("caseExact", "Whether case matters in comparisons.", type=_BOOLEAN),
    Attribute("mutability", "Who changes it, and when.", case_exact=True),
    Attribute("returned", "When answers hold it.", case_exact=True),
    Attribute("uniqueness", "Among which resources it is unique.", case_exact=True),
    Attribute("referenceTypes", "What it may refer to.", multi_valued=True, case_exact=True),
)

SCHEMA: Final = _schema(
    "Schema",
    "A set of attributes",
    Attribute("name", "Its name.", required=True),
    Attribute("description", "What it is."),
    _complex(
        "attributes",
        "Its attributes.",
        *_CHARACTERISTICS,
        _complex("subAttributes", "The parts of a complex one.", *_CHARACTERISTICS, several=True),
        several=True,
    ),
)
