"""Who may do what: the scopes that reading and writing need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from mobid_scim.errors import Forbidden
from mobid_scim.resource import Operation

if TYPE_CHECKING:
    from collections.abc import Collection

    from mobid.domain.actors import Actor
    from mobid_scim.resource import ResourceType

READ: Final = "scim:read"
WRITES: Final = {"User": "scim:write", "Group": "scim:write", "MobileID": "mobile-ids:write"}


class Caller(Protocol):
    """A SCIM client that is known by its token."""

    @property
    def client(self) -> str:
        """Return its name; what it calls a resource (externalId) is its own."""

    @property
    def actor(self) -> Actor:
        """Return whom the audit names."""

    @property
    def scopes(self) -> Collection[str]:
        """Return what its token is good for."""

    @property
    def dialect(self) -> str:
        """Return the name of what it is known to say otherwise than the RFCs."""


def authorize(caller: Caller, scope: ResourceType, operation: Operation) -> None:
    """Return if the caller may do that; raise Forbidden, which names the scope that is missing."""
    reads = operation in {Operation.READ, Operation.SEARCH}
    needed = READ if reads else WRITES[scope.name]
    if needed not in caller.scopes:
        held = " ".join(sorted(caller.scopes)) or "none"
        raise Forbidden(f"This needs a token with the scope {needed}; yours has: {held}.")
