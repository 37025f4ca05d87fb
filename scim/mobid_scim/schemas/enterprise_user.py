"""The Enterprise User extension (RFC 7643, 4.3 and 8.7.1)."""

from typing import Final

from mobid_scim.attributes import Attribute, Mutability, Schema, Type, reference

ENTERPRISE_USER: Final = Schema(
    id="urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    name="EnterpriseUser",
    description="Enterprise User",
    attributes=(
        Attribute("employeeNumber", "The identifier that the organization gave."),
        Attribute("costCenter", "The name of a cost center."),
        Attribute("organization", "The name of an organization."),
        Attribute("division", "The name of a division."),
        Attribute("department", "The name of a department."),
        Attribute(
            "manager",
            "The user's manager.",
            type=Type.COMPLEX,
            sub_attributes=(
                Attribute("value", "The id of the manager's User.", case_exact=True),
                reference("$ref", "User", description="The URL of the manager's User."),
                Attribute(
                    "displayName",
                    "The manager's displayName.",
                    mutability=Mutability.READ_ONLY,
                ),
            ),
        ),
    ),
)
