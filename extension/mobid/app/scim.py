"""Where the product meets the SCIM engine: who calls, and what our errors are in SCIM."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from mobid.app.errors import meaning_of
from mobid.auth.errors import AuthError
from mobid.storage.tables.access import Audience
from mobid_scim import errors as scim

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Request

    from mobid.auth.tokens import BearerTokens, TokenCaller

RETRY_AFTER_SECONDS: Final = 5


class TooMany(scim.SCIMError):
    """The client does this too often; the same request may work later (RFC 6585, 4)."""

    status: ClassVar[int] = 429

    def __init__(self, detail: str, headers: Mapping[str, str]) -> None:
        super().__init__(detail)
        self._headers = headers

    def headers(self) -> Mapping[str, str]:
        """Say when to try again."""
        return self._headers


class Unavailable(scim.SCIMError):
    """Our side cannot do it now; the same request may work later."""

    status: ClassVar[int] = 503

    def headers(self) -> Mapping[str, str]:
        """Say when to try again."""
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}


BY_STATUS: Final[Mapping[int, type[scim.SCIMError]]] = {
    400: scim.InvalidValue,
    404: scim.NotFound,
    409: scim.Conflict,
    422: scim.InvalidValue,
    503: Unavailable,
}


def authenticate_scim(tokens: BearerTokens) -> Callable[[Request], TokenCaller]:
    """Return the function that says which SCIM client calls; it raises `Unauthorized`."""

    def authenticate(request: Request) -> TokenCaller:
        try:
            return tokens.caller(request.headers, Audience.SCIM)
        except AuthError as error:
            raise scim.Unauthorized(str(error)) from error

    return authenticate


def scim_error_of(error: Exception) -> scim.SCIMError | None:
    """Return what an error of the product is in SCIM, by the one table; None for what nobody expects."""
    meaning = meaning_of(error)
    if meaning is not None and meaning.status == TooMany.status:
        return TooMany(meaning.detail, meaning.headers)
    kind = None if meaning is None else BY_STATUS.get(meaning.status)
    return None if meaning is None or kind is None else kind(meaning.detail)
