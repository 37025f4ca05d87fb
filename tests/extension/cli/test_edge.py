"""What the server takes for a request: raw bytes over a socket, and what is answered."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from waitress.wasyncore import close_all

from mobid.cli.edge import LARGEST_HEAD, MOST_HEADERS, open_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SECRET = b"mobid_scim_c2VjcmV0"
GOOD = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Tell what arrived."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    came_from = environ.get("HTTP_X_FORWARDED_FOR", "nobody")
    return [f"{environ['REQUEST_METHOD']} {len(body)} from {came_from}".encode()]


@contextmanager
def serving(**how: Any) -> Iterator[socket.socket]:
    """Serve on a free port, and return a connection to it."""
    listener = socket.create_server(("127.0.0.1", 0))
    channels: dict[int, Any] = {}
    server = open_server(app, channels, sockets=[listener], **how)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        with socket.create_connection(listener.getsockname(), timeout=10) as client:
            yield client
    finally:
        server.close()
        server.task_dispatcher.shutdown()
        close_all(channels)
        thread.join(10)


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """A server that runs for all tests of this module."""
    with serving() as client:
        yield client.getpeername()


def heard(client: socket.socket) -> bytes:
    """Return everything until the server ends the connection."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def told(address: tuple[str, int], request: bytes) -> bytes:
    """Send bytes, and return all that is answered until the server ends the connection."""
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(request)
        return heard(client)


def head(*lines: bytes, first: bytes = b"POST /a HTTP/1.1") -> bytes:
    """Return the head of a request."""
    return b"\r\n".join((first, *lines, b"", b""))


CHUNKS = b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nX-A: 1\r\n\r\n"
HOST = b"Host: h"
REFUSED = {
    "length and transfer encoding": head(HOST, b"Content-Length: 5", b"Transfer-Encoding: chunked")
    + b"0\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "the other way round": head(HOST, b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n",
    "transfer encoding in HTTP/1.0": head(b"Transfer-Encoding: chunked", first=b"POST /a HTTP/1.0"),
    "another transfer encoding": head(HOST, b"Transfer-Encoding: gzip, chunked"),
    "chunked twice": head(HOST, b"Transfer-Encoding: chunked, chunked"),
    "two transfer encodings": head(HOST, b"Transfer-Encoding: chunked", b"transfer-encoding: x"),
    "transfer encoding after a vertical tab": head(HOST, b"Transfer-Encoding: \x0bchunked"),
    "a folded line": head(HOST, b"X-A: 1", b" Transfer-Encoding: chunked"),
    "a line folded by a tab": head(HOST, b"X-A: 1", b"\tb"),
    "two lengths": head(HOST, b"Content-Length: 5", b"Content-Length: 5") + b"hello",
    "two lengths in one": head(HOST, b"Content-Length: 5, 5") + b"hello",
    "a signed length": head(HOST, b"Content-Length: +5") + b"hello",
    "a length of 5,000 digits": head(HOST, b"Content-Length: " + b"9" * 5000),
    "two hosts": head(HOST, b"host: evil"),
    "no host": head(b"X-A: 1"),
    "two authorizations": head(HOST, b"Authorization: a", b"Authorization: Bearer " + SECRET),
    "a bare line feed": b"GET /a HTTP/1.1\r\nHost: h\nX-Secret: " + SECRET + b"\r\n\r\n",
    "a bare line feed in the request line": b"GET /a\n HTTP/1.1\r\nHost: h\r\n\r\n",
    "a bare carriage return": head(HOST, b"X-A: a\rb"),
    "NUL in a header": head(HOST, b"X-A: a\x00b"),
    "NUL in the request line": head(HOST, first=b"GET /\x00 HTTP/1.1"),
    "a space before the colon": head(HOST, b"Content-Length : 5"),
    "a header without a name": head(HOST, b": x"),
    "a line that is no header": head(HOST, SECRET),
    "too many headers": head(HOST, *[b"X-A: 1"] * MOST_HEADERS),
    "no version": head(HOST, first=b"GET /a"),
    "another version": head(HOST, first=b"GET /a HTTP/2.0"),
    "a method in small letters": head(HOST, first=b"get /a HTTP/1.1"),
    "an address that is none": head(HOST, first=b"GET http://[/ HTTP/1.1"),
    "a chunk of no size": head(HOST, b"Transfer-Encoding: chunked") + b"x\r\n",
    "a chunk that is too short": head(HOST, b"Transfer-Encoding: chunked") + b"3\r\nabcd\r\n0\r\n\r\n",
    "an endless chunk line": head(HOST, b"Transfer-Encoding: chunked") + b"1" * 300,
    "an endless trailer": head(HOST, b"Transfer-Encoding: chunked") + b"0\r\nX-A: " + b"1" * 5000,
}  # fmt: skip


