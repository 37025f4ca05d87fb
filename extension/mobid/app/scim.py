"""Where the product meets the SCIM engine: who calls, and what our errors are in SCIM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typing_extensions import override

from mobid.app.errors import meaning_of
from mobid.auth.errors import AuthError
from mobid.storage.tables.access import Audience
from mobid_scim import errors as scim
from mobid_scim.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Request

    from mobid.auth.tokens import BearerTokens, TokenCaller
    from mobid.provisioning import Caller
    from mobid_scim.dialect import Dialect


class Later(scim.SCIMError):
    """The same request may work later; the headers say when."""

    def __init__(self, detail: str, headers: Mapping[str, str]) -> None:
        super().__init__(detail)
        self._headers = headers

    @override
    def headers(self) -> Mapping[str, str]:
        return self._headers


class TooMany(Later):
    """The client does this too often (RFC 6585, 4)."""

    status = 429


class Unavailable(Later):
    """Our side cannot do it now."""

    status = 503


BY_STATUS: Final[Mapping[int, type[scim.SCIMError]]] = {
    400: scim.InvalidValue,
    404: scim.NotFound,
    409: scim.Conflict,
    422: scim.InvalidValue,
}
"""What a status is in SCIM (RFC 7644, 3.12), where that is all there is to say."""

LATER: Final[Mapping[int, type[Later]]] = {429: TooMany, 503: Unavailable}


def authenticate_scim(tokens: BearerTokens) -> Callable[[Request], TokenCaller]:
    """Return the function that says which SCIM client calls; it raises `Unauthorized`."""

    def authenticate(request: Request) -> TokenCaller:
        try:
            return tokens.caller(request.headers, Audience.SCIM)
        except AuthError as error:
            raise scim.Unauthorized(str(error)) from error

    return authenticate


def dialect_of(caller: Caller) -> Dialect:
    """Return how a client speaks, as its token says; raise `Forbidden` if nobody understands it."""
    found = DIALECTS.get(caller.dialect)
    if found is None:
        raise scim.Forbidden(
            f'This token is for the dialect "{caller.dialect}", which is not there any more; '
            f"have one made for {', '.join(sorted(DIALECTS))}."
        )
    return found


def scim_error_of(error: Exception) -> scim.SCIMError | None:
    """Return what an error of the product is in SCIM, by the one table; None for what nobody expects."""
    meaning = meaning_of(error)
    if meaning is None:
        return None
    if (later := LATER.get(meaning.status)) is not None:
        return later(meaning.detail, meaning.headers)
    kind = BY_STATUS.get(meaning.status)
    return None if kind is None else kind(meaning.detail)
