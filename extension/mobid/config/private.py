"""Files that only their owner may read: how they are made, and what is refused when reading."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from mobid.config.errors import UnsafeFile
from mobid.config.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES: Final = 65_536

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_ROOT: Final = 0


def read_private(path: Path) -> bytes:
    """Return what a private file holds; raise FileNotFoundError or `UnsafeFile`."""
    try:
        # Without O_NONBLOCK, a pipe in the file's place would hold the process up for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            _check_file(path, os.fstat(file.fileno()))
            return file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        remedy = "It must be a file of the user that runs mobid, with mode 600."
        raise UnsafeFile(path, f"cannot be read ({error.strerror})", remedy=remedy) from None


def read_secret_file(path: Path) -> Secret[str]:
    """Return the text in a private file, without one newline at its end; raise `UnsafeFile`.

    For settings that name a file with a password or a token, those of CA connectors among them.
    """
    remedy = "Put the right file in its place, with mode 600."
    try:
        return Secret(read_private(path).decode().removesuffix("\n"))
    except FileNotFoundError:
        raise UnsafeFile(path, "is not there", remedy=remedy) from None
    except UnicodeDecodeError:
        raise UnsafeFile(path, "does not hold UTF-8 text", remedy=remedy) from None


def write_private(path: Path, content: bytes) -> None:
    """Make a new file of mode 0600, whole or not at all; raise FileExistsError if there is one.

    The content is on the disk when this returns. The name appears last, by a link, so that a
    crash leaves no half key behind, and of two writers at the same time one is refused.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        how = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(draft, how, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


def is_draft(name: str, *, of: str) -> bool:
    """Tell whether a file is what a crash during `write_private` can leave behind."""
    return name.startswith(f".{of}.")


def make_private_folder(path: Path) -> None:
    """Make a folder of mode 0700, or make sure that the one that is there is private."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        check_private_folder(path)
    else:
        _sync(path.parent)


def check_private_folder(path: Path) -> None:
    """Raise FileNotFoundError or `UnsafeFile` unless only its owner can look into a folder."""
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeFile(path, "is no folder", remedy="Put the right folder in its place.")
    _refuse_loose(path, found)


def check_private_file(path: Path) -> None:
    """Raise FileNotFoundError or `UnsafeFile` unless only its owner can get at a file, however large."""
    _refuse_loose(path, path.stat())


def _check_file(path: Path, found: os.stat_result) -> None:
    remedy = "Put the right file in its place."
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFile(path, "is no ordinary file", remedy=remedy)
    if found.st_size > MOST_BYTES:
        raise UnsafeFile(path, f"has more than {MOST_BYTES} bytes", remedy=remedy)
    _refuse_loose(path, found)


def _refuse_loose(path: Path, found: os.stat_result) -> None:
    mode = stat.S_IMODE(found.st_mode)
    if mode & _OTHERS:
        raise UnsafeFile(
            path,
            f"has mode {mode:04o}, so that others than its owner can get at it",
            remedy=f"Run: chmod {mode & ~_OTHERS:o} {path}",
        )
    if found.st_uid not in {os.geteuid(), _ROOT}:
        raise UnsafeFile(
            path,
            f"belongs to user {found.st_uid}, who could change it",
            remedy=f"Run: chown {os.geteuid()} {path}",
        )


def _sync(folder: Path) -> None:
    """Have the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
