"""What an attribute and a schema are: the characteristics of RFC 7643, 2.2 and 7."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final


class Type(StrEnum):
    """The data types of RFC 7643, 2.3."""

    STRING = "string"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    INTEGER = "integer"
    DATE_TIME = "dateTime"
    BINARY = "binary"
    REFERENCE = "reference"
    COMPLEX = "complex"


class Mutability(StrEnum):
    """Who may change a value, and when."""

    READ_ONLY = "readOnly"
    READ_WRITE = "readWrite"
    IMMUTABLE = "immutable"
    WRITE_ONLY = "writeOnly"


class Returned(StrEnum):
    """When a value is part of an answer."""

    ALWAYS = "always"
    NEVER = "never"
    DEFAULT = "default"
    REQUEST = "request"


class Uniqueness(StrEnum):
    """Among which resources a value is unique."""

    NONE = "none"
    SERVER = "server"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute or sub-attribute, with the defaults of RFC 7643, 2.2."""

    name: str
    description: str = ""
    type: Type = Type.STRING
    multi_valued: bool = False
    required: bool = False
    case_exact: bool = False
    mutability: Mutability = Mutability.READ_WRITE
    returned: Returned = Returned.DEFAULT
    uniqueness: Uniqueness = Uniqueness.NONE
    canonical_values: tuple[str, ...] = ()
    reference_types: tuple[str, ...] = ()
    sub_attributes: tuple["Attribute", ...] = ()
    multi_line: bool = False
    """Whether texts may hold tabs and line breaks. No part of the RFC's, and not told to clients."""
    max_values: int = 50
    """The most values of a multi-valued one. No part of the RFC's, and not told to clients."""
    instead: str = ""
    """What may be sent beside a required sub-attribute in its place. Not told to clients, either."""
    _by_name: Mapping[str, "Attribute"] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", _index(self.sub_attributes))

    def sub(self, name: str) -> "Attribute | None":
        """Return the sub-attribute of that name, in any case (RFC 7643, 2.1)."""
        return self._by_name.get(name.lower())

    @property
    def read_only(self) -> bool:
        """Tell whether only the provider writes it."""
        return self.mutability is Mutability.READ_ONLY


@dataclass(frozen=True, slots=True)
class Schema:
    """A named set of attributes; `id` is its URN."""

    id: str
    name: str
    description: str
    attributes: tuple[Attribute, ...]
    _by_name: Mapping[str, Attribute] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", _index(self.attributes))

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute of that name, in any case (RFC 7643, 2.1)."""
        return self._by_name.get(name.lower())

    def attribute_names(self) -> list[str]:
        """Return the names of its attributes, to suggest one of them."""
        return [attribute.name for attribute in self.attributes]


def _index(attributes: Iterable[Attribute]) -> Mapping[str, Attribute]:
    return {known.name.lower(): known for known in attributes}


def reference(name: str, *types: str, description: str = "") -> Attribute:
    """Return a reference to resources of these types, or to `external` or `uri` things."""
    return Attribute(name, description, type=Type.REFERENCE, case_exact=True, reference_types=types)


def read_only(attribute: Attribute) -> Attribute:
    """Return the attribute as one that only the provider writes, its sub-attributes too."""
    subs = tuple(read_only(sub) for sub in attribute.sub_attributes)
    return replace(attribute, mutability=Mutability.READ_ONLY, sub_attributes=subs)


# RFC 7643, 3.1: part of every resource, and of no schema.
COMMON_ATTRIBUTES: Final = (
    Attribute(
        "schemas",
        "The URNs of the schemas that the resource follows.",
        type=Type.REFERENCE,
        multi_valued=True,
        required=True,
        case_exact=True,
        mutability=Mutability.READ_ONLY,
        returned=Returned.ALWAYS,
        reference_types=("uri",),
    ),
    Attribute(
        "id",
        "The identifier that the provider gave.",
        case_exact=True,
        mutability=Mutability.READ_ONLY,
        returned=Returned.ALWAYS,
        uniqueness=Uniqueness.SERVER,
    ),
    Attribute("externalId", "The identifier that the client gave.", case_exact=True),
    read_only(
        Attribute(
            "meta",
            "What the provider knows about the resource as a whole.",
            type=Type.COMPLEX,
            sub_attributes=(
                Attribute("resourceType", case_exact=True),
                Attribute("created", type=Type.DATE_TIME),
                Attribute("lastModified", type=Type.DATE_TIME),
                reference("location", "uri"),
                Attribute("version", case_exact=True),
            ),
        )
    ),
)
