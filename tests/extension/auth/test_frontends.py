"""Registered front ends: a name, a public key of a kind that we trust, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from sqlalchemy import text

from mobid.auth.errors import BadFrontEnd, UnknownName
from mobid.auth.frontends import FrontEndRegistry, jwk_of, key_of
from mobid.domain.actors import SYSTEM
from mobid.storage.frontends import FrontEnds

if TYPE_CHECKING:
    from mobid.storage import SQLUnits, Transactions


@pytest.fixture
def registry(transactions: Transactions, units: SQLUnits) -> FrontEndRegistry:
    """The front ends of a deployment."""
    return FrontEndRegistry(FrontEnds(transactions), units)


def public_pem(private_key: Any) -> bytes:
    """Return a public key as OpenSSL writes it."""
    pem: bytes = private_key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return pem


class TestKeys:
    """Which keys are taken."""

    @pytest.mark.parametrize(
        "private_key",
        [ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()],
        ids=["P-256", "Ed25519"],
    )
    def test_two_kinds_are(self, private_key: Any) -> None:
        """What is stored is public, and gives the same key again."""
        jwk = jwk_of(public_pem(private_key))
        assert "d" not in jwk
        assert key_of(jwk).as_pem(private=False) == public_pem(private_key)

    @pytest.mark.parametrize(
        "private_key",
        [
            ec.generate_private_key(ec.SECP384R1()),
            rsa.generate_private_key(65537, 2048),
            x25519.X25519PrivateKey.generate(),
        ],
        ids=["P-384", "RSA", "X25519"],
    )
    def test_others_are_not(self, private_key: Any) -> None:
        """The message says which are."""
        with pytest.raises(BadFrontEnd, match="make one for P-256 or Ed25519"):
            jwk_of(public_pem(private_key))

    def test_a_private_key_is_sent_back(self) -> None:
        """It has no business here."""
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        with pytest.raises(BadFrontEnd, match="the private key stays with the front end"):
            jwk_of(pem)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"key",
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            b"-----BEGIN PUBLIC KEY-----" + b"A" * 5000,
        ],
    )
    def test_rubbish_is_refused(self, data: bytes) -> None:
        """With the same words as a wrong kind."""
        with pytest.raises(BadFrontEnd, match="P-256 or Ed25519"):
            jwk_of(data)


class TestRegistry:
    """Names."""

    def test_a_name_is_given_once(self, registry: FrontEndRegistry, front_end: Any) -> None:
        """Not again after it was revoked either: old audit records must keep their meaning."""
        for _ in range(2):
            with pytest.raises(BadFrontEnd, match='"intranet" is or was that of another'):
                registry.register("intranet", front_end.public_pem, by=SYSTEM)
            registry.revoke("intranet", by=SYSTEM)

    @pytest.mark.parametrize("name", ["", "-x", "a b", "ä", "x" * 65])
    def test_names_are_plain(self, registry: FrontEndRegistry, front_end: Any, name: str) -> None:
        """They stand in logs and audit records."""
        with pytest.raises(BadFrontEnd, match="name has 1 to 64 letters"):
            registry.register(name, front_end.public_pem, by=SYSTEM)

    def test_what_is_not_there_cannot_be_revoked(self, registry: FrontEndRegistry) -> None:
        """The message names it."""
        with pytest.raises(UnknownName, match='no front end "nope"'):
            registry.revoke("nope", by=SYSTEM)

    def test_both_are_audited(
        self, registry: FrontEndRegistry, front_end: Any, transactions: Transactions
    ) -> None:
        """Who let it in, and who took it out."""
        registry.revoke(front_end.name, by=SYSTEM)
        with transactions.reading() as connection:
            events = str(connection.execute(text("SELECT * FROM audit_events")).all())
        assert "frontend.add" in events
        assert "frontend.revoke" in events
        assert registry.all()[0].revoked_at is not None
