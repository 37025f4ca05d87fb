"""Why a call is not let in.

AuthError
├── Unauthenticated     nobody knows who calls; the reason is for the log only
├── Forbidden           it is known who calls, and that they may not do this
└── Unusable            what an administrator wanted to make cannot be made
    ├── BadToken        a client name, scopes or life that no token can have
    ├── BadFrontEnd     a name or a public key that no front end can have
    └── UnknownName     a token or front end to revoke that is not there
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class AuthError(Exception):
    """A call is not let in, or what would let one in cannot be made."""


class Unauthenticated(AuthError):
    """No usable credentials.

    The message is the same for every cause: a caller who guesses learns nothing. `reason` is for
    the log and never holds a secret.
    """

    def __init__(self, reason: str, *, presented: bool = True) -> None:
        self.reason = reason
        self.presented = presented
        """Whether there were any credentials at all."""
        super().__init__(
            "Send one Authorization header with a valid bearer token that is meant for this address."
        )


class Forbidden(AuthError):
    """The token is good, but not for this."""

    def __init__(self, scope: str, held: Iterable[str]) -> None:
        self.scope = scope
        scopes = " ".join(sorted(held)) or "none"
        super().__init__(f"This needs a token with the scope {scope}; yours has: {scopes}.")


class Unusable(AuthError):
    """The message says what would be right."""


class BadToken(Unusable):
    """No token can be made like that."""


class BadFrontEnd(Unusable):
    """No front end can be registered like that."""


class UnknownName(Unusable):
    """There is nothing of that name."""

    def __init__(self, thing: str, name: str) -> None:
        super().__init__(f'There is no {thing} "{name}".')
