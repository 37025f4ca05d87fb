"""What an effect raises that has to wait: nothing failed, and somebody else has the next word."""

from __future__ import annotations

from typing import Final

ASK_AGAIN: Final = 30.0
"""After how many seconds a CA is asked again that has not yet done what it accepted."""


class NotYet(Exception):
    """What we wait for has not happened; come back after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float = ASK_AGAIN) -> None:
        self.retry_after = retry_after
        super().__init__(message)
