"""Orders as the core places them with a CA."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mobid.ca import Order
from mobid.domain.options import Kind
from mobid.processes.naming import san_for, subject_for

if TYPE_CHECKING:
    from tests.parts.clock import StandingClock


class Orders:
    """Makes orders as the core places them: a fresh key, names of one user, a year."""

    def __init__(self, clock: StandingClock) -> None:
        self._clock = clock
        self._count = 0

    def __call__(
        self,
        kind: Kind = Kind.AUTHENTICATION,
        *,
        key: str | None = None,
        name: str = "Änne Example",
        csr: bytes | None = None,
    ) -> Order:
        """Return another order, with a fresh key unless `csr` brings one."""
        self._count += 1
        return Order(
            key=key or f"order-{self._count}",
            csr=csr or self.csr(),
            kind=kind,
            subject=subject_for(name, unique_id="2819c223"),
            san=san_for(kind, "anne@example.org", "anne@corp.example.org"),
            not_before=self._clock() - timedelta(minutes=5),
            not_after=self._clock() + timedelta(days=365),
        )

    @staticmethod
    def csr() -> bytes:
        """Return a request with a fresh P-256 key, and a subject that nobody is to believe."""
        mallory = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Mallory")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(mallory)
        request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        return request.public_bytes(Encoding.DER)
