"""What the phone keeps: a private folder with its keys and with how far it has come.

A real app keeps its keys in the keystore of the platform, where they can not be copied. Here they
are files that only their owner can read.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from .errors import Usage

if TYPE_CHECKING:
    from pathlib import Path

STATE: Final = "state.json"


class Pocket:
    """A folder of mode 0700 with files of mode 0600, each of which appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = folder.stat().st_mode
        except OSError as error:
            raise Usage(f"The folder {folder} cannot be used: {error.strerror}.") from None
        if mode & 0o077:
            raise Usage(f"The folder {folder} is open to others; chmod 700 it, or take another.")

    def state(self) -> dict[str, Any]:
        """Return what was remembered; nothing at first."""
        try:
            state: dict[str, Any] = json.loads((self.folder / STATE).read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError:
            raise Usage(f"The file {self.folder / STATE} is damaged; take a new folder.") from None
        return state

    def remember(self, **known: object) -> dict[str, Any]:
        """Add to what is remembered, and return all of it."""
        state = self.state() | known
        self.write(STATE, json.dumps(state, indent=1).encode())
        return state

    def key(self, name: str) -> ec.EllipticCurvePrivateKey:
        """Return a P-256 key, made and kept now if there is none."""
        kept = self.read(f"{name}.key")
        if kept is None:
            key = ec.generate_private_key(ec.SECP256R1())
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            self.write(f"{name}.key", pem)
            return key
        try:
            loaded: object = load_pem_private_key(kept, password=None)
        except ValueError:
            loaded = None
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise Usage(f"The file {name}.key in {self.folder} is damaged; take a new folder.")
        return loaded

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, or none."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> Path:
        """Write a file whole, and return its path."""
        path, draft = self.folder / name, self.folder / f"{name}.new"
        draft.unlink(missing_ok=True)
        number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return draft.replace(path)

    def forget(self, *names: str) -> None:
        """Delete files, if they are there."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
