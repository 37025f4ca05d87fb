"""A user as the processes see one: state, names for certificates, and the attributes scripts may read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# fmt: off
SCRIPT_ATTRIBUTES: Final = (
    "userName", "displayName", "givenName", "familyName", "title", "userType",
    "preferredLanguage", "locale", "employeeNumber", "costCenter", "organization",
    "division", "department", "principalName", "email", "groups",
)
# fmt: on
"""What there is of a user to be released to scripts, in SCIM spelling."""


class UserState(StrEnum):
    """`active ⇄ inactive`, and any of them to `deleted` (a tombstone)."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One person. The attributes are those released to option scripts, in SCIM spelling."""

    id: str
    state: UserState
    user_name: str
    display_name: str
    email: str | None = None
    principal_name: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether this user may get a mobile ID."""
        return self.state is UserState.ACTIVE
