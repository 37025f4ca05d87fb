"""What comes back from a script: the outcome of a run or a check, with its diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_DIAGNOSTICS: Final = 100
"""More faults than these are counted, not told."""


class Verdict(StrEnum):
    """How a run ended."""

    OK = "ok"
    REFUSED = "refused"
    REJECTED_AT_UPLOAD = "rejected_at_upload"
    FAILED_AT_RUN = "failed_at_run"
    KILLED_BY_LIMIT = "killed_by_limit"
    INVALID_RESULT = "invalid_result"


class Code(StrEnum):
    """What kind of fault a diagnostic tells of."""

    SOURCE = "source"
    SYNTAX = "syntax"
    NOT_IN_LANGUAGE = "not_in_language"
    UNKNOWN_NAME = "unknown_name"
    UNKNOWN_ATTRIBUTE = "unknown_attribute"
    UNKNOWN_OPTION = "unknown_option"
    READ_ONLY = "read_only"
    BAD_VALUE = "bad_value"
    RUN_ERROR = "run_error"
    STEPS = "steps"
    MEMORY = "memory"
    TIME = "time"
    OUTPUT = "output"
    CRASH = "crash"
    VIOLATION = "violation"
    BAD_ANSWER = "bad_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One fault of a script. Line and column count from 1; `caret` shows the place in the source."""

    code: Code
    message: str
    line: int | None = None
    column: int | None = None
    caret: str = ""

    def __str__(self) -> str:
        return f"{self.message}\n{self.caret}" if self.caret else self.message


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, and what it left behind.

    `options` is complete (defaults filled in) if, and only if, the verdict is `ok`; `refusal` holds the words
    of the script if it is `refused`. `layers` names the parts of the wall that stood around this run; `ms` is
    wall-clock time as the caller saw it; `steps` is what the run took of its budget, the same everywhere.
    """

    outcome: Verdict
    options: Mapping[str, object] | None = None
    refusal: str | None = None
    log: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    layers: tuple[str, ...] = ()
    ms: float = 0.0
    steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Walls:
    """Which layers stand around every run on this machine, and why the others do not."""

    layers: tuple[str, ...]
    missing: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check of a script found."""

    diagnostics: tuple[Diagnostic, ...] = ()
    layers: tuple[str, ...] = ()
    ms: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether the script may be stored."""
        return not self.diagnostics
