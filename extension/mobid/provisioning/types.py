"""The resource types that are there: User with two extensions, Group, and MobileID."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mobid.domain.certificates import CAState, Wanted
from mobid.domain.mobile_ids import ProfileState
from mobid.domain.options import Kind
from mobid.storage.scim_mobile_ids import QUARANTINED
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
from mobid_scim.schemas.group import GROUP
from mobid_scim.schemas.user import USER

_OPERATIONS: Final = frozenset(
    {Operation.READ, Operation.SEARCH, Operation.PATCH, Operation.DELETE}
)


def _shown(name: str, what: str, *values: str, type: Type = Type.STRING) -> Attribute:  # noqa: A002  # as the RFC calls it
    """Return an attribute that clients read; `values` are all that it can have."""
    return read_only(Attribute(name, what, type=type, case_exact=True, canonical_values=values))


def _complex(name: str, what: str, *subs: Attribute, several: bool = False) -> Attribute:
    return read_only(
        Attribute(name, what, type=Type.COMPLEX, multi_valued=several, sub_attributes=subs)
    )


def _immutable(attribute: Attribute, *, required: bool = False) -> Attribute:
    subs = tuple(_immutable(sub, required=sub.required) for sub in attribute.sub_attributes)
    return replace(
        attribute, mutability=Mutability.IMMUTABLE, required=required, sub_attributes=subs
    )


def _on_request(attribute: Attribute) -> Attribute:
    return replace(attribute, returned=Returned.REQUEST)


_STATE: Final = _shown("state", "What became of the mobile ID.", *ProfileState)
_MOBILE_IDS: Final = _complex(
    "mobileIds",
    "The user's mobile IDs, the newest first; they do not change the user's version.",
    _shown("value", "The id of the MobileID."),
    reference("$ref", "MobileID", description="The URL of the MobileID."),
    _shown("display", "The name of the mobile ID."),
    _STATE,
    several=True,
)
_USER: Final = _complex(
    "user",
    "Whose it is.",
    Attribute("value", "The id of the User; this or the URL is needed.", case_exact=True),
    # Told to be required, so that clients that fill forms find a user; the id alone does as well.
    replace(
        reference("$ref", "User", description="The URL of the User; this or the id is needed."),
        required=True,
        instead="value",
    ),
)
_DEVICE: Final = _complex(
    "device",
    "The phone, as it described itself.",
    _shown("name", "Its name."),
    _shown("platform", "Its operating system."),
    _shown("model", "Its model."),
)
_CERTIFICATES: Final = _complex(
    "certificates",
    "The certificates of the mobile ID.",
    _shown("type", "What it is for.", *Kind),
    _shown("serial", "Its serial number, in hexadecimal; absent until it is issued."),
    _shown("status", "What it is to be, or that it is not as ordered.", *Wanted, QUARANTINED),
    _shown("caStatus", "What the CA last confirmed.", *CAState),
    _shown("notAfter", "When it ends.", type=Type.DATE_TIME),
    _on_request(_shown("value", "Its DER, unless it is in quarantine.", type=Type.BINARY)),
    several=True,
)

USER_EXTENSION: Final = Schema(
    id="urn:mobid:scim:schemas:extension:mobileid:2.0:User",
    name="MobileIDUser",
    description="What mobile IDs need of a user, and those that the user has",
    attributes=(
        Attribute("principalName", "The UPN in certificates that sign in to Windows."),
        _on_request(_MOBILE_IDS),
    ),
)
USER_TYPE: Final = ResourceType(
    name="User",
    endpoint="/Users",
    schema=USER,
    description="People, who can have mobile IDs",
    extensions=(Extension(ENTERPRISE_USER), Extension(USER_EXTENSION)),
    operations=_OPERATIONS | {Operation.CREATE, Operation.REPLACE},
    sorts=True,
    seeks=True,
    unversioned=frozenset({"groups", f"{USER_EXTENSION.id}:{_MOBILE_IDS.name}"}),
)
GROUP_TYPE: Final = ResourceType(
    name="Group",
    endpoint="/Groups",
    schema=GROUP,
    description="Groups of people, and of groups",
    operations=_OPERATIONS | {Operation.CREATE, Operation.REPLACE},
    sorts=True,
    seeks=True,
    by_row=frozenset({"members"}),
    unversioned=frozenset({"members.display"}),
)

MOBILE_ID: Final = Schema(
    id="urn:mobid:scim:schemas:core:2.0:MobileID",
    name="MobileID",
    description="A profile on a phone, with certificates in it",
    attributes=(
        _immutable(_USER, required=True),
        Attribute(
            "active",
            "Whether it can be used. A change from true to false locks it, for good.",
            type=Type.BOOLEAN,
        ),
        _STATE,
        _shown("profileName", "Its name."),
        _shown("serverName", "The name of this server on the phone."),
        _shown("userId", "What the user is called on the phone."),
        _shown("validFrom", "When it begins.", type=Type.DATE_TIME),
        _shown("validTo", "When it ends.", type=Type.DATE_TIME),
        _DEVICE,
        _CERTIFICATES,
    ),
)
MOBILE_ID_TYPE: Final = ResourceType(
    name="MobileID",
    endpoint="/MobileIDs",
    schema=MOBILE_ID,
    description="Mobile IDs of users; a new one is an order, which its user carries out",
    operations=_OPERATIONS | {Operation.CREATE, Operation.REPLACE},
    sorts=True,
    seeks=True,
)
