"""The interpreter of one run in development mode: it takes what limits the system has, and answers."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

from mobid_scripts import execution, wire
from mobid_scripts.declaration import Declaration
from mobid_scripts.limits import LAYERS

if TYPE_CHECKING:
    from collections.abc import Mapping


def main() -> None:
    """Be the interpreter of one run: read it, take what limits there are, answer."""
    out = os.dup(1)
    setup = json.loads(wire.read_frame(0, wire.MOST_REQUEST))
    request = json.loads(wire.read_frame(0, wire.MOST_REQUEST))
    declaration = Declaration.from_json(setup["declaration"])
    wire.write_all(
        out, wire.framed(json.dumps(_standing(limited=_limited(setup["limits"]))).encode())
    )
    try:
        answer = execution.answer(request, declaration)
    except MemoryError:
        os._exit(wire.OUT_OF_MEMORY)
    data = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    if len(data) > wire.MOST_ANSWER:
        os._exit(wire.TOO_LARGE)
    wire.write_all(out, wire.framed(data))
    os._exit(wire.ANSWERED)


def _limited(limits: Mapping[str, Any]) -> bool:
    """Limit processor time as this system can; memory is not counted everywhere."""
    if not hasattr(signal, "setitimer"):
        return False
    signal.setitimer(signal.ITIMER_PROF, limits["cpu_seconds"])
    return True


def _standing(*, limited: bool) -> dict[str, Any]:
    why = dict.fromkeys(LAYERS, "development mode has no walls")
    return {"layers": [], "missing": {**why, "rlimits": "processor time only"} if limited else why}


if __name__ == "__main__":
    main()
