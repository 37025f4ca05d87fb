"""CPU time that processes have used, from the kernel's own clock of each: a busy machine does not blur it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

_SCHEDULER: Final = 2
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_CONNECTION: Final = "[local]"
"""What PostgreSQL writes into the title of a process that serves a socket of this machine."""


def of_process(pid: int) -> float:
    """Return the CPU seconds of all threads of a process, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | _SCHEDULER)


def of_database(postmaster: int, name: str) -> float:
    """Return the CPU seconds of a PostgreSQL for one database: its connections, and what serves them all.

    The time of processes that have ended is known to 10 ms.
    """
    total = 0.0
    for pid in _tree(postmaster):
        title = _title(pid)
        if _CONNECTION in title and f" {name} " not in title:
            continue
        try:
            total += of_process(pid) + _of_ended_children(pid)
        except OSError:
            continue  # It has ended since; its parent has its time.
    return total


def _tree(pid: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            parents[int(folder.name)] = int(fields[1])
    found, new = [pid], {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        found += new
    return found


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", errors="replace")
    except OSError:
        return ""


def _of_ended_children(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[13]) + int(fields[14])) / _TICKS if fields else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, beginning with the state; none if it ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
