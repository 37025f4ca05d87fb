"""What spoils a request: its JSON, its texts, its bytes, its address, its headers, its framing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from .values import LETTERS, nested, odd_text, odd_value
from .world import encoded, query_text

if TYPE_CHECKING:
    from random import Random

_KEY: Final = re.compile(rb'"[A-Za-z$:.0-9]{1,80}":')
_SCALAR: Final = re.compile(rb":\s*(?:true|false|\"[^\"]*\")")
_STRAY: Final = (b"", b"{}", b"\x00", b"[" * 5_000, b"null", b'"x"')
_NOT_UTF8: Final = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf")
_NO_NUMBERS: Final = (
    *(b"1e999", b"-1e999", b"NaN", b"-", b"01", b"9" * 5_000, b"0x10", b"1.", b"tru", b"-Infinity"),
)
_PREFIX: Final = "/scim/v2"
MEDIA_TYPE: Final = "application/scim+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A request that is not written out yet."""

    kind: str
    method: str
    path: str
    endpoint: str
    query: tuple[tuple[str, str], ...] = ()
    body: object = None
    headers: tuple[tuple[str, str], ...] = ()
    touches: str | None = None
    marks: frozenset[str] = field(default=frozenset())
    target: bytes | None = None
    """The address in bytes, where it is not that of path and query."""
    data: bytes | None = None
    """The body in bytes, where it is not that of `body`."""
    is_framed: bool = True

    def written_target(self) -> bytes:
        """Return the address as the first line has it."""
        if self.target is not None:
            return self.target
        query = f"?{query_text(self.query)}" if self.query else ""
        return f"{_PREFIX}{self.path}{query}".encode("ascii", "replace")

    def written_body(self) -> bytes | None:
        """Return the body; lone surrogates stay escaped, or become bytes that are no UTF-8."""
        if self.data is not None or self.body is None:
            return self.data
        return json.dumps(self.body).encode()


Mutation = Callable[["Random", Draft], Draft]


def spoiled(rng: Random, draft: Draft) -> Draft:
    """Return a draft with one thing or several wrong; a good third stays right."""
    if rng.random() < 0.35:
        return draft
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        draft = rng.choice(_MUTATIONS)(rng, draft)
    return draft


# --- values -------------------------------------------------------------------------------------------


def _value(rng: Random, draft: Draft) -> Draft:
    """Change a value somewhere in the JSON."""
    if draft.body is None or draft.data is not None:
        return _parameter(rng, draft)
    whole = {"": json.loads(json.dumps(draft.body))}
    holder, key = rng.choice(list(_places(whole)))
    holder[key] = _changed(rng, holder[key])
    return replace(draft, body=whole[""])


def _places(value: Any) -> Any:
    if isinstance(value, dict):
        for key, each in value.items():
            yield value, key
            yield from _places(each)
    elif isinstance(value, list):
        for key, each in enumerate(value):
            yield value, key
            yield from _places(each)


def _changed(rng: Random, value: Any) -> object:
    match rng.randrange(7):
        case 0 | 1:
            return rng.choice(([value], {"value": value}))
        case 2 if isinstance(value, str):
            return _text(rng, value)
        case 3 if isinstance(value, list):
            return value * rng.choice((0, 2, 60))
        case 4 if isinstance(value, dict):
            return value | {odd_text(rng): odd_value(rng)}
        case 5 if isinstance(value, dict) and value:
            gone = rng.choice(list(value))
            return {key: each for key, each in value.items() if key != gone}
    return odd_value(rng)


def _text(rng: Random, text: str) -> str:
    """Take something out of a text, or put something into it."""
    place = rng.randrange(len(text) + 1)
    end = rng.randrange(place, len(text) + 1)
    found: str = rng.choice(
        (
            text[:place],
            text[:place] + rng.choice(LETTERS) + text[place:],
            text[:place] + text[place + 1 :],
            text[:place] + odd_text(rng) + text[place:],
            text.swapcase(),
            text + text[place:end] * rng.choice((1, 2, 50)),
        )
    )
    return found


