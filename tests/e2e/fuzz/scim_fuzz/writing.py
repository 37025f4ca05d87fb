"""From what is there to the bytes on the line: right requests, spoiled, and written out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from . import bodies
from .line import Sent
from .mutations import MEDIA_TYPE, Draft, spoiled
from .world import ENDPOINTS, World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random
_DISCOVERY: Final = ("/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/ResourceTypes/User")
# A request line, and lines of headers without control characters.
_HEAD: Final = re.compile(
    rb"[A-Z]+ [\x21-\x7e]+ HTTP/1\.1(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*)*"
)
_ONCE: Final = (b"host", b"content-type", b"authorization")
_LARGEST_HEAD: Final = 40_000
_SELDOM: Final = 0.2
_CHUNKED: Final = 0.05
_NOT_HTTP: Final = (
    *(
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00",
        b"GET /scim/v2/Users",
    ),
    b"GET /scim/v2/Users HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /scim/v2/Users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST /scim/v2/Users HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /scim/v2/Users HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 300_000 + b"\r\n\r\n",
    b"GET http://[::1/scim/v2/Users HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET //scim/v2/Users HTTP/1.1\r\nHost: x\r\nBad Header: 1\r\n\r\n",
    b"GET /scim/v2/Users\x00 HTTP/1.1\r\nHost: x\r\nNoColon\r\n\r\n",
)


def next_request(rng: Random, world: World) -> Sent:
    """Return the next request."""
    make = rng.choices([one for one, _ in _MAKERS], [weight for _, weight in _MAKERS])[0]
    endpoint = rng.choices(ENDPOINTS, (6, 3, 2))[0]
    return _sent(rng, world, spoiled(rng, make(rng, world, endpoint)))


def _search(rng: Random, world: World, endpoint: str) -> Draft:
    query = bodies.parameters(rng, world, endpoint)
    return Draft(kind="search", method="GET", path=endpoint, endpoint=endpoint, query=query)


def _sent_search(rng: Random, world: World, endpoint: str) -> Draft:
    body = bodies.search(rng, world, endpoint)
    path = f"{rng.choice((endpoint, endpoint, ''))}/.search"
    return Draft(kind="sent search", method="POST", path=path, endpoint=endpoint, body=body)


def _root_search(rng: Random, world: World, endpoint: str) -> Draft:
    query = bodies.parameters(rng, world, endpoint)
    return Draft(kind="root search", method="GET", path="/", endpoint="/", query=query)


def _create(rng: Random, world: World, endpoint: str) -> Draft:
    body = bodies.resource(rng, world, endpoint)
    return Draft(kind="create", method="POST", path=endpoint, endpoint=endpoint, body=body)


def _bulk(rng: Random, world: World, _: str) -> Draft:
    body = bodies.bulk(rng, world)
    return Draft(kind="bulk", method="POST", path="/Bulk", endpoint="/Bulk", body=body)


def _discovery(rng: Random, _: World, __: str) -> Draft:
    return Draft(kind="discovery", method="GET", path=rng.choice(_DISCOVERY), endpoint="")


def _me(rng: Random, _: World, __: str) -> Draft:
    method = rng.choice(("GET", "PUT", "PATCH", "DELETE", "POST"))
    return Draft(kind="me", method=method, path="/Me", endpoint="/Me", body={})


def _put(rng: Random, world: World, endpoint: str) -> Draft:
    return _of_one(rng, world, endpoint, "PUT", bodies.resource(rng, world, endpoint))


def _patch(rng: Random, world: World, endpoint: str) -> Draft:
    return _of_one(rng, world, endpoint, "PATCH", bodies.patch(rng, world, endpoint))


def _get(rng: Random, world: World, endpoint: str) -> Draft:
    return _of_one(rng, world, endpoint, "GET", None)


def _delete(rng: Random, world: World, endpoint: str) -> Draft:
    return _of_one(rng, world, endpoint, "DELETE", None)


def _of_one(rng: Random, world: World, endpoint: str, method: str, body: object) -> Draft:
    """Ask for something about one resource, now and then under the condition of a version."""
    path = f"{endpoint}/{world.an_id(rng, endpoint)}"
    headers: tuple[tuple[str, str], ...] = ()
    if rng.random() < _SELDOM and (tag := world.tags.get(path)):
        headers = (("If-Match" if method != "GET" else "If-None-Match", tag),)
    return Draft(
        kind=method.lower(),
        method=method,
        path=path,
        endpoint=endpoint,
        body=body,
        headers=headers,
        touches=path,
    )


_MAKERS: Final[tuple[tuple[Callable[[Random, World, str], Draft], int], ...]] = (
    *((_search, 26), (_sent_search, 8), (_patch, 24), (_put, 12), (_create, 8), (_get, 5)),
    *((_bulk, 10), (_delete, 2), (_root_search, 3), (_discovery, 1), (_me, 1)),
)


def _sent(rng: Random, world: World, draft: Draft) -> Sent:
    raw = _written(rng, world, draft) if draft.is_framed else rng.choice(_NOT_HTTP)
    return Sent(
        kind=draft.kind,
        method=draft.method if draft.is_framed else "GET",
        endpoint=draft.endpoint if _below_prefix(raw) else "elsewhere",
        raw=raw,
        query=draft.query,
        touches=draft.touches,
        is_framed=draft.is_framed and _is_http(raw),
        ends=not draft.is_framed,
    )


def _is_http(raw: bytes) -> bool:
    """Tell whether a server has to read it: RFC 9112, nothing twice, and no larger head than it takes."""
    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    twice = any(names.count(one) > 1 for one in _ONCE)
    return len(head) < _LARGEST_HEAD and not twice and _HEAD.fullmatch(head) is not None


def _below_prefix(raw: bytes) -> bool:
    return re.match(rb"[^ ]+ /scim/v2[/? ]", raw) is not None


def _written(rng: Random, world: World, draft: Draft) -> bytes:
    body = draft.written_body()
    given = {name.lower() for name, _ in draft.headers}
    headers = [*draft.headers]
    if "host" not in given:
        headers.append(("Host", "localhost"))
    if "authorization" not in given:
        headers.append(("Authorization", f"Bearer {_token(rng, world)}"))
    if body is not None and "content-type" not in given:
        headers.append(("Content-Type", MEDIA_TYPE))
    lines = [f"{draft.method} ".encode() + draft.written_target() + b" HTTP/1.1"]
    lines += [_header(name, value) for name, value in headers]
    if body is None:
        return b"\r\n".join((*lines, b"", b""))
    if rng.random() < _CHUNKED:
        return b"\r\n".join((*lines, b"Transfer-Encoding: chunked", b"", *_chunks(rng, body)))
    return b"\r\n".join((*lines, b"Content-Length: %d" % len(body), b"", body))


def _token(rng: Random, world: World) -> str:
    dialects: Sequence[str] = sorted(world.tokens)
    return world.tokens["strict" if rng.random() < 0.5 else rng.choice(dialects)]


def _header(name: str, value: str) -> bytes:
    safe = re.sub(r"[\r\n\x00]", " ", value)
    return f"{name}: {safe}".encode("latin-1", "replace")


def _chunks(rng: Random, body: bytes) -> list[bytes]:
    size = rng.choice((1_000, 50_000, 2_000_000))
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    found = [line for part in parts for line in (b"%x" % len(part), part)]
    return [*found, b"0", b"", b""]
