"""What can go wrong, and with which exit status the program ends then.

SyncError
├── Usage            2   a file, option or token that cannot be used
├── TooManyLeave     3   more people would be deactivated than is likely
└── Failed           1   the service provider cannot be worked with; these are its words, or why not
"""

from __future__ import annotations

from typing import ClassVar


class SyncError(Exception):
    """The program cannot go on; the message is for whoever runs it."""

    exit_status: ClassVar[int]


class Usage(SyncError):
    """What was given to the program cannot be used."""

    exit_status = 2


class TooManyLeave(SyncError):
    """A file that is cut off looks as if people had left; nothing was written."""

    exit_status = 3

    def __init__(self, leaving: int, there: int, most: int) -> None:
        super().__init__(
            f"{leaving} of {there} people would be deactivated, more than {most}. Nothing was "
            f"written. If they have left indeed, say so: --most-leavers {leaving}"
        )


class Failed(SyncError):
    """The service provider could not be reached, or refused."""

    exit_status = 1