def _parameter(rng: Random, draft: Draft) -> Draft:
    """Change a parameter, name one twice, or add one that there is not."""
    pairs = list(draft.query)
    if pairs and rng.random() < 0.8:
        place = rng.randrange(len(pairs))
        name, value = pairs[place]
        pairs[place] = (
            (name, _text(rng, value)) if rng.random() < 0.8 else (_text(rng, name), value)
        )
    else:
        names = (
            "filter",
            "count",
            "cursor",
            "attributes",
            "fliter",
            "aadOptscim062020",
            odd_text(rng),
        )
        pairs.append((rng.choice(names).encode("utf-8", "replace").decode(), odd_text(rng)))
    return replace(draft, query=tuple(pairs))


# --- bytes --------------------------------------------------------------------------------------------


def _bytes(rng: Random, draft: Draft) -> Draft:
    """Change the bytes of the body: not UTF-8, cut off, twice the same key, numbers that no double has."""
    data = draft.written_body()
    if data is None:
        return replace(draft, data=rng.choice(_STRAY))
    place = rng.randrange(len(data) + 1)
    keys = _KEY.findall(data)
    twice = b"{" + (rng.choice(keys) if keys else b'"a":') + b"null,"
    deep = json.dumps(nested(rng)).encode()
    text = data.decode("utf-8", "replace")
    found: bytes = rng.choice(
        (
            data[:place],
            data[:place] + rng.choice(_NOT_UTF8) + data[place:],
            data.replace(b"{", twice, rng.choice((1, -1))),
            data.replace(b"{", twice, 1),
            _SCALAR.sub(b":" + rng.choice(_NO_NUMBERS), data, count=1),
            rng.choice((deep, b"[" * 40_000, data + deep, b"[" + data + b"]")),
            text.encode(rng.choice(("utf-16", "utf-32", "utf-7"))),
            data + b" " * rng.choice((10, 70_000, 1024 * 1024)),
        )
    )
    return replace(draft, data=found)


# --- address ------------------------------------------------------------------------------------------

_ENDINGS: Final = (
    *(
        ".",
        "..",
        "%2e%2e",
        "/",
        "//",
        "%2F",
        "%2f..%2f",
        ";x=1",
        "%00",
        "%ff",
        "%ed%a0%80",
        "%",
        "%2",
    ),
    *(
        "%zz",
        "+",
        "%20",
        " ",
        "%0d%0a",
        "?",
        "#x",
        "%23",
        "%3F",
        "\\",
        "~",
        "'",
        '"',
        "%25",
        "/.search",
    ),
    *("/../Users", ".json", "%u0041", "*", "/members", "x" * 300, "%E2%80%AE", "%c0%ae", "@", ":"),
)


def _address(rng: Random, draft: Draft) -> Draft:
    """Change the path."""
    path, unmarked = draft.path, {"touches": None}
    match rng.randrange(6):
        case 0:
            path += rng.choice(_ENDINGS)
        case 1:
            path = _text(rng, path)
        case 2:
            path = "".join(
                f"%{ord(one):02x}" if one != "/" and ord(one) < 128 else one for one in path
            )
        case 3:
            path = rng.choice(
                (path.upper(), path.lower(), f"/{path}", path.replace("/", "//"), f"/.{path}")
            )
        case 4:
            head, _, _ = path.rpartition("/")
            path = f"{head}/{encoded(odd_text(rng))}"
        case _:
            path = rng.choice(
                ("", "/", "/Me", "/Bulk", "/Schemas/x", "/Users/", "/.search", "/foo", "/Self")
            )
    query = f"?{query_text(draft.query)}" if draft.query else ""
    raw = f"{_PREFIX}{path}{query}".encode("utf-8", "surrogatepass")
    # Mostly as a library would write it; what is not ASCII, or ends the line, is refused by the server.
    keep = rb"[\x00-\x20\x7f-\xff]" if rng.random() < 0.95 else rb"[\x00-\x20]"
    raw = re.sub(keep, lambda found: b"%%%02X" % found[0][0], raw)
    return replace(draft, target=raw, **unmarked)  # type: ignore[arg-type]  # it is None


