"""The errors of the domain. Each says which thing, in which state, and what would be right.

DomainError
├── InvalidValidity          a validity that is no duration and no date
└── IllegalTransition        an event that the state of a thing does not allow
    ├── ProfileNotLockable   Lock of a mobile ID that this caller cannot lock in this state
    └── ProcessEnded         an action on an instance that has ended
"""

from __future__ import annotations


class DomainError(Exception):
    """A rule of the domain was not met."""


class InvalidValidity(DomainError):
    """A validity that cannot be read."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f'Validity "{text}" is no duration such as P2Y, P6M or P90D and no date such as 2027-06-30.'
        )


class IllegalTransition(DomainError):
    """An event that is not in the state table for the state that the thing is in."""

    def __init__(self, thing: str, thing_id: str, *, state: str, event: str, right: str) -> None:
        self.thing, self.thing_id, self.state, self.event = thing, thing_id, state, event
        super().__init__(f"{thing} {thing_id} is {state}; {event} {right}.")


class ProfileNotLockable(IllegalTransition):
    """A Lock that the state table does not know for this caller and state."""


class ProcessEnded(IllegalTransition):
    """An action on an instance that is completed, cancelled, failed or expired."""
