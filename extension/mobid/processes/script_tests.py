"""Stored tests: what a version of a script promises of one user, and whether it keeps its word."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.processes.ports import Evaluation

MOST_TESTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptTest:
    """A user, and what becomes of them: options, a refusal, or an error.

    It is stored with the version, and run again by every activation. `user` has the attributes as
    scripts read them; `expect` only the options that the test is about, in plain form; `refused` and
    `error` a part of the words, or nothing for any words.
    """

    name: str
    user: Mapping[str, object] = field(default_factory=dict)
    at: datetime | None = None
    """The moment of the run, for scripts with `until()`; without it, the test runs as of now."""
    expect: Mapping[str, object] | None = None
    refused: str | None = None
    error: str | None = None

    def plain(self) -> dict[str, object]:
        """Return it as JSON has it, without what it does not say."""
        said = {
            "at": self.at and self.at.isoformat(),
            "expect": None if self.expect is None else dict(self.expect),
            "refused": self.refused,
            "error": self.error,
        }
        found = {name: value for name, value in said.items() if value is not None}
        return {"name": self.name, "user": dict(self.user), **found}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `plain` wrote."""
        at = plain.get("at")
        return cls(**{**plain, "at": datetime.fromisoformat(at) if at else None})


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptTestResult:
    """What became of a test: it passed, or why not, one line per difference."""

    name: str
    problems: tuple[str, ...] = ()
    violation: Evaluation | None = None
    """How the run ended, if the script got out of its language in it."""

    @property
    def passed(self) -> bool:
        """Whether the script keeps its word."""
        return not self.problems
