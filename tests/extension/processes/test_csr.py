"""What a phone's certificate request must be."""

from __future__ import annotations

import hashlib
import math
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
from hypothesis import given
from hypothesis import strategies as st

from mobid.domain.options import Kind
from mobid.processes.csr import MOST_BYTES, KeyPolicy, KeyType, check_csr
from mobid.processes.errors import BadCertificateRequest, KeyTypeNotAllowed
from mobid.processes.weak_rsa import weakness

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

KIND = Kind.AUTHENTICATION
ANY = KeyPolicy(frozenset(KeyType))

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

    def test_p256_by_default(self) -> None:
        """The key comes out as its SubjectPublicKeyInfo and its SHA-256."""
        key = ec.generate_private_key(ec.SECP256R1())
        info = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        checked = check_csr(KIND, csr(key))
        assert checked.public_key_info == info
        assert checked.key_hash == hashlib.sha256(info).digest()

    def test_others_where_the_policy_allows_them(self) -> None:
        """P-384 and sound RSA keys pass if they are allowed, and only then."""
        for key in (
            ec.generate_private_key(ec.SECP384R1()),
            rsa.generate_private_key(65537, 2048),
        ):
            assert check_csr(KIND, csr(key), ANY)
            with pytest.raises(KeyTypeNotAllowed, match=r"; allowed is EC P-256\."):
                check_csr(KIND, csr(key))


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
        broken[position % len(broken)] ^= 1 << bit
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
            (ec.generate_private_key(ec.SECP521R1()), "EC secp521r1"),
            (ec.generate_private_key(ec.SECP256K1()), "EC secp256k1"),
            (
                rsa.generate_private_key(65537, 1024),  # noqa: S505  # too short on purpose
                "RSA 1024 with exponent 65537",
            ),
            (rsa.generate_private_key(3, 2048), "RSA 2048 with exponent 3"),
            (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        ],
        ids=["p521", "k1", "short", "e3", "ed25519"],
    )
    def test_key_types_that_no_policy_allows(
        self, key: CertificateIssuerPrivateKeyTypes, found: str
    ) -> None:
        """The error says what was found and what would be right."""
        with pytest.raises(KeyTypeNotAllowed, match=rf"The key for authentication is {found};"):
            check_csr(KIND, csr(key), ANY)

    def test_rsa_primes_next_to_each_other(self) -> None:
        """A real key that Fermat's method factors at once, with a valid signature."""
        with pytest.raises(BadCertificateRequest, match="two primes that lie close together"):
            check_csr(KIND, csr(_close_primes_key()), ANY)


class TestWeakness:
    """Weak RSA moduli."""

    def test_is_found_in_no_sound_key(self) -> None:
        """Keys of a good generator pass."""
        for _ in range(3):
            assert (
                weakness(rsa.generate_private_key(65537, 2048).public_key().public_numbers().n)
                is None
            )

    def test_is_a_small_factor(self) -> None:
        """751 is the largest prime that is looked for."""
        prime = rsa.generate_private_key(65537, 2048).private_numbers().p
        assert weakness(prime * 751) == "a modulus with a small factor"

    def test_is_a_square(self) -> None:
        """The closest primes of all are equal."""
        prime = rsa.generate_private_key(65537, 2048).private_numbers().p
        assert weakness(prime * prime) == "a modulus of two primes that lie close together"

    def test_is_the_mark_of_roca(self) -> None:
        """CVE-2017-15361: the modulus is a power of 65537 modulo every small prime."""
        product = math.prod(n for n in range(2, 168) if all(n % d for d in range(2, n)))
        marked = pow(65537, 4711, product) + product * (1 << 1800)
        found = next(
            weakness(candidate)
            for candidate in range(marked, marked + product * 1000, product)
            if weakness(candidate) != "a modulus with a small factor"
        )
        assert found == "a modulus of the faulty generator ROCA (CVE-2017-15361)"


_FIXED_KEY = ec.derive_private_key(0x1234567890ABCDEF1234567890ABCDEF, ec.SECP256R1())


def _close_primes_key() -> rsa.RSAPrivateKey:
    """Return an RSA key of one prime and the next."""
    p = rsa.generate_private_key(65537, 2048).private_numbers().p
    q = next(n for n in range(p + 2, p + 100_000, 2) if _is_prime(n))
    d = pow(65537, -1, math.lcm(p - 1, q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=q,
        q=p,
        d=d,
        dmp1=d % (q - 1),
        dmq1=d % (p - 1),
        iqmp=pow(p, -1, q),
        public_numbers=rsa.RSAPublicNumbers(65537, p * q),
    )
    return numbers.private_key()


def _is_prime(n: int) -> bool:
    """Fermat's test: good enough for a random number of a thousand bits."""
    return all(n % d for d in range(3, 2000, 2)) and pow(2, n - 1, n) == 1
