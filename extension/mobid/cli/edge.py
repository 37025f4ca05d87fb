"""The edge: which bytes waitress takes for a request, and for how long it waits for them.

Waitress 3.0.2 takes some messages that another server on the way could read as other ones (request
smuggling, RFC 9112, 11.2): Content-Length with Transfer-Encoding, folded lines, several Hosts. Here
they are answered 400, and the connection ends. What a request says in its body is for the surfaces.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import override
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.receiver import ChunkedReceiver
from waitress.server import BaseWSGIServer, create_server
from waitress.utilities import BadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from waitress.server import MultiSocketServer

THREADS: Final = 8
LARGEST_HEAD: Final = 40 * 1024
"""Request line and headers. A filter of 8,192 characters, percent-encoded, has 24 KiB."""
MOST_HEADERS: Final = 64
LARGEST_BODY: Final = 8 * 1024 * 1024
"""What is read at all, to a file in the end; every surface has a smaller limit of its own, and says so."""
MOST_CONNECTIONS: Final = 500
PATIENCE: Final = 30
"""Seconds within which a request must be here as a whole, and after which an idle connection ends."""
LOOK_EVERY: Final = 5
"""Seconds between two looks at who has used up that patience."""

_ONCE: Final = (b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization")
_LENGTHS: Final = {
    b"transfer-encoding": re.compile(rb"[ \t]*chunked[ \t]*", re.IGNORECASE),
    b"content-length": re.compile(rb"[ \t]*[0-9]{1,10}[ \t]*"),
}
_LONGEST_CHUNK_LINE: Final = 256
_LARGEST_TRAILER: Final = 4096
_NOT_WELL_FORMED: Final = "The request is not well formed (RFC 9112)."
_REQUEST_LINE: Final = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.[01]")


def open_server(
    app: WSGIApplication,
    channels: dict[int, Any],
    *,
    behind_proxies: bool = False,
    patience: int = PATIENCE,
    **where: Any,
) -> MultiSocketServer | BaseWSGIServer:
    """Return a server that listens at `host` and `port`, or on `sockets`; raise `OSError`.

    X-Forwarded-For reaches the app only behind proxies of ours, which add to it.
    """
    server = create_server(
        app,
        channels,
        **where,
        threads=THREADS,
        ident=None,
        max_request_header_size=LARGEST_HEAD,
        max_request_body_size=LARGEST_BODY,
        connection_limit=MOST_CONNECTIONS,
        asyncore_use_poll=True,
        channel_timeout=patience,
        cleanup_interval=min(patience, LOOK_EVERY),
        clear_untrusted_proxy_headers=not behind_proxies,
    )
    for one in channels.values():
        if isinstance(one, BaseWSGIServer):
            one.channel_class = Channel
    return server


class Parser(HTTPRequestParser):
    """Reads one request, and nothing that could be read in two ways."""

    @override
    def received(self, data: bytes) -> int:
        """Take bytes in; a fault is told in our words, which repeat nothing of the request."""
        consumed = super().received(data)
        if type(self.error) is BadRequest:
            self.error = BadRequest(_NOT_WELL_FORMED)
        return consumed

    @override
    def parse_header(self, header_plus: bytes) -> None:
        """Check the head, then let waitress read it; raise `ParsingError`."""
        try:
            _check(header_plus)
            super().parse_header(header_plus)
        except ValueError:  # waitress expects none, as for the address "http://[/"
            raise ParsingError(_NOT_WELL_FORMED) from None
        if isinstance(self.body_rcv, ChunkedReceiver):
            self.body_rcv = _Chunks(self.body_rcv.getbuf())


class Channel(HTTPChannel):
    """One connection. A request that is on its way does not get more time by each byte of it."""

    parser_class = Parser

    @override
    def handle_read(self) -> None:
        """Read; activity counts from the first byte of a request, not from the last."""
        request, since = self.request, self.last_activity
        super().handle_read()
        if request is not None and self.request is request:
            self.last_activity = since


class _Chunks(ChunkedReceiver):
    """A chunked body, of which only the data may be long."""

    @override
    def received(self, s: bytes) -> int:
        consumed = super().received(s)
        if len(self.control_line) > _LONGEST_CHUNK_LINE or len(self.trailer) > _LARGEST_TRAILER:
            self.error = BadRequest(_NOT_WELL_FORMED)
        return consumed


def _check(head: bytes) -> None:
    """Raise `ParsingError` for a head that RFC 9112 forbids, or that has too much in it."""
    request_line, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    fields = [(name.lower(), value) for name, _, value in (line.partition(b":") for line in lines)]
    seen = Counter(name for name, _ in fields)
    is_1_1 = request_line.endswith(b"1.1")
    faulty = (
        _REQUEST_LINE.fullmatch(request_line) is None
        or len(lines) > MOST_HEADERS
        or any(line.startswith((b" ", b"\t")) for line in lines)  # 5.2
        or any(seen[name] > 1 for name in _ONCE)
        or (is_1_1 and not seen[b"host"])  # 3.2
        or (seen[b"transfer-encoding"] and (seen[b"content-length"] or not is_1_1))  # 6.1
        or any(name in _LENGTHS and not _LENGTHS[name].fullmatch(value) for name, value in fields)
    )
    if faulty:
        raise ParsingError(_NOT_WELL_FORMED)
