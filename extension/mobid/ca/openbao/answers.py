"""What OpenBao answers, read with care: each value is narrowed, and what does not fit is an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.processes.authority import AuthorityError

MOST_WORDS: Final = 300


@dataclass(frozen=True, slots=True)
class Answer:
    """The `data` of one answer. What is missing in it raises `broken`."""

    path: str
    data: Mapping[str, object]
    broken: type[AuthorityError]
    words: str = ""
    """Its warnings."""

    def text(self, name: str) -> str:
        """Return a text."""
        found = self.data.get(name)
        if not isinstance(found, str):
            raise self._broken(name)
        return found

    def number(self, name: str) -> int:
        """Return a whole number."""
        found = self.data.get(name)
        if not isinstance(found, int) or isinstance(found, bool):
            raise self._broken(name)
        return found

    def texts(self, name: str) -> Sequence[str]:
        """Return a list of texts; empty if there is none."""
        found = self.data.get(name) or []
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self._broken(name)
        return found

    def mapping(self, name: str) -> Mapping[str, object]:
        """Return an object."""
        found = self.data.get(name)
        if not isinstance(found, Mapping):
            raise self._broken(name)
        return found

    def certificate(self, name: str) -> bytes:
        """Return a certificate (DER) that is there in PEM."""
        return self._der(self.text(name), name)

    def certificates(self, name: str) -> tuple[bytes, ...]:
        """Return certificates (DER) that are there in PEM, one in each text."""
        return tuple(self._der(one, name) for one in self.texts(name))

    def crl(self, name: str) -> bytes:
        """Return a revocation list (DER) that is there in PEM."""
        try:
            found = x509.load_pem_x509_crl(self.text(name).encode())
        except ValueError:
            raise self._broken(name) from None
        return found.public_bytes(Encoding.DER)

    def _der(self, pem: str, name: str) -> bytes:
        try:
            return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
        except ValueError:
            raise self._broken(name) from None

    def _broken(self, name: str) -> AuthorityError:
        return self.broken(f'OpenBao answers {self.path} without a usable "{name}".')


def words_of(data: Mapping[str, object]) -> str:
    """Return errors and warnings of an answer in one line, cut; its data never."""
    listed = [data.get(name) for name in ("errors", "warnings")]
    words = " ".join(str(one) for found in listed if isinstance(found, list) for one in found)
    plain = " ".join(words.split())
    return "".join(filter(str.isprintable, plain))[:MOST_WORDS] or "no reason given"
