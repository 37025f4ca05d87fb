"""What was found for a setting, and where: in `mobid.toml`, in a variable, or in a file of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from mobid.config.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mobid.config.schema import Setting

ABSENT: Final = "absent"

_MOST_SHOWN: Final = 80


class Origin(StrEnum):
    """The kinds of places that a value comes from."""

    DEFAULT = "default"
    FILE = "file"
    """`mobid.toml`."""
    VARIABLE = "variable"
    OWN_FILE = "secret file"
    """A file that `mobid.toml` or a variable names."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value for a setting, as it was found, and where."""

    setting: Setting
    value: object
    source: str
    """Where somebody would mend it: `mobid.toml`, or the name of the variable."""
    origin: Origin

    def fault(self) -> Fault:
        """Say that the value is not accepted, and what would be; a secret is not shown."""
        shown = "its value" if self.setting.secret else _shown(self.value)
        problem = f"{shown} is not accepted; what is: {self.setting.accepts.words}."
        return Fault(self.setting.name, self.source, problem)


def unknown(name: str, source: str, known: Iterable[str]) -> Fault:
    """Say that there is no such setting, and which was probably meant."""
    close = get_close_matches(name, known, n=1)
    meant = f'; did you mean "{close[0]}"?' if close else "."
    return Fault(name, source, f"there is no such setting{meant}")


def _shown(value: object) -> str:
    """Show a scalar as an operator wrote it, and of anything else only that it is no scalar."""
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)[:_MOST_SHOWN]
    return "a list or a table" if isinstance(value, list | dict) else str(value)
