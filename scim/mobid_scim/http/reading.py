"""What a request holds: parameters, a bounded body, preconditions and preferences."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

from flask import request

from mobid_scim import strict_json, wire
from mobid_scim.changing import Precondition
from mobid_scim.dialect import Dialect
from mobid_scim.errors import InvalidSyntax, InvalidValue, PayloadTooLarge, UnsupportedMediaType
from mobid_scim.projection import Projection
from mobid_scim.resource import ResourceType
from mobid_scim.search_request import PARAMETERS
from mobid_scim.wording import quoted, unknown


class Return(StrEnum):
    """How much of what was written comes back (RFC 7240, 4.2)."""

    MINIMAL = "minimal"
    REPRESENTATION = "representation"


_MEDIA_TYPES: Final = frozenset({wire.MEDIA_TYPE, "application/json"})
_MAX_PARAMETERS: Final = 100
_OF_A_PROJECTION: Final = ("attributes", "excludedAttributes")
_CHUNK: Final = 16 * 1024


def projection(scope: ResourceType, dialect: Dialect) -> Projection:
    """Return which attributes the client wants to see; nothing else can be asked of one resource."""
    found = parameters(dialect, _OF_A_PROJECTION)
    return Projection.parse(scope, found.get("attributes"), found.get("excludedAttributes"))


def parameters(dialect: Dialect, known: Collection[str] = PARAMETERS) -> Mapping[str, str]:
    """Return the query parameters; one that is misspelled would else give a list of everything."""
    found = dialect.parameters(_pairs())
    for name in found:
        if name not in known:
            raise InvalidValue(unknown(name, of="The URL", known=known, what="parameter"))
    return found


def check_no_parameters(dialect: Dialect) -> None:
    """Refuse all parameters where they have no meaning: a client would take them for obeyed."""
    parameters(dialect, known=())


def _pairs() -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            request.query_string.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except UnicodeDecodeError:
        raise InvalidSyntax("The query of the URL is not UTF-8, percent-encoded.") from None
    except ValueError:
        raise InvalidSyntax(f"The URL has more than {_MAX_PARAMETERS} parameters.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidValue(f"The parameter {name[:32]} comes twice; send it once.")
        found[name] = value
    return found


def body(limits: strict_json.Limits = strict_json.DEFAULT_LIMITS) -> object:
    """Read and parse the body; the limit holds for chunked ones, too."""
    if request.mimetype not in _MEDIA_TYPES:
        sent = quoted(request.mimetype) if request.mimetype else "without a Content-Type"
        raise UnsupportedMediaType(f"Send the body as {wire.MEDIA_TYPE}, not {sent}.")
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(f"Send the body in UTF-8, not in {quoted(charset)}.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body without a Content-Encoding.")
    if (request.content_length or 0) > limits.size:
        raise PayloadTooLarge(f"The body is larger than {limits.size} bytes.")
    return strict_json.loads(_read(limits.size + 1), limits=limits)


def _read(limit: int) -> bytes:
    chunks: list[bytes] = []
    left = limit
    # A stream makes room for as much as it is asked for, before it knows what will come.
    while left and (chunk := request.stream.read(min(left, _CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def precondition() -> Precondition | None:
    """Return what If-Match and If-None-Match ask of a write (RFC 9110, 13.1.1 and 13.1.2).

    An If-Match that cannot be read accepts no version at all.
    """
    if "If-Match" not in request.headers and "If-None-Match" not in request.headers:
        return None
    return lambda version: _is_accepted(version) and not is_known(version)


def _is_accepted(version: str) -> bool:
    accepted = request.if_match
    named = accepted.star_tag or accepted.contains_weak(version)
    return named or "If-Match" not in request.headers


def is_known(version: str) -> bool:
    """Tell whether If-None-Match names the version: the client has it already."""
    return request.if_none_match.star_tag or request.if_none_match.contains_weak(version)


def preferred_return() -> Return | None:
    """Return how much of an answer the client wants (RFC 7240, 4.2); its first wish counts."""
    wishes = ",".join(request.headers.getlist("Prefer")).split(",")
    for wish in wishes:
        name, _, value = wish.split(";")[0].replace(" ", "").lower().partition("=")
        if name == "return":
            return Return(value.strip('"')) if value.strip('"') in list(Return) else None
    return None
