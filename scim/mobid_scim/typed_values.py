"""A client's value against the definition of its attribute: wrong is refused, readOnly and empty left out."""

import re
from collections.abc import Mapping
from typing import Final

from mobid_scim.attributes import Attribute, Schema, Type
from mobid_scim.errors import InvalidSyntax, InvalidValue
from mobid_scim.resource import Values
from mobid_scim.simple_values import fits, misfit
from mobid_scim.wording import shown, unknown

MAX_CHARACTERS: Final = 2_000
MAX_BASE64_CHARACTERS: Final = 65_536

# Control characters end up in mail headers, logs and certificates. Tabs and line breaks have a place
# in addresses, and nowhere else.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINE_BREAK: Final = re.compile(r"[\t\n\r]")


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
    # The same value is there once, as nobody can tell two of them apart (RFC 7643, 2.4).
    return list({repr(each): each for each in kept}.values()) or None


def _read_single(value: object, attribute: Attribute, place: str) -> object:
    if value is None:
        return None
    if attribute.type is Type.COMPLEX:
        if not isinstance(value, dict):
            raise no_object(value, attribute, place)
        return read_parts(value, attribute, place) or None
    if not fits(attribute.type, value):
        raise InvalidValue(misfit(place, attribute.type, shown(value)))
    if isinstance(value, str):
        _check_text(value, attribute, place)
    return value


def read_parts(value: Mapping[str, object], owner: Attribute | Schema, place: str) -> Values:
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
            if lacks(kept, part):
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
        raise InvalidValue(f"{place} is one line; leave out its U+{ord(found.group()):04X}.")


def check_count(values: list[object], attribute: Attribute, place: str) -> None:
    """Refuse more values than we keep, before anything is done with each."""
    most = attribute.max_values
    if len(values) > most:
        raise InvalidValue(f"{place} has {len(values)} values; at most {most} are kept.")


def check_one_primary(values: list[object], place: str) -> None:
    """Refuse a second primary value (RFC 7643, 2.4)."""
    count = sum(is_primary(each) for each in values)
    if count > 1:
        raise InvalidValue(f"{place} has {count} primary values; at most one may be.")


def is_primary(value: object) -> bool:
    """Tell whether it is the preferred one of several values."""
    return isinstance(value, dict) and value.get("primary") is True


def lacks(values: Mapping[str, object], attribute: Attribute) -> bool:
    """Tell whether an attribute that clients must send has no value."""
    if not attribute.required or attribute.read_only:
        return False
    return attribute.name not in values and attribute.instead not in values


def no_object(value: object, attribute: Attribute, place: str) -> InvalidValue:
    """Say that this is no complex value, and what one looks like."""
    example = ' such as {"value": …}' if attribute.sub("value") else ""
    return InvalidValue(f"{place} is complex; send an object{example}, not {shown(value)}.")