class TestWhatCouldBeReadInTwoWays:
    """Is answered 400, once, and then the connection ends."""

    @pytest.mark.parametrize("request_", REFUSED.values(), ids=REFUSED)
    def test_is_refused(self, address: tuple[str, int], request_: bytes) -> None:
        """Nothing behind it is read as another request, and nothing of it is repeated."""
        answer = told(address, request_)
        assert re.match(rb"HTTP/1\.[01] 400 Bad Request\r\n", answer), answer
        assert answer.count(b"HTTP/1.") == 1
        assert b"Connection: close" in answer
        assert b"not well formed (RFC 9112)" in answer
        assert SECRET not in answer
        assert b"waitress" not in answer.lower()

    def test_is_read_no_further_than_it_needs(self, address: tuple[str, int]) -> None:
        """A head that does not end is refused when it is too long; a body, before it is sent."""
        endless = b"GET /a HTTP/1.1\r\nHost: h\r\nX-A: ".ljust(LARGEST_HEAD, b"a")
        assert told(address, endless).startswith(b"HTTP/1.0 431 ")
        large = head(HOST, b"Content-Length: 99999999")
        assert told(address, large).startswith(b"HTTP/1.1 413 ")


class TestWhatIsWellFormed:
    """Is served."""

    @pytest.mark.parametrize(
        ("request_", "answer"),
        [
            (GOOD, b"POST 5 from nobody"),
            (head(HOST, b"Transfer-Encoding: Chunked") + CHUNKS, b"POST 5"),
            (head(HOST, *[b"X-A: 1"] * (MOST_HEADERS - 1), first=b"GET /a HTTP/1.1"), b"GET 0"),
            (b"GET /a HTTP/1.0\r\n\r\n", b"GET 0"),
            (head(HOST, first=b"GET /a?" + b"%28" * 8192 + b" HTTP/1.1"), b"GET 0"),
            (head(b"Host: h", first=b"GET http://h/a HTTP/1.1"), b"GET 0"),
        ],
        ids=["length", "chunks", "many headers", "1.0", "a long filter", "whole address"],
    )  # fmt: skip
    def test_is_answered(self, address: tuple[str, int], request_: bytes, answer: bytes) -> None:
        """With its whole body; the connection can be used again."""
        assert answer in told(
            address, request_ + b"GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )

    def test_in_small_pieces(self, address: tuple[str, int]) -> None:
        """However the network cuts it."""
        with socket.create_connection(address, timeout=10) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in GOOD.replace(b"Host: h", b"Host: h\r\nConnection: close"):
                client.sendall(bytes([byte]))
            assert heard(client).endswith(b"POST 5 from nobody")


class TestWhoIsSlow:
    """Gets so much time for a whole request, and no more for sending it byte by byte."""

    def test_is_not_waited_for(self) -> None:
        """A byte now and then does not keep a connection."""
        with serving(patience=1) as client:
            began = time.monotonic()
            for byte in GOOD[:-1]:
                try:
                    client.sendall(bytes([byte]))
                    client.settimeout(0.1)
                    if not client.recv(1):
                        break
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
            took = time.monotonic() - began
        assert 1 <= took < 4


class TestProxies:
    """Add whom they got a request from."""

    @pytest.mark.parametrize(("behind", "seen"), [(True, b"192.0.2.1"), (False, b"nobody")])
    def test_are_believed_if_they_are_ours(self, *, behind: bool, seen: bytes) -> None:
        """What anybody could have said is not even passed on."""
        with serving(behind_proxies=behind) as client:
            client.sendall(
                head(
                    HOST,
                    b"X-Forwarded-For: 192.0.2.1",
                    b"Connection: close",
                    first=b"GET / HTTP/1.1",
                )
            )
            assert heard(client).endswith(b"GET 0 from " + seen)
