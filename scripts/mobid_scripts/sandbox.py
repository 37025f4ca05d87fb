"""The sandbox that a product uses: check a script, run it for a user, get an outcome, whatever it does."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from mobid_scripts import source as source_text
from mobid_scripts import wire
from mobid_scripts.answer import NotAnAnswer, checked_of, outcome_of
from mobid_scripts.client import ForkServer
from mobid_scripts.development import DevelopmentServer
from mobid_scripts.errors import RequestTooLarge, SandboxUnavailable
from mobid_scripts.kinds import tidy
from mobid_scripts.limits import LAYERS, Limits
from mobid_scripts.outcome import Checked, Code, Diagnostic, Outcome, Verdict, Walls
from mobid_scripts.wording import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from mobid_scripts.declaration import Declaration

_MOST_WHY: Final = 200
_OUT_OF_TIME: Final = frozenset({-signal.SIGPROF, -signal.SIGXCPU, -signal.SIGKILL})


class Sandbox:
    """One per process, thread-safe. Its fork server starts with the first script, and again if it died."""

    def __init__(self, declaration: Declaration, limits: Limits | None = None) -> None:
        self._declaration = declaration
        self._limits = limits or Limits()
        self._turns = threading.BoundedSemaphore(self._limits.concurrent)
        self._lock = threading.Lock()
        self._server: ForkServer | DevelopmentServer | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def server_pid(self) -> int | None:
        """The process id of the fork server, if one runs."""
        server = self._server
        return server.pid if server is not None and server.alive else None

    def check(self, source: str) -> Checked:
        """Compile a script and return all that is wrong with it. Raises SandboxUnavailable."""
        started = time.monotonic()
        if stop := _barred(source):
            return Checked(diagnostics=(stop,), ms=_ms(started))
        reply = self._exchange({"only_check": True, "source": source})
        try:
            checked = checked_of(_answer(reply), source)
        except NotAnAnswer as wrong:
            checked = Checked(diagnostics=self._ended(reply, wrong).diagnostics)
        return replace(checked, layers=_layers(reply), ms=_ms(started))

    def run(
        self,
        source: str,
        user: Mapping[str, object],
        *,
        defaults: Mapping[str, object],
        now: datetime,
    ) -> Outcome:
        """Run a script for a user at a moment; `defaults` has every option, in plain form.

        Raises SandboxUnavailable if nothing can run now, RequestTooLarge for too many attributes, and
        ValueError if the caller does not keep to its own declaration. Nothing that a script does raises.
        """
        started = time.monotonic()
        self._keeps_to_declaration(user, defaults)
        if now.tzinfo is None:
            raise ValueError(f"The moment of a run, {now}, has no time zone.")
        if stop := _barred(source):
            rejected = Verdict.REJECTED_AT_UPLOAD
            return Outcome(outcome=rejected, diagnostics=(stop,), ms=_ms(started))
        request = {"only_check": False, "source": source, "user": user, "defaults": defaults}
        reply = self._exchange({**request, "now": now.isoformat()})
        try:
            outcome = outcome_of(_answer(reply), self._declaration, now, source)
        except NotAnAnswer as wrong:
            outcome = self._ended(reply, wrong)
        return replace(outcome, layers=_layers(reply), ms=_ms(started))

    def survey(self) -> Walls:
        """Return which layers stand on this machine and why others do not. Raises SandboxUnavailable."""
        reply = self._asked({"only_check": True, "source": ""})
        return Walls(layers=_layers(reply), missing=_missing(reply))

    def close(self) -> None:
        """End the fork server; a closed sandbox runs nothing any more."""
        with self._lock:
            self._closed = True
            if self._server is not None:
                self._server.close()
                self._server = None

    def _keeps_to_declaration(
        self, user: Mapping[str, object], defaults: Mapping[str, object]
    ) -> None:
        if unknown := sorted(set(user) - set(self._declaration.attributes)):
            raise ValueError(f"The attributes {', '.join(unknown)} are not declared.")
        if wrong := sorted(set(defaults) ^ set(self._declaration.option_names)):
            raise ValueError(f"The defaults do not match the declared options: {', '.join(wrong)}.")

    def _exchange(self, request: Mapping[str, Any]) -> wire.Reply:
        reply = self._asked(request)
        if reply.ending is not None and reply.ending.status == wire.LAYER_MISSING:
            missing = self._limits.required.difference(_layers(reply))
            told = [f"{one} ({why})" for one, why in _missing(reply).items() if one in missing]
            raise SandboxUnavailable(
                f"this machine does not have the demanded layer {' and '.join(told)}"
            )
        return reply

    def _asked(self, request: Mapping[str, Any]) -> wire.Reply:
        """Let a child work on a request; what it answers is not judged yet."""
        data = json.dumps(request).encode()
        if len(data) > wire.MOST_REQUEST:
            raise RequestTooLarge(len(data), wire.MOST_REQUEST)
        with self._turn(), _descriptors():
            server = self._running()
            try:
                reply = server.exchange(data)
            except SandboxUnavailable:
                self._forget(server)
                raise
        if reply.ending is None:
            self._forget(server)
            raise SandboxUnavailable("its fork server died during the run")
        if reply.ending.status == wire.NO_PROCESS:
            raise SandboxUnavailable(wire.NO_MORE_PROCESSES)
        return reply

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._limits.wait_seconds):
            raise SandboxUnavailable(f"{self._limits.concurrent} scripts are running already")
        try:
            yield
        finally:
            self._turns.release()

    def _running(self) -> ForkServer | DevelopmentServer:
        with self._lock:
            if self._closed:
                raise SandboxUnavailable("it is closed")
            if self._server is not None and not self._server.alive:
                self._server.close()
                self._server = None
            if self._server is None:
                self._server = self._started()
            return self._server

    def _started(self) -> ForkServer | DevelopmentServer:
        if sys.platform == "linux":
            return ForkServer(self._declaration, self._limits)
        if self._limits.development:
            return DevelopmentServer(self._declaration, self._limits)
        raise SandboxUnavailable(
            f"it needs Linux, this is {sys.platform}; to try scripts here, switch development mode on"
        )

    def _forget(self, server: ForkServer | DevelopmentServer) -> None:
        """End a server that did not answer, so that the next run starts a new one."""
        with self._lock:
            if self._server is server:
                self._server = None
                server.close()

    def _ended(self, reply: wire.Reply, wrong: NotAnAnswer) -> Outcome:
        """Say how a child ended that left no answer."""
        ending = reply.ending
        if ending is not None and ending.status in (wire.ANSWERED, wire.FLOODED):
            clause = f"The answer of the script can not be read: {wrong.reason}"
            return _stopped(Verdict.INVALID_RESULT, Code.BAD_ANSWER, clause)
        return _stopped(Verdict.KILLED_BY_LIMIT, *self._why(ending))

    def _why(self, ending: wire.Ending | None) -> tuple[Code, str]:
        status = ending.status if ending is not None else 0
        if ending is not None and ending.timed_out:
            return (
                Code.TIME,
                f"The script ran longer than {self._limits.wall_seconds:g} s and was stopped",
            )
        if status in _OUT_OF_TIME:
            used = f"The script used more than {self._limits.cpu_seconds:g} s of processor time"
            return Code.TIME, f"{used} and was stopped"
        if status == wire.OUT_OF_MEMORY:
            return Code.MEMORY, "The script uses too much memory"
        if status == wire.TOO_LARGE:
            return Code.OUTPUT, "The script leaves too much behind"
        if status == -signal.SIGSYS:
            return (
                Code.VIOLATION,
                "The script broke out of the language and was stopped by the system",
            )
        return (
            Code.CRASH,
            f"The interpreter of the script ended without an answer (status {status})",
        )


@contextmanager
def _descriptors() -> Iterator[None]:
    """Say so where this process can open nothing more; the fork server is not to blame and goes on."""
    try:
        yield
    except OSError as error:
        raise SandboxUnavailable(
            f"this process can open nothing more ({error.strerror})"
        ) from error


def _barred(source: str) -> Diagnostic | None:
    """Return why a text is not even handed to a child."""
    if (stop := source_text.barrier(source)) is None:
        return None
    line = getattr(stop.node, "lineno", None)
    return Diagnostic(code=stop.code, message=sentence(stop.clause, line), line=line)


def _answer(reply: wire.Reply) -> bytes:
    if reply.ending is not None and reply.ending.status == wire.FLOODED:
        raise NotAnAnswer("it is too long")
    if reply.answer is None or reply.ending is None or reply.ending.status != wire.ANSWERED:
        raise NotAnAnswer("there is none")
    return reply.answer


def _layers(reply: wire.Reply) -> tuple[str, ...]:
    """The child tells its layers before it has seen the script, so this much of it is no stranger's word."""
    told = _told(reply).get("layers")
    return tuple(layer for layer in LAYERS if isinstance(told, list) and layer in told)


def _missing(reply: wire.Reply) -> dict[str, str]:
    told = _told(reply).get("missing")
    why = told if isinstance(told, dict) else {}
    here = _layers(reply)
    return {
        layer: tidy(str(why.get(layer, "nothing is known of it")))[:_MOST_WHY]
        for layer in LAYERS
        if layer not in here
    }


def _told(reply: wire.Reply) -> dict[str, object]:
    try:
        told = json.loads(reply.layers or b"{}")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _stopped(verdict: Verdict, code: Code, clause: str) -> Outcome:
    return Outcome(
        outcome=verdict, diagnostics=(Diagnostic(code=code, message=sentence(clause, None)),)
    )


def _ms(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 3)
