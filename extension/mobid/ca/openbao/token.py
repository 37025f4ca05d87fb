"""The token that OpenBao knows us by: in a private file, read whenever it is needed, shown nowhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobid.config import Secret, UnsafeFile, read_secret_file

if TYPE_CHECKING:
    from pathlib import Path

_TOKEN: Final = re.compile(r"[!-~]{1,4096}")


class UnusableToken(Exception):
    """There is no token, or others can read it; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file that holds one token. An agent may replace it at any time."""

    path: Path

    def read(self) -> Secret[str]:
        """Return the token that is there now; raise `UnusableToken`."""
        try:
            token = read_secret_file(self.path)
        except UnsafeFile as unsafe:
            raise UnusableToken(str(unsafe)) from None
        if _TOKEN.fullmatch(token.reveal()) is None:
            raise UnusableToken(f"{self.path} holds no token, which is one word on one line.")
        return token
