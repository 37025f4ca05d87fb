"""The Group schema (RFC 7643, 4.2 and 8.7.1)."""

from dataclasses import replace
from typing import Final

from mobid_scim.attributes import (
    Attribute,
    Mutability,
    Returned,
    Schema,
    Type,
    read_only,
    reference,
)


def _immutable(attribute: Attribute) -> Attribute:
    return replace(attribute, mutability=Mutability.IMMUTABLE)


GROUP: Final = Schema(
    id="urn:ietf:params:scim:schemas:core:2.0:Group",
    name="Group",
    description="Group",
    attributes=(
        Attribute("displayName", "The name of the group, for people to read.", required=True),
        Attribute(
            "members",
            "The members of the group: users, and groups.",
            type=Type.COMPLEX,
            multi_valued=True,
            max_values=10_000,
            sub_attributes=(
                _immutable(
                    Attribute("value", "The id of the member.", required=True, case_exact=True)
                ),
                _immutable(reference("$ref", "User", "Group", description="The member's URL.")),
                _immutable(
                    Attribute("type", "What the member is.", canonical_values=("User", "Group"))
                ),
                # A client that compares what it wrote with the answer has sent no name.
                read_only(Attribute("display", "The member's name.", returned=Returned.REQUEST)),
            ),
        ),
    ),
)
