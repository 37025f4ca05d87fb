"""The home directory: `mobid.toml`, the keys, and the embedded database, for one user's eyes only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.config.errors import HomeUnusable
from mobid.config.keys import KeyFolder, create_keys
from mobid.config.load import fits_a_url
from mobid.config.private import is_draft, make_private_folder, write_private
from mobid.config.sources import SETTINGS_FILE

if TYPE_CHECKING:
    from pathlib import Path

_FIRST_SETTINGS: Final = """\
# Settings of this mobid. Everything has a default; what stands here overrides it, and
# MOBID_<NAME> in the environment overrides what stands here (MOBID_<NAME>_FILE names a file
# with the value). A secret can stand in a file here, too: database_url_file = "/run/secrets/db".
# `mobid config docs` lists every setting. Remove a # to change one.

# public_url = "https://mobid.example.org"
# listen_host = "127.0.0.1"
# listen_port = 8080
# database_url = "postgresql://mobid@db.example.org/mobid"

# [times]
# form_idle = "30m"
# page_code = "10m"

# [mail]
# host = "mail.example.org"
# sender = "mobid@example.org"
"""


def is_home(directory: Path) -> bool:
    """Tell whether `create_home` has finished here."""
    return (directory / SETTINGS_FILE).is_file()


def key_folder(home: Path) -> KeyFolder:
    """Return the folder of a home's keys."""
    return KeyFolder(home / "keys")


def create_home(home: Path) -> KeyFolder:
    """Make a home with fresh keys; raise `HomeUnusable` if the directory is in use already.

    `mobid.toml` is written last: what a crash left half done is completed by the next call.
    """
    folder = key_folder(home)
    if not fits_a_url(home.absolute()):
        raise HomeUnusable(home, "a database URL cannot hold this path")
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign(home, ours=folder.path.name)
        home.chmod(0o700)
        make_private_folder(folder.path)
        create_keys(folder)
        write_private(home / SETTINGS_FILE, _FIRST_SETTINGS.encode())
    except OSError as error:
        raise HomeUnusable(home, error.strerror or str(error)) from None
    return folder


def _refuse_foreign(home: Path, *, ours: str) -> None:
    for entry in sorted(home.iterdir()):
        if entry.name != ours and not is_draft(entry.name, of=SETTINGS_FILE):
            raise HomeUnusable(home, f'it holds "{entry.name}" already')
