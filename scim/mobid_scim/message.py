"""The messages of the protocol (RFC 7644, 3.1): objects whose `schemas` say what they are."""

from collections.abc import Mapping

from mobid_scim.errors import InvalidSyntax
from mobid_scim.resource import Values
from mobid_scim.wording import unknown


def read_message(body: object, urn: str, known: tuple[str, ...], what: str) -> Values:
    """Return the members of a message, or raise InvalidSyntax if it is none of that URN."""
    if not isinstance(body, dict):
        raise InvalidSyntax(f"The body is no JSON object; send {what}.")
    members = read_members(body, ("schemas", *known), what)
    schemas = members.pop("schemas", None)
    if not isinstance(schemas, list) or [str(each).lower() for each in schemas] != [urn.lower()]:
        raise InvalidSyntax(f'"schemas" of {what} is exactly ["{urn}"].')
    return members


def read_members(item: Mapping[str, object], known: tuple[str, ...], what: str) -> Values:
    """Return the members by their names as we spell them; unknown ones are refused."""
    by_lower = {name.lower(): name for name in known}
    found: Values = {}
    for name, value in item.items():
        canonical = by_lower.get(name.lower())
        if canonical is None:
            raise InvalidSyntax(unknown(name, of=f"{what[0].upper()}{what[1:]}", known=known))
        if canonical in found:
            raise InvalidSyntax(f"{canonical} comes twice in {what}.")
        found[canonical] = value
    return found