def _raw_query(rng: Random, draft: Draft) -> Draft:
    """Write a query that no library writes."""
    odd = rng.choice(
        (
            *(
                "filter",
                "filter=",
                "=",
                "&&",
                "filter=%",
                "filter=%zz",
                "filter=%ff",
                "filter=%C0%80",
            ),
            *(
                "filter=%ED%A0%80",
                "filter=a;count=1",
                "count=1&count=2",
                "count=%D9%A1",
                "a=1&" * 150,
            ),
            *(
                "cursor=%00",
                "attributes=,",
                "attributes=,,,",
                "startIndex=+1",
                "startIndex=1e3",
                "%00=1",
            ),
            "filter=" + "(" * 9_000,
            "filter=" + "userName%20eq%20%22" + "x" * 9_000 + "%22",
            "filter=" + "+or+".join(["a+pr"] * 2_000),
            "filter=" + "not+(" * 33 + "userName+pr" + ")" * 33,
        )
    )
    return replace(draft, target=f"{_PREFIX}{draft.path}?{odd}".encode(), touches=None)


# --- headers ------------------------------------------------------------------------------------------

_HEADERS: Final = (
    *(("Content-Type", one) for one in ("text/plain", "", "application/json", "APPLICATION/SCIM+JSON")),
    *(("Content-Type", f"{MEDIA_TYPE}; charset={one}") for one in ("utf-8", "UTF-16", "latin-1", '"', "")),
    *(("Content-Type", one) for one in ("application/scim+json;;;=", "multipart/form-data; boundary=x")),
    *(("Content-Encoding", one) for one in ("gzip", "identity", "", "br, gzip")),
    *(("If-Match", one) for one in ('W/"1"', '"1"', "*", "1", '"', 'W/"', "", ",,,", 'W/"1", "2"', "\xff")),
    *(("If-None-Match", one) for one in ('W/"1"', "*", '"', "", "w/1", 'W/"9999999999999999999999"')),
    *(("If-Match", 'W/"-1"'), ("If-Match", 'W/"1e5"'), ("If-Match", ", ".join(['"1"'] * 500))),
    *(("Prefer", one) for one in ("return=minimal", "return=representation", "return=", "respond-async, =;")),
    *(("Accept", one) for one in ("text/html", "*/*;q=x", "", "application/json;q=0", "\xe9")),
    *(("Authorization", one) for one in ("", "Bearer", "Bearer ", "Basic YTpi", "Bearer \xff", "bearer x y")),
    *(("Authorization", "Bearer mid_scim_x_y"), ("Authorization", "Bearer " + "x" * 5_000)),
    *(("X-HTTP-Method-Override", "DELETE"), ("X-Forwarded-For", "'"), ("X-Forwarded-Host", "evil")),
    *(("Host", one) for one in ("", "evil:99999", "[", "a b", "x" * 1_000, "\xff")),
    *(("Cookie", "mobid=x; a"), ("Range", "bytes=0-1"), ("Expect", "200-ok"), ("TE", "trailers")),
    *(("X-Request-Id", "a\x7fb"), ("Accept-Language", "zz-\xff;q=9"), ("Accept-Encoding", "gzip;q=x")),
    *(("Traceparent", "00-0-0-0"), ("If-Modified-Since", "yesterday"), ("X_Underscore", "1")),
)  # fmt: skip


def _header(rng: Random, draft: Draft) -> Draft:
    """Send another header, or one more than once."""
    name, value = rng.choice(_HEADERS)
    kept = draft.headers
    if rng.random() < 0.8:
        kept = tuple(pair for pair in kept if pair[0].lower() != name.lower())
    return replace(draft, headers=(*kept, (name, value)))


def _method(rng: Random, draft: Draft) -> Draft:
    """Do something else there."""
    methods = (
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "QUERY",
        "get",
        "X",
    )
    return replace(draft, method=rng.choice(methods))


def _framing(rng: Random, draft: Draft) -> Draft:
    """Write what is not HTTP, or not quite."""
    if rng.random() < 0.9:
        return _header(rng, draft)
    return replace(draft, is_framed=False)


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    *(_value, _value, _value, _value, _value, _parameter, _parameter, _bytes, _bytes),
    *(_address, _raw_query, _header, _header, _method, _framing),
)
