"""One-minute assertions: a registered front end says which of its users is calling (RFC 7519).

    Authorization: Bearer <JWT, signed with ES256 or Ed25519 by the key of the front end>

    iss        the name under which the front end is registered
    sub        the SCIM id of the user
    aud        our public address, and nothing else
    iat, exp   at most 60 s apart
    jti        used once: every call has an assertion of its own
    auth_time  when the user last signed in at the front end (OpenID Connect Core, 2)
    nbf        if it is there, the time from which on it counts

The front end has no credentials but these, so without a user it can do nothing.
"""

from __future__ import annotations

import binascii
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from mobid.auth.bearer import bearer_of
from mobid.auth.errors import Unauthenticated
from mobid.auth.frontends import key_of
from mobid.domain.actors import Actor, ActorKind
from mobid.processes.steps import Caller
from mobid_scim import strict_json
from mobid_scim.errors import SCIMError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.datastructures import Headers

    from mobid.processes.ports import Units
    from mobid.storage.frontends import FrontEnd, FrontEnds

LONGEST_LIFE: Final = timedelta(seconds=60)
SKEW: Final = timedelta(seconds=30)
"""How far the clocks of a front end and ours may be apart."""

_ALGORITHMS: Final = {"EC": ("ES256",), "OKP": ("Ed25519", "EdDSA")}
_CLAIMS: Final = frozenset({"iss", "sub", "aud", "iat", "exp", "jti", "auth_time"})
_LIMITS: Final = strict_json.Limits(size=4096, depth=2)
_PARTS: Final = 3
_MOST_TEXT: Final = 128
_LAST_SECOND: Final = 253_402_300_799  # 9999-12-31T23:59:59Z


class _Algorithms(JWSRegistry):
    """The older name EdDSA means Ed25519 here: keys of other curves are not registered (RFC 9864, 2.2)."""

    algorithms = JWSRegistry.algorithms | {"EdDSA": JWSRegistry.algorithms["Ed25519"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claims:
    """The claims of an assertion whose form is right."""

    issuer: str
    user_id: str
    audience: str
    issued_at: datetime
    expires_at: datetime
    number: str
    signed_in_at: datetime
    begins_at: datetime


class Assertions:
    """Says which end user a front end speaks for."""

    def __init__(self, frontends: FrontEnds, units: Units, public_url: str) -> None:
        self._frontends = frontends
        self._units = units
        self._public_url = public_url

    def caller(self, headers: Headers) -> Caller:
        """Return the user of an assertion, and use it up; raise `Unauthenticated`."""
        token = bearer_of(headers)
        header, claims = _read(token)
        front_end = self._frontends.find(claims.issuer)
        if front_end is None or front_end.revoked_at is not None:
            raise Unauthenticated(f"front end {claims.issuer!r}: unknown or revoked")
        _check_signature(token, header, front_end)
        with self._units.reading() as unit:
            now = unit.now
        self._check(claims, now)
        self._use_up(claims)
        return Caller(
            user_id=claims.user_id,
            actor=Actor(ActorKind.USER, claims.user_id),
            authenticated_at=min(claims.signed_in_at, now),
            front_end=front_end.name,
        )

    def _check(self, claims: _Claims, now: datetime) -> None:
        """Check what a signed assertion says against the time and our address."""
        who = f"front end {claims.issuer}"
        if claims.audience != self._public_url:
            raise Unauthenticated(f"{who}: aud is not {self._public_url}")
        if not timedelta(0) < claims.expires_at - claims.issued_at <= LONGEST_LIFE:
            raise Unauthenticated(f"{who}: exp is not within 60 s after iat")
        if now >= claims.expires_at + SKEW:
            raise Unauthenticated(f"{who}: expired")
        if claims.issued_at > now + SKEW:
            raise Unauthenticated(f"{who}: iat is in the future")
        if claims.begins_at > now + SKEW:
            raise Unauthenticated(f"{who}: nbf is in the future")
        if claims.signed_in_at > now + SKEW:
            raise Unauthenticated(f"{who}: auth_time is in the future")

    def _use_up(self, claims: _Claims) -> None:
        with self._units() as unit:
            use = f"assertion {claims.issuer} {claims.number}"
            if not unit.used.first_use(use, until=claims.expires_at + SKEW):
                raise Unauthenticated(f"front end {claims.issuer}: jti was used before")
            unit.commit()


def _read(token: str) -> tuple[Mapping[str, object], _Claims]:
    """Take an assertion apart that nobody has verified yet.

    It is read strictly here, before any other reader sees it: that one may give up on what is
    nested deeply, or take what is there twice.
    """
    parts = token.split(".")
    if len(parts) != _PARTS:
        raise Unauthenticated("no JWT of three parts")
    header, claims = _object(parts[0]), _object(parts[1])
    missing = sorted(_CLAIMS - claims.keys())
    if missing:
        raise Unauthenticated(f"an assertion without {', '.join(missing)}")
    read = _Claims(
        issuer=_text(claims, "iss"),
        user_id=_text(claims, "sub"),
        audience=_text(claims, "aud"),
        issued_at=_time(claims, "iat"),
        expires_at=_time(claims, "exp"),
        number=_text(claims, "jti"),
        signed_in_at=_time(claims, "auth_time"),
        begins_at=_time(claims, "nbf" if "nbf" in claims else "iat"),
    )
    return header, read


def _object(part: str) -> Mapping[str, object]:
    try:
        value = strict_json.loads(urlsafe_b64decode(part.encode("ascii")), limits=_LIMITS)
    except (binascii.Error, ValueError, SCIMError):
        raise Unauthenticated("a JWT that cannot be read") from None
    if not isinstance(value, dict):
        raise Unauthenticated("a JWT whose parts are no objects")
    return value


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_TEXT:
        raise Unauthenticated(
            f"an assertion whose {name} is no text of 1 to {_MOST_TEXT} characters"
        )
    return value


def _time(claims: Mapping[str, object], name: str) -> datetime:
    """Return a NumericDate (RFC 7519, 2)."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unauthenticated(f"an assertion whose {name} is no number")
    if not 0 <= value <= _LAST_SECOND:
        raise Unauthenticated(f"an assertion whose {name} is no time")
    return datetime.fromtimestamp(math.floor(value), UTC)


def _check_signature(token: str, header: Mapping[str, object], front_end: FrontEnd) -> None:
    """Verify by an algorithm that fits the registered key; the header has no say in which key."""
    key = key_of(front_end.public_jwk)
    allowed = _ALGORITHMS[front_end.public_jwk["kty"]]
    if header.get("alg") not in allowed:
        raise Unauthenticated(f"front end {front_end.name}: alg is not {' or '.join(allowed)}")
    try:
        jws.deserialize_compact(token, key, registry=_Algorithms(algorithms=allowed))
    except (JoseError, ValueError) as error:
        raise Unauthenticated(f"front end {front_end.name}: {type(error).__name__}") from None
