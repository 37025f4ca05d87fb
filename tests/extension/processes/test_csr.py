"""What a phone's certificate request must be."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from mobid.domain.options import Kind
from mobid.processes.csr import MOST_BYTES, check_csr
from mobid.processes.errors import BadCertificateRequest, KeyTypeNotAllowed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

KIND = Kind.AUTHENTICATION

# testECCP256 of RFC 9500, 2.3: published so that everybody recognises it.
RFC_9500_KEY = b"""-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIObLW92AqkWunJXowVR2Z5/+yVPBaFHnEedDk5WJxk/BoAoGCCqGSM49
AwEHoUQDQgAEQiVI+I+3gv+17KN0RFLHKh5Vj71vc75eSOkyMsxFxbFsTNEMTLjV
uKFxOelIgsiZJXKZNCX0FBmrfpCkKklCcg==
-----END EC PRIVATE KEY-----
"""


def csr(key: CertificateIssuerPrivateKeyTypes) -> bytes:
    """Return a request for a key."""
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


class TestAccepted:
    """Sound requests."""

    def test_p256(self) -> None:
        """The key comes out as its SubjectPublicKeyInfo and its SHA-256."""
        key = ec.generate_private_key(ec.SECP256R1())
        info = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        checked = check_csr(KIND, csr(key))
        assert checked.public_key_info == info
        assert checked.key_hash == hashlib.sha256(info).digest()


class TestRefused:
    """Everything else."""

    def test_a_changed_signature(self) -> None:
        """Who cannot sign with the key does not get a certificate for it."""
        good = csr(ec.generate_private_key(ec.SECP256R1()))
        with pytest.raises(BadCertificateRequest, match="possession is not proved"):
            check_csr(KIND, good[:-1] + bytes([good[-1] ^ 1]))

    def test_trailing_bytes(self) -> None:
        """DER has one end."""
        with pytest.raises(BadCertificateRequest, match=r"is no PKCS#10 in DER"):
            check_csr(KIND, csr(ec.generate_private_key(ec.SECP256R1())) + b"\0")

    def test_more_than_is_read(self) -> None:
        """A megabyte is not even parsed."""
        with pytest.raises(BadCertificateRequest, match="has 16385 bytes; at most 16384"):
            check_csr(KIND, b"0" * (MOST_BYTES + 1))

    @given(der=st.binary(max_size=200))
    def test_anything_else(self, der: bytes) -> None:
        """No bytes lead to another error than this one."""
        with pytest.raises(BadCertificateRequest, match="for authentication"):
            check_csr(KIND, der)

    @given(position=st.integers(0, 2000), bit=st.integers(0, 7))
    def test_any_flipped_bit(self, position: int, bit: int) -> None:
        """One flipped bit anywhere is refused, and never an error of another kind."""
        broken = bytearray(csr(_FIXED_KEY))
        at = position % len(broken)
        # How many bits of its last byte the signature leaves unused is said beside it and changes
        # neither key nor proof; where those bits are zero, X.690 allows one for the other.
        assume(at != len(broken) - len(x509.load_der_x509_csr(bytes(broken)).signature) - 1)
        broken[at] ^= 1 << bit
        with pytest.raises((BadCertificateRequest, KeyTypeNotAllowed)):
            check_csr(KIND, bytes(broken))

    def test_a_published_key(self) -> None:
        """Everybody has the private keys of RFC 9500."""
        key = load_pem_private_key(RFC_9500_KEY, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        with pytest.raises(BadCertificateRequest, match=r"published for tests \(RFC 9500\)"):
            check_csr(KIND, csr(key))

    @pytest.mark.parametrize(
        ("key", "found"),
        [
            (ec.generate_private_key(ec.SECP384R1()), "EC secp384r1"),
            (ec.generate_private_key(ec.SECP256K1()), "EC secp256k1"),
            (rsa.generate_private_key(65537, 2048), "RSA 2048"),
            (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        ],
        ids=["p384", "k1", "rsa", "ed25519"],
    )
    def test_every_other_type_of_key(
        self, key: CertificateIssuerPrivateKeyTypes, found: str
    ) -> None:
        """The error says what was found and what would be right."""
        with pytest.raises(KeyTypeNotAllowed, match=rf"is {found}; allowed is EC P-256\."):
            check_csr(KIND, csr(key))


_FIXED_KEY = ec.derive_private_key(0x1234567890ABCDEF1234567890ABCDEF, ec.SECP256R1())
