"""How host, fork server and child talk: frames on a stream, and how the child ended.

For each run the host hands two sockets to the fork server. On the one, the stream, goes the request to the
child, and back from it the layers that stand and its answer. On the other, which the child never has, the
fork server says how the child ended: nothing that a child writes can stand in for that, or crowd it out.
Nothing is pickled.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Final

READY: Final = b"ready"
MOST_WORDS: Final = 1 << 12
"""What the fork server says once: that it is ready, or why it is not fit to serve."""
MOST_REQUEST: Final = 1 << 20
MOST_LAYERS: Final = 1 << 10
MOST_ANSWER: Final = 256 << 10
_LENGTH: Final = struct.Struct("!I")
_ENDING: Final = struct.Struct("!i?")
MOST_ENDING: Final = _ENDING.size
MOST_REPLY: Final = MOST_LAYERS + MOST_ANSWER + 2 * _LENGTH.size

# How the child ends on its own; any other status is a crash.
ANSWERED, OUT_OF_MEMORY, TOO_LARGE, LAYER_MISSING = 0, 71, 72, 73
CRASHED: Final = 1
NO_PROCESS: Final = 74
"""There was no child at all."""
FLOODED: Final = 75
"""It wrote more than our interpreter ever does, which counts before it writes; nobody read on."""
NO_MORE_PROCESSES: Final = (
    "the system lets it have no more processes; raise the limit, TasksMax or ulimit -u"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """The wait status of a child: an exit code, or minus the signal; and whether its time was up."""

    status: int
    timed_out: bool

    def packed(self) -> bytes:
        """Return the bytes that tell it."""
        return _ENDING.pack(self.status, self.timed_out)

    @classmethod
    def of(cls, told: bytes) -> Ending | None:
        """Read what `packed` wrote; None if the fork server ended before it had told it."""
        return cls(*_ENDING.unpack(told)) if len(told) == _ENDING.size else None


@dataclass(frozen=True, slots=True)
class Reply:
    """All that came back of one run; what is missing is None."""

    layers: bytes | None
    answer: bytes | None
    ending: Ending | None

    @classmethod
    def of(cls, data: bytes, ending: Ending | None) -> Reply:
        """Take apart what a child wrote, which may be anything."""
        layers, rest = _first_frame(data, MOST_LAYERS)
        answer, rest = _first_frame(rest, MOST_ANSWER)
        return cls(layers, None if rest else answer, ending)


FLOOD: Final = Reply(None, None, Ending(FLOODED, timed_out=False))


def framed(data: bytes) -> bytes:
    """Put the length before the data."""
    return _LENGTH.pack(len(data)) + data


def read_frame(descriptor: int, most: int) -> bytes:
    """Read one frame with nothing but read(2); raises EOFError if it is cut short or too large."""
    (length,) = _LENGTH.unpack(_read(descriptor, _LENGTH.size))
    if length > most:
        raise EOFError
    return _read(descriptor, length)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything with nothing but write(2)."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _read(descriptor: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(descriptor, size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _first_frame(data: bytes, most: int) -> tuple[bytes | None, bytes]:
    if len(data) < _LENGTH.size:
        return None, data
    (length,) = _LENGTH.unpack(data[: _LENGTH.size])
    end = _LENGTH.size + length
    if length > most or end > len(data):
        return None, data
    return data[_LENGTH.size : end], data[end:]
