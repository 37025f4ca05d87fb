"""The Authorization header (RFC 6750, 2.1): exactly one, of the scheme Bearer, or nobody is let in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mobid.auth.errors import Unauthenticated

if TYPE_CHECKING:
    from werkzeug.datastructures import Headers

MOST_CHARACTERS: Final = 4096

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)


def bearer_of(headers: Headers) -> str:
    """Return what is presented; raise `Unauthenticated` for none, several, or another scheme.

    Servers join headers of one name by a comma, so a comma means several.
    """
    values = headers.getlist("Authorization")
    if not values or not values[0].strip():
        raise Unauthenticated("no Authorization header", presented=False)
    if len(values) > 1 or "," in values[0]:
        raise Unauthenticated("more than one Authorization header")
    scheme, _, token = values[0].strip().partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("the scheme is not Bearer")
    token = token.strip(" ")
    if len(token) > MOST_CHARACTERS or _TOKEN.fullmatch(token) is None:
        raise Unauthenticated("no well-formed bearer token")
    return token
