"""Checks of what waits: work that nobody will do, and revocations that take too long."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mobid.app.doctor.finding import failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mobid.app.doctor.finding import Finding
    from mobid.jobs import WantedWork

LATE: Final = timedelta(minutes=15)
"""With a worker at work and everybody answering, nothing waits so long."""
OVERDUE: Final = timedelta(hours=1)
_NAMED: Final = 3


def work(waiting: Sequence[WantedWork], overdue: Sequence[str]) -> Iterator[Finding]:
    """Judge what waits, and the certificates whose revocation the CA has not confirmed in time."""
    dead = [f"{one.kind} {one.id}" for one in waiting if one.dead]
    if dead:
        remedy = "Read why with mobid effects list; then mobid effects requeue."
        yield failed("dead letters", _counted(dead), remedy)
    else:
        yield ok("dead letters", "none")
    if overdue:
        remedy = "See that the CA answers: mobid ca show. Until it confirms, they may be believed."
        yield failed("revocations", f"{_counted(overdue)} for more than an hour", remedy)
    else:
        yield ok("revocations", "none is overdue")
    late = [one for one in waiting if not one.dead and one.age > LATE]
    if late:
        longest = max(one.age for one in late) // timedelta(minutes=1)
        seen = f"{len(late)} waiting, the longest for {longest} min"
        yield warning("effects", seen, "See that a server or a worker runs: mobid effects list.")


def _counted(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)}: {', '.join(names[:_NAMED])}{more}"
