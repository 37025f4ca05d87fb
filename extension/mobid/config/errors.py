"""The errors of the configuration. Each names the file or the setting and says what would be right.

ConfigError
├── InvalidSettings     every fault of mobid.toml and the environment, in one message
├── HomeUnusable        the directory is a home already, or holds somebody else's files
└── KeyFileError
    ├── KeyMissing      there is no such key yet; `create` makes it
    ├── KeyExists       there is one already, and it is never written over
    ├── UnsafeFile      others than its owner can read, change or replace it
    └── BrokenKey       its content is no key of that kind
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ConfigError(Exception):
    """The configuration cannot be used."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one setting, and where it was read."""

    setting: str
    source: str
    problem: str

    def __str__(self) -> str:
        return f"{self.setting} ({self.source}): {self.problem}"


class InvalidSettings(ConfigError):
    """Settings that cannot be used; `faults` has all of them, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        counted = "1 setting is" if len(faults) == 1 else f"{len(faults)} settings are"
        super().__init__("\n  ".join([f"{counted} not usable:", *map(str, faults)]))


class HomeUnusable(ConfigError):
    """A directory that cannot become a new home."""

    def __init__(self, home: Path, problem: str) -> None:
        self.home = home
        super().__init__(
            f"{home} cannot become a new home: {problem}. Name a directory that is empty or absent."
        )


class KeyFileError(ConfigError):
    """Something is wrong with a private file; `path` is the file."""

    def __init__(self, path: Path, message: str) -> None:
        self.path = path
        super().__init__(message)


class KeyMissing(KeyFileError):
    """A private file that is not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            f"{path} is missing. `mobid init` makes a new home; "
            "for a home with data, bring the file back from the backup.",
        )


class KeyExists(KeyFileError):
    """A key that would have been written over."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, f"{path} exists already; a key is never written over.")


class UnsafeFile(KeyFileError):
    """A private file or folder that is not private."""

    def __init__(self, path: Path, problem: str, *, remedy: str) -> None:
        super().__init__(path, f"{path} {problem}. {remedy}")


class BrokenKey(KeyFileError):
    """A key file with something else in it."""

    def __init__(self, path: Path, *, expected: str) -> None:
        super().__init__(
            path, f"{path} does not hold {expected}. Bring the file back from the backup."
        )
