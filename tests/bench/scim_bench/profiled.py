"""`mobid` as a program in which every thread that answers requests is profiled.

    python profiled.py STATISTICS --home HOME serve

What the threads of waitress did is in the file STATISTICS when the server has ended.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from mobid.cli import main

if TYPE_CHECKING:
    from types import FrameType

HANDLERS = "waitress-"


def profile_handlers(profiles: list[cProfile.Profile]) -> None:
    """Have every thread of waitress that starts from now on be profiled."""

    def begin(_frame: FrameType, _event: str, _argument: Any) -> None:
        # A thread comes here once, at its first call: from then on its own profile takes over.
        sys.setprofile(None)
        if threading.current_thread().name.startswith(HANDLERS):
            # CPU time of the thread: what others do on the machine, and waiting, are no cost.
            profile = cProfile.Profile(time.thread_time)
            profiles.append(profile)
            profile.enable()

    threading.setprofile(begin)


def write(profiles: list[cProfile.Profile], path: str) -> None:
    """Write what all of them have seen."""
    first, *others = profiles
    statistics = pstats.Stats(first)
    for one in others:
        statistics.add(one)
    statistics.dump_stats(path)


if __name__ == "__main__":
    seen: list[cProfile.Profile] = []
    profile_handlers(seen)
    try:
        main(sys.argv[2:])
    finally:
        write(seen, sys.argv[1])
