"""How the work of a row maps to its columns, and when a saved row is nudged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case

from mobid.domain.work import Work

if TYPE_CHECKING:
    from sqlalchemy import Row, Table


def work_of(row: Row[Any]) -> Work:
    """Return the work of a row."""
    return Work(
        wanted=row.work_wanted,
        attempt=row.work_attempt,
        nudged_at=row.nudged_at,
        wanted_since=row.wanted_since,
        error=row.work_error,
        dead=row.work_dead,
    )


def new_work(work: Work) -> dict[str, Any]:
    """Return the columns for the work of a new row; `work_claimed` belongs to the effects alone."""
    return _decided(work) | {"work_attempt": work.attempt, "nudged_at": work.nudged_at}


def changed_work(table: Table, work: Work, *, read: int) -> dict[str, Any]:
    """Return the columns for the work of a row that this unit knows at attempt `read`.

    Jobs move attempts on meanwhile, without locking the user. So an attempt that this unit did not
    raise is left alone, and one that it raised comes after whatever is stored: it is fresh, and
    nobody has claimed it.
    """
    if work.attempt <= read:
        return _decided(work)
    stored = table.c.work_attempt
    fresh = case((stored < work.attempt, work.attempt), else_=stored + 1)
    return _decided(work) | {"work_attempt": fresh, "nudged_at": work.nudged_at}


def _decided(work: Work) -> dict[str, Any]:
    return {
        "work_wanted": work.wanted,
        "wanted_since": work.wanted_since,
        "work_error": work.error,
        "work_dead": work.dead,
    }


class Nudges:
    """The rows that this unit of work wants worked on, each at its newest attempt."""

    def __init__(self) -> None:
        self._attempts: dict[tuple[str, str], int | None] = {}

    def saved(self, kind: str, row_id: str, work: Work, *, read: int, stored: int) -> None:
        """Note a saved row: its work, the attempt it had in this unit before, and the stored one."""
        if not work.wanted:
            self._attempts[kind, row_id] = None
        elif work.attempt > read:
            self._attempts[kind, row_id] = stored

    def take_over(self, later: Nudges) -> None:
        """Add what a part of the unit came to want, or wants no more."""
        self._attempts |= later._attempts

    def all(self) -> list[tuple[str, str, int]]:
        """Return them as kind, id and attempt, in the order in which they were first spoken of."""
        return [
            (kind, row_id, attempt)
            for (kind, row_id), attempt in self._attempts.items()
            if attempt is not None
        ]
