"""Complex values, sub-attribute by sub-attribute (RFC 7644, 3.5.2.3): what is not named stays."""

from mobid_scim.attributes import Attribute
from mobid_scim.attributes import Mutability as Rule
from mobid_scim.errors import InvalidSyntax, InvalidValue, Mutability
from mobid_scim.resource import Values
from mobid_scim.typed_values import no_object, read_value
from mobid_scim.wording import unknown


def merged(attribute: Attribute, current: object, value: object, place: str) -> Values | None:
    """Return the complex value with the sub-attributes that `value` gives; null unassigns one.

    None is left where none has a value. Raises InvalidValue, InvalidSyntax or Mutability.
    """
    if not isinstance(value, dict):
        raise no_object(value, attribute, place)
    # Required sub-attributes may be there already, so each member is checked alone.
    after = dict(current) if isinstance(current, dict) else {}
    given: set[str] = set()
    for name, member in value.items():
        sub = attribute.sub(name)
        if sub is None:
            known = [each.name for each in attribute.sub_attributes]
            raise InvalidSyntax(unknown(name, of=place, known=known))
        if sub.name in given:
            raise InvalidSyntax(f"{place}.{sub.name} comes twice, in different case.")
        given.add(sub.name)
        if not sub.read_only:
            set_member(after, sub, member, f"{place}.{sub.name}")
    for sub in attribute.sub_attributes:
        if after and sub.required and not sub.read_only and sub.name not in after:
            raise InvalidValue(f"{place}.{sub.name} is required.")
    return after or None


def set_member(after: Values, sub: Attribute, member: object, place: str) -> None:
    """Set or unassign one sub-attribute in place, if the schema lets it be."""
    checked = read_value(member, sub, place)
    check_settled(sub, after.get(sub.name), checked, place)
    if checked is None and sub.required:
        raise Mutability(f"{place} is required and cannot be removed.")
    if checked is None:
        after.pop(sub.name, None)
    else:
        after[sub.name] = checked


def check_settled(attribute: Attribute, current: object, after: object, place: str) -> None:
    """Refuse to change what is immutable and has its value (RFC 7643, 2.2)."""
    if attribute.mutability is Rule.IMMUTABLE and current not in (None, after):
        raise Mutability(f"{place} is immutable: it was set once and stays.")
