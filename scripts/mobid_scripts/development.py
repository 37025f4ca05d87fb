"""For systems without our walls: a fresh interpreter for each run, to write and try scripts there.

It has the language, whatever resource limits there are, and an end by the clock, but no wall: a bypass of the
language has the rights of whoever started it. So it says so loudly, and a product must not use it where
anything is issued. On Linux it is never taken.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from mobid_scripts import wire
from mobid_scripts.errors import SandboxUnavailable

if TYPE_CHECKING:
    from mobid_scripts.declaration import Declaration
    from mobid_scripts.limits import Limits

_LOUD: Final = (
    "DEVELOPMENT MODE: this system (%s) has none of the walls around option scripts. A script that gets "
    "out of its language has all rights of this process. Never issue anything real from here."
)
_START_SECONDS: Final = 5.0
# What an interpreter needs to start at all on Windows.
_ENVIRONMENT: Final = ("SYSTEMROOT",)


class DevelopmentServer:
    """Stands in for a fork server. `exchange` may be called from any thread."""

    def __init__(self, declaration: Declaration, limits: Limits) -> None:
        logging.getLogger("mobid_scripts").critical(_LOUD, sys.platform)
        self.pid = os.getpid()
        self.alive = True
        self._limits = limits
        setup = {"declaration": declaration.to_json(), "limits": _plain(limits)}
        self._setup = wire.framed(json.dumps(setup).encode())

    def exchange(self, request: bytes) -> wire.Reply:
        """Run one request in an interpreter of its own, or raise SandboxUnavailable."""
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-W", "ignore", "-m", "mobid_scripts.fresh"],
                input=self._setup + wire.framed(request),
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self._limits.wall_seconds + _START_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return wire.Reply(None, None, wire.Ending(-signal.SIGTERM, timed_out=True))
        except OSError as error:
            raise SandboxUnavailable(f"its interpreter did not start: {error}") from error
        ending = wire.Ending(done.returncode, timed_out=False)
        flooded = len(done.stdout) > wire.MOST_REPLY
        return wire.FLOOD if flooded else wire.Reply.of(done.stdout, ending)

    def close(self) -> None:
        """Take no more."""
        self.alive = False


def _plain(limits: Limits) -> dict[str, object]:
    return {**asdict(limits), "required": sorted(limits.required)}
