"""The keys in a home: one file each, readable for its owner only, never written over."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mobid.config.errors import BrokenKey, KeyExists, KeyFileError, KeyMissing
from mobid.config.private import check_private_folder, read_private, write_private
from mobid.config.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ENROLMENT_KEY: Final = "enrolment.key"
SESSION_KEY: Final = "session.key"
AUDIT_KEY: Final = "audit.key"

_SECRET_BYTES: Final = 32
_CURSORS: Final = b"mobid SCIM cursors"
_FILE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """A folder of private key files (folder 0700, files 0600). The CA keeps its own here, too."""

    path: Path

    def read(self, name: str) -> bytes:
        """Return the content of a key file; raise `KeyMissing` or `UnsafeFile`."""
        path = self._file(name)
        try:
            check_private_folder(self.path)
            return read_private(path)
        except FileNotFoundError:
            raise KeyMissing(path) from None

    def create(self, name: str, content: bytes) -> None:
        """Store a new key durably; raise `KeyExists`, and leave the old one as it is."""
        path = self._file(name)
        try:
            check_private_folder(self.path)
            write_private(path, content)
        except FileNotFoundError:
            raise KeyMissing(self.path) from None
        except FileExistsError:
            raise KeyExists(path) from None

    def read_or_create(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return the key, made now if there is none; of two makers at once, both get the same."""
        try:
            return self.read(name)
        except KeyMissing:
            with suppress(KeyExists):
                self.create(name, make())
            return self.read(name)

    def _file(self, name: str) -> Path:
        if _FILE_NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name of a key file; such a name is like ca-root.key")
        return self.path / name


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The product's own keys."""

    enrolment: Secret[bytes]
    """Derives tokens and typed codes, and signs nonces (HMAC-SHA-256)."""
    session: Secret[bytes]
    """Signs the session cookies of the pages."""
    audit: Ed25519PrivateKey = field(repr=False)
    """Signs the checkpoints of the audit log."""

    @property
    def cursors(self) -> Secret[bytes]:
        """Seals the cursors of SCIM lists; derived from the session key, as they live no longer."""
        derive = HKDF(hashes.SHA256(), length=_SECRET_BYTES, salt=None, info=_CURSORS)
        return Secret(derive.derive(self.session.reveal()))


def create_keys(folder: KeyFolder) -> None:
    """Make every key that is missing, and leave the others as they are."""
    for name, make in _MAKERS.items():
        folder.read_or_create(name, make)


def read_keys(folder: KeyFolder) -> Keys:
    """Return the keys; raise `KeyMissing`, `UnsafeFile` or `BrokenKey`."""
    return Keys(
        enrolment=_random_key(folder, ENROLMENT_KEY),
        session=_random_key(folder, SESSION_KEY),
        audit=_signing_key(folder, AUDIT_KEY),
    )


def faults_of_keys(folder: KeyFolder) -> Mapping[str, KeyFileError | None]:
    """Return what is wrong with each of our keys; nothing for one that can be used."""
    found: dict[str, KeyFileError | None] = {}
    for name, read in _READERS.items():
        try:
            read(folder, name)
        except KeyFileError as error:
            found[name] = error
        else:
            found[name] = None
    return found


def _random_key(folder: KeyFolder, name: str) -> Secret[bytes]:
    key = folder.read(name)
    if len(key) != _SECRET_BYTES:
        raise BrokenKey(folder.path / name, expected=f"{_SECRET_BYTES} random bytes")
    return Secret(key)


def _signing_key(folder: KeyFolder, name: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(folder.read(name), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise BrokenKey(folder.path / name, expected="an Ed25519 private key (PKCS #8, PEM)")
    return key


def _new_secret() -> bytes:
    return secrets.token_bytes(_SECRET_BYTES)


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


_READERS: Final[Mapping[str, Callable[[KeyFolder, str], object]]] = {
    ENROLMENT_KEY: _random_key,
    SESSION_KEY: _random_key,
    AUDIT_KEY: _signing_key,
}

_MAKERS: Final[Mapping[str, Callable[[], bytes]]] = {
    ENROLMENT_KEY: _new_secret,
    SESSION_KEY: _new_secret,
    AUDIT_KEY: _new_signing_key,
}
