"""Registered front ends: user interfaces of somebody else, known by name and public key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from mobid.auth.errors import BadFrontEnd, UnknownName
from mobid.storage.frontends import FrontEnd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mobid.domain.actors import Actor
    from mobid.processes.ports import Units
    from mobid.storage.frontends import FrontEnds

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_PUBLIC_PEM: Final = b"-----BEGIN PUBLIC KEY-----"
_MOST_BYTES: Final = 4096


class FrontEndRegistry:
    """Registers front ends, and takes that back."""

    def __init__(self, frontends: FrontEnds, units: Units) -> None:
        self._frontends = frontends
        self._units = units

    def register(self, name: str, public_key: bytes, *, by: Actor) -> FrontEnd:
        """Register a front end by its public key in PEM; raise `BadFrontEnd`.

        It is audited first: no audit, no effect.
        """
        if _NAME.fullmatch(name) is None:
            raise BadFrontEnd(
                "A front end's name has 1 to 64 letters, digits, dots, hyphens or underscores, and "
                "begins with a letter or digit."
            )
        jwk = jwk_of(public_key)
        if self._frontends.find(name) is not None:
            raise BadFrontEnd(
                f'The name "{name}" is or was that of another front end; choose a new one.'
            )
        now = self._audit(by, "frontend.add", name, crv=jwk["crv"], x=jwk["x"])
        registered = FrontEnd(name=name, public_jwk=jwk, created_at=now)
        self._frontends.add(registered)
        return registered

    def revoke(self, name: str, *, by: Actor) -> None:
        """Take its word no more; raise `UnknownName`. Revoking twice is no error."""
        if self._frontends.find(name) is None:
            raise UnknownName("front end", name)
        self._frontends.revoke(name, at=self._audit(by, "frontend.revoke", name))

    def all(self) -> Sequence[FrontEnd]:
        """Return all that were ever registered, by name."""
        return self._frontends.all()

    def _audit(self, by: Actor, action: str, name: str, **details: str) -> datetime:
        """Record it, and return when that was."""
        with self._units() as unit:
            unit.audit(by, action, "frontend", name, **details)
            unit.commit()
            return unit.now


def jwk_of(public_key: bytes) -> dict[str, str]:
    """Return the JWK of a P-256 or Ed25519 public key in PEM; raise `BadFrontEnd` for all else."""
    if _PUBLIC_PEM not in public_key or len(public_key) > _MOST_BYTES:
        raise BadFrontEnd(
            "The key file must hold one public key in PEM (BEGIN PUBLIC KEY), P-256 or Ed25519; "
            "the private key stays with the front end."
        )
    for kind, curve, members in (
        (ECKey, "P-256", ("kty", "crv", "x", "y")),
        (OKPKey, "Ed25519", ("kty", "crv", "x")),
    ):
        try:
            jwk = kind.import_key(public_key).as_dict(private=False)
        except (JoseError, ValueError, TypeError):
            continue
        if jwk["crv"] == curve:
            return {member: str(jwk[member]) for member in members}
    raise BadFrontEnd("The public key is of another kind; make one for P-256 or Ed25519.")


def key_of(jwk: Mapping[str, str]) -> ECKey | OKPKey:
    """Return the key of a registered front end."""
    return (OKPKey if jwk["kty"] == "OKP" else ECKey).import_key(dict(jwk))
