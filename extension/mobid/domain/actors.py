"""Who does something: the person, program or rule that an audit record names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """The kinds of actors; what a state allows may depend on them."""

    USER = "user"
    OPERATOR = "operator"
    SCIM_CLIENT = "scim_client"
    DEVICE = "device"
    CA = "ca"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor: its kind and its name among those of its kind."""

    kind: ActorKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


SYSTEM = Actor(ActorKind.SYSTEM, "mobid")
