"""One connection, over which bytes go as they are; the answers are read as HTTP has them."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, Final

from .world import parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as it goes over the line, and what is known of it."""

    kind: str
    method: str
    endpoint: str
    raw: bytes
    query: tuple[tuple[str, str], ...] = ()
    touches: str | None = None
    """The resource whose version stays as it is if this is refused."""
    is_framed: bool = True
    """Whether it is HTTP at all; what is not, the server may refuse in its own way, or not answer."""
    ends: bool = False
    """Whether nothing comes after it on its connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    said: dict[str, Any] = field(default_factory=dict)

    def header(self, name: str) -> str:
        """Return a header, or an empty text."""
        return self.headers.get(name.lower(), "")


class Line:
    """A connection to a server, made anew when it was closed."""

    def __init__(self, host: str, port: int) -> None:
        self._address: Final = (host, port)
        self._socket: socket.socket | None = None

    def ask(self, sent: Sent) -> Answer | None:
        """Send a request and return the answer; none if the server has closed the connection instead."""
        began = time.monotonic()
        fresh = self._socket is None
        found = self._try(sent)
        if found is None and not fresh and sent.is_framed:
            # The server may have closed a connection that was idle; a new one is not.
            found = self._try(sent)
        if found is None:
            return None
        response, body = found
        headers = {name.lower(): value for name, value in response.getheaders()}
        if headers.get("connection", "").lower() == "close" or sent.ends:
            self.close()
        return Answer(response.status, headers, body, time.monotonic() - began, parsed(body))

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _try(self, sent: Sent) -> tuple[HTTPResponse, bytes] | None:
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._address, PATIENCE)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(BrokenPipeError, ConnectionResetError):
                # A server that has seen enough answers before it has read everything.
                self._socket.sendall(sent.raw)
            with suppress(OSError):
                # The server may have hung up meanwhile.
                if sent.ends:
                    self._socket.shutdown(socket.SHUT_WR)
            response = HTTPResponse(self._socket, method=sent.method)
            response.begin()
            return response, response.read()
        except (HTTPException, ConnectionError):
            self.close()
            return None
