"""Attribute notation (RFC 7644, 3.10): `name.familyName`, `urn:…:User:department`."""

import re
from dataclasses import dataclass
from typing import Final

from mobid_scim.attributes import Attribute, Type
from mobid_scim.errors import SCIMError
from mobid_scim.resource import ResourceType
from mobid_scim.wording import quoted, unknown

_NAME: Final = r"[A-Za-z$][A-Za-z0-9_$-]*"
_SHORT_PATH: Final = re.compile(rf"({_NAME})(?:\.({_NAME}))?")


@dataclass(frozen=True, slots=True)
class Path:
    """A path that leads to something: definitions, not texts.

    `extension` is the URN of the extension that holds the attribute; None is the core.
    """

    attribute: Attribute
    sub: Attribute | None = None
    extension: str | None = None

    def __str__(self) -> str:
        prefix = "" if self.extension is None else f"{self.extension}:"
        suffix = "" if self.sub is None else f".{self.sub.name}"
        return f"{prefix}{self.attribute.name}{suffix}"

    @property
    def key(self) -> str:
        """Return the path in lower case, to compare by."""
        return str(self).lower()

    @property
    def leaf(self) -> Attribute:
        """Return the definition of what the path points at."""
        return self.sub or self.attribute

    @property
    def read_only(self) -> bool:
        """Tell whether only the provider writes there."""
        return self.attribute.read_only or self.leaf.read_only

    @property
    def multi_valued(self) -> bool:
        """Tell whether there can be several values at the path."""
        return self.attribute.multi_valued or self.leaf.multi_valued

    def down_to_value(self) -> "Path":
        """Return `emails.value` for `emails`, which is how comparisons read it."""
        value = self.attribute.sub("value")
        if self.sub is None and self.attribute.multi_valued and value is not None:
            return Path(self.attribute, value, self.extension)
        return self


def resolve(text: str, scope: ResourceType, *, error: type[SCIMError]) -> Path:
    """Return the path that `text` names in resources of `scope`, or raise `error`."""
    extension, short = split_urn(text, scope)
    matched = _SHORT_PATH.fullmatch(short)
    if matched is None:
        raise error(_no_path(text, scope))
    name, sub_name = matched.groups()
    schema = None if extension is None else scope.extension(extension)
    attribute = (schema or scope).attribute(name)
    if attribute is None:
        known = (schema or scope).attribute_names()
        raise error(unknown(name, of=extension or scope.name, known=known))
    if sub_name is None:
        return Path(attribute, None, extension)
    return Path(attribute, resolve_sub(attribute, sub_name, error=error), extension)


def _no_path(text: str, scope: ResourceType) -> str:
    form = f"{quoted(text)} is no attribute path of the form name, name.sub or URN:name"
    if not text.lower().startswith("urn:"):
        return f"{form}."
    urns = (scope.schema.id, *(extension.schema.id for extension in scope.extensions))
    return f"{form}, where the URN is one of {', '.join(urns)}."


def resolve_sub(attribute: Attribute, name: str, *, error: type[SCIMError]) -> Attribute:
    """Return the sub-attribute, or raise `error`."""
    if attribute.type is not Type.COMPLEX:
        raise error(f"{attribute.name} has no sub-attributes; name it alone.")
    sub = attribute.sub(name)
    if sub is None:
        known = [each.name for each in attribute.sub_attributes]
        raise error(unknown(name, of=attribute.name, known=known))
    return sub


def split_urn(text: str, scope: ResourceType) -> tuple[str | None, str]:
    """Split off the URN of a schema of `scope`: URNs hold dots and colons, so a guess would fail.

    The core schema's URN is left out; an extension's comes back as it is defined. An extension
    alone, without an attribute, leaves an empty rest.
    """
    if ":" not in text:
        return None, text
    below = f"{text.lower()}:"
    extensions = [extension.schema.id for extension in scope.extensions]
    for urn in sorted((scope.schema.id, *extensions), key=len, reverse=True):
        if below.startswith(f"{urn.lower()}:"):
            owner = None if urn == scope.schema.id else urn
            return owner, text[len(urn) + 1 :]
    return None, text
