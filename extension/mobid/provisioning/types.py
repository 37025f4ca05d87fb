"""The resource types that are there: User with two extensions, and MobileID."""

from __future__ import annotations

from typing import Final

from mobid.domain.certificates import CAState, Wanted
from mobid.domain.mobile_ids import ProfileState
from mobid.domain.options import Kind
from mobid_scim.attributes import (
    Attribute,
    Mutability,
    Returned,
    Schema,
    Type,
    read_only,
    reference,
)
from mobid_scim.resource import Extension, Operation, ResourceType
from mobid_scim.schemas.enterprise_user import ENTERPRISE_USER
from mobid_scim.schemas.user import USER

QUARANTINED: Final = "quarantined"


def _shown(name: str, description: str, *, kind: Type = Type.STRING) -> Attribute:
    return Attribute(name, description, type=kind, case_exact=True, mutability=Mutability.READ_ONLY)


def _state(name: str, description: str, *values: str) -> Attribute:
    return Attribute(
        name,
        description,
        case_exact=True,
        mutability=Mutability.READ_ONLY,
        canonical_values=values,
    )


_STATE: Final = _state("state", "What became of the mobile ID.", *ProfileState)

USER_EXTENSION: Final = Schema(
    id="urn:mobid:scim:schemas:extension:mobileid:2.0:User",
    name="MobileIDUser",
    description="What mobile IDs need of a user, and those that the user has",
    attributes=(
        Attribute("principalName", "The UPN in certificates that sign in to Windows."),
        read_only(
            Attribute(
                "mobileIds",
                "The user's mobile IDs, the newest first; they do not change the user's version.",
                type=Type.COMPLEX,
                multi_valued=True,
                returned=Returned.REQUEST,
                sub_attributes=(
                    _shown("value", "The id of the MobileID."),
                    reference("$ref", "MobileID", description="The URL of the MobileID."),
                    _shown("display", "The name of the mobile ID."),
                    _STATE,
                ),
            )
        ),
    ),
)

USER_TYPE: Final = ResourceType(
    name="User",
    endpoint="/Users",
    schema=USER.without("password", "groups"),
    description="People, who can have mobile IDs",
    extensions=(Extension(ENTERPRISE_USER), Extension(USER_EXTENSION)),
    operations=frozenset(
        {
            Operation.CREATE,
            Operation.READ,
            Operation.SEARCH,
            Operation.PATCH,
            Operation.DELETE,
        }
    ),
)

_CERTIFICATES: Final = Attribute(
    "certificates",
    "The certificates of the mobile ID.",
    type=Type.COMPLEX,
    multi_valued=True,
    sub_attributes=(
        _state("type", "What it is for.", *Kind),
        _shown("serial", "Its serial number, in hexadecimal; absent until it is issued."),
        _state(
            "status",
            "What it is to be; quarantined if it is not what we asked for.",
            *Wanted,
            QUARANTINED,
        ),
        _state("caStatus", "What the CA last confirmed.", *CAState),
        _shown("notAfter", "When it ends.", kind=Type.DATE_TIME),
        Attribute(
            "value",
            "The certificate, as DER; never one in quarantine.",
            type=Type.BINARY,
            case_exact=True,
            returned=Returned.REQUEST,
        ),
    ),
)

MOBILE_ID: Final = Schema(
    id="urn:mobid:scim:schemas:core:2.0:MobileID",
    name="MobileID",
    description="A profile on a phone, with certificates in it",
    attributes=(
        Attribute(
            "user",
            "Whose it is.",
            type=Type.COMPLEX,
            required=True,
            mutability=Mutability.IMMUTABLE,
            sub_attributes=(
                Attribute(
                    "value",
                    "The id of the User.",
                    case_exact=True,
                    mutability=Mutability.IMMUTABLE,
                ),
                Attribute(
                    "$ref",
                    "The URL of the User.",
                    type=Type.REFERENCE,
                    required=True,
                    case_exact=True,
                    mutability=Mutability.IMMUTABLE,
                    reference_types=("User",),
                ),
            ),
        ),
        Attribute(
            "active",
            "Whether it can be used. A change from true to false locks it, for good.",
            type=Type.BOOLEAN,
        ),
        _STATE,
        _shown("profileName", "Its name."),
        _shown("serverName", "The name of this server on the phone."),
        _shown("userId", "What the user is called on the phone."),
        _shown("validFrom", "When it begins.", kind=Type.DATE_TIME),
        _shown("validTo", "When it ends.", kind=Type.DATE_TIME),
        read_only(
            Attribute(
                "device",
                "The phone, as it described itself.",
                type=Type.COMPLEX,
                sub_attributes=(
                    _shown("name", "Its name."),
                    _shown("platform", "Its operating system."),
                    _shown("model", "Its model."),
                ),
            )
        ),
        read_only(_CERTIFICATES),
    ),
)

MOBILE_ID_TYPE: Final = ResourceType(
    name="MobileID",
    endpoint="/MobileIDs",
    schema=MOBILE_ID,
    description="Mobile IDs of users",
    operations=frozenset({Operation.READ, Operation.SEARCH, Operation.PATCH, Operation.DELETE}),
)
