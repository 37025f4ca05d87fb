"""The errors of the script engine.

    ScriptsError                 raised to the caller of a sandbox
    ├── SandboxUnavailable       no server, no room, or a demanded layer missing: try later
    └── RequestTooLarge          the attributes of the user do not fit into a request

    ScriptFault                  inside the child only: what becomes a diagnostic
    ├── BadValue                 a value that an option does not accept
    ├── OutOfSteps               the step budget is used up
    └── BadResult                what a script left behind can not be an answer
    Refusal                      inside the child only: the script called `refuse()`

What a script does wrong is never an exception for the caller: it is an `Outcome`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mobid_scripts.outcome import Code


class ScriptsError(Exception):
    """The engine can not answer."""


class SandboxUnavailable(ScriptsError):
    """The sandbox can not run a script now; nothing was decided."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The script sandbox is not available: {reason}.")


class RequestTooLarge(ScriptsError):
    """Source, attributes and defaults together are larger than a request may be."""

    def __init__(self, size: int, most: int) -> None:
        self.size = size
        super().__init__(
            f"The script and the attributes of the user take {size:,} bytes; the most is {most:,}."
        )


class ScriptFault(Exception):
    """A script did something wrong; the message is a clause without a full stop."""

    def __init__(self, clause: str, code: Code | None = None) -> None:
        self.clause = clause
        self.code = code
        super().__init__(clause)


class BadValue(ScriptFault):
    """A value that an option does not accept."""


class OutOfSteps(ScriptFault):
    """The script used up its step budget."""


class BadResult(ScriptFault):
    """What the script left behind holds too much, or something that is no plain value."""


class Refusal(Exception):
    """The script called `refuse()`."""

    def __init__(self, words: str) -> None:
        self.words = words
        super().__init__(words)
