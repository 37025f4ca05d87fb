"""Who is calling: reads a phone's request, and lets nothing of it through that is not signed.

The form of the body, the signature and the nonce are checked in this order, and the payload is
looked at afterwards, so that a stranger never learns what a valid one looks like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobid.api import bodies
from mobid.api.device.errors import BadSignature, MalformedRequest
from mobid.api.device.jws import FlattenedJWS, PublicKey, json_from
from mobid.api.errors import UnsupportedMediaType
from mobid.processes.enrolment import Caller
from mobid.processes.errors import CodeNotUsable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask import Request

    from mobid.api.device.nonces import Nonces

MEDIA_TYPES: Final = ("application/jose+json", "application/json")

_ENROLMENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Door:
    """Checks requests against the phones' keys, our nonces and our own address."""

    device_key: Callable[[str], Mapping[str, str]]
    nonces: Nonces
    public_url: str
    count_claim: Callable[[str | None], None]
    """Counts a claim from an address; raises if there were too many."""

    def claimant(self, request: Request) -> tuple[PublicKey, bytes]:
        """Return the new device key that signed a claim, and what it signed; raise `RequestRefused`.

        What is signed could name a code, so it counts for the address that it comes from.
        """
        signed = self._read(request, members={"alg", "url", "jwk"})
        try:
            key = PublicKey.from_jwk(signed.header["jwk"])
        except ValueError as error:
            raise MalformedRequest("jwk in the protected header", str(error)) from None
        if not signed.signed_by(key.key):
            raise BadSignature
        self.count_claim(request.remote_addr)
        return key, signed.unverified_payload

    def caller(self, request: Request) -> tuple[Caller, bytes]:
        """Return the phone that signed, and what it signed.

        Raises `RequestRefused`, and `CodeNotUsable` alike for an enrolment that does not
        exist and for one that belongs to another phone.
        """
        signed = self._read(request, members={"alg", "url", "nonce", "kid"})
        kid, nonce = _text(signed, "kid"), _text(signed, "nonce")
        self.nonces.check(nonce)
        if _ENROLMENT_ID.fullmatch(kid) is None:
            raise CodeNotUsable
        key = PublicKey.from_jwk(dict(self.device_key(kid)))
        if not signed.signed_by(key.key):
            raise CodeNotUsable
        self.nonces.spend(nonce)
        return Caller(kid, key.thumbprint), signed.unverified_payload

    def _read(self, request: Request, *, members: set[str]) -> FlattenedJWS:
        if request.mimetype not in MEDIA_TYPES:
            raise UnsupportedMediaType(" or ".join(MEDIA_TYPES))
        signed = FlattenedJWS.read(json_from(bodies.read(request), "body"))
        signed.check_form(members=members, url=self.public_url + request.path)
        return signed


def _text(signed: FlattenedJWS, member: str) -> str:
    value = signed.header[member]
    if not isinstance(value, str):
        raise MalformedRequest(f"{member} in the protected header", "must be a text")
    return value
