"""Checks of the home: who can get at it, and whether every key is there and is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.app.doctor.finding import failed, ok
from mobid.config import UnsafeFile, key_folder
from mobid.config.keys import faults_of_keys
from mobid.config.private import check_private_file, check_private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mobid.app.doctor.finding import Finding


def home(directory: Path) -> Iterator[Finding]:
    """See that only their owner can get at the home, the key folder, and every file in them."""
    loose = list(_loose(directory))
    yield from loose
    if not loose:
        yield ok("home", f"{directory} is for its owner only")


def keys(directory: Path) -> Iterator[Finding]:
    """Read each of our keys."""
    folder = key_folder(directory)
    for name, error in faults_of_keys(folder).items():
        if error is None:
            yield ok(f"key {name}", "can be used")
        else:
            yield failed(f"key {name}", str(error), "Certificates and codes stand on it.")


def _loose(directory: Path) -> Iterator[Finding]:
    for folder in (directory, key_folder(directory).path):
        try:
            check_private_folder(folder)
        except (UnsafeFile, OSError) as error:
            yield failed("home", str(error), "Nobody else may look into it.")
            continue
        for file in sorted(one for one in folder.iterdir() if one.is_file()):
            try:
                check_private_file(file)
            except UnsafeFile as error:
                yield failed("home", str(error), "Secrets and people's data are in it.")
